package telemetry

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/getsentry/sentry-go"
)

// newHub returns a hub with its own client, nil without a DSN. The SDK's global hub stays empty: what is captured there
// goes nowhere.
func newHub(o Options, secrets *redactor) (*sentry.Hub, error) {
	if o.SentryDSN == "" {
		return nil, nil // not even a client: it would look for a DSN in the environment by itself
	}
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn:              o.SentryDSN,
		Release:          o.Release,
		Environment:      o.Environment,
		ServerName:       o.ServerName,
		Transport:        o.Transport,
		AttachStacktrace: true, // a panic with a text would have none
		EnableTracing:    o.TracesSampleRate > 0,
		// A sampler rather than a rate: with a rate, a sender's sentry-trace header decides.
		TracesSampler:         func(sentry.SamplingContext) float64 { return o.TracesSampleRate },
		BeforeSend:            secrets.beforeSend,
		BeforeSendTransaction: secrets.beforeSend,
		DataCollection:        nothing(),
		MaxBreadcrumbs:        -1,
	})
	if err != nil {
		return nil, err
	}
	return sentry.NewHub(client, sentry.NewScope()), nil
}

// nothing tells the SDK to collect nothing about who sent a request and what was in it (SendDefaultPII: false, in today's
// words). scrub does not rely on it.
func nothing() *sentry.DataCollection {
	off := &sentry.KeyValueCollectionBehavior{Mode: sentry.CollectionOff}
	return &sentry.DataCollection{
		UserInfo:    sentry.Set(false),
		Cookies:     off,
		HTTPHeaders: &sentry.HeaderCollectionConfig{Request: off, Response: off},
		HTTPBodies:  []sentry.BodyType{},
		QueryParams: off,
	}
}

// maxText is how much of an error's text leaves for Sentry, in bytes: it is written by handlers and libraries, who may
// quote anything.
const maxText = 1 << 10

// maxTag is Sentry's own limit on a tag's value; longer ones are dropped there.
const maxTag = 200

// contexts are the SDK's descriptions of machine, program and trace, and our own.
var contexts = []string{"device", "os", "runtime", "trace", failureContext}

// beforeSend sees every event last. A handler that panics to close a connection has nothing to report.
func (r *redactor) beforeSend(e *sentry.Event, hint *sentry.EventHint) *sentry.Event {
	if hint.RecoveredException == http.ErrAbortHandler {
		return nil
	}
	if hint.RecoveredException != nil {
		hidePanic(e)
	}
	return scrub(e, r)
}

// scrub keeps of an event what was meant to be sent. The request is made anew from its method and address, so that
// whatever else the SDK puts there, now or later, stays here: body, headers, query, cookies, the sender's address.
func scrub(e *sentry.Event, secrets *redactor) *sentry.Event {
	if e.Request != nil {
		url, _, _ := strings.Cut(e.Request.URL, "?")
		e.Request = &sentry.Request{Method: e.Request.Method, URL: secrets.text(url)}
	}
	e.User = sentry.User{}
	e.Breadcrumbs, e.Attachments = nil, nil
	maps.DeleteFunc(e.Contexts, func(name string, _ sentry.Context) bool { return !slices.Contains(contexts, name) })
	for name, value := range e.Tags {
		e.Tags[name] = clip(secrets.text(value), maxTag)
	}
	e.Transaction = clip(secrets.text(e.Transaction), maxTag)
	e.Message = clip(secrets.text(e.Message), maxText)
	for i := range e.Exception {
		e.Exception[i].Value = clip(secrets.text(e.Exception[i].Value), maxText)
	}
	return e
}

// hidePanic leaves the texts of the runtime's own panics (index out of range, nil map). All others may hold what a
// request held; their type and the stack say where to look.
func hidePanic(e *sentry.Event) {
	if e.Message != "" {
		e.Message = "a panic that is no error"
	}
	for i := range e.Exception {
		if !strings.HasPrefix(strings.TrimPrefix(e.Exception[i].Type, "*"), "runtime.") {
			e.Exception[i].Value = ""
		}
	}
}

// clip cuts s to at most n bytes of UTF-8.
func clip(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	const more = "…"
	return strings.ToValidUTF8(s[:n-len(more)], "") + more
}
