// Package samples holds webhooks as the providers send them: bodies with every field of the documented examples,
// unsigned, with fresh ids and times. hookflow send and the tests sign and post them.
//
// A sample is one embedded file, <provider>/<type>.json or <provider>/<type>.form; its name is the word after the
// provider in "hookflow send". Placeholders are the methods of filler. The fields follow
// https://docs.stripe.com/api/events (version 2024-06-20), https://www.twilio.com/docs/voice/twiml#request-parameters,
// https://www.twilio.com/docs/messaging/guides/track-outbound-message-status and https://docs.vapi.ai/server-url/events.
package samples

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"text/template"
	"time"

	"hookflow/providers"
)

//go:embed stripe/*.json twilio/*.form vapi/*.json
var files embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").
	ParseFS(files, "stripe/*.json", "twilio/*.form", "vapi/*.json"))

// Options say what differs between two copies of a sample.
type Options struct {
	// ID is the provider's natural id: Stripe's event id, Twilio's CallSid, MessageSid, RecordingSid or ConferenceSid,
	// Vapi's call.id. Everything else in the sample that is made up follows from it, so the same ID gives the same
	// event. Empty: a fresh one.
	ID string
	// Object is the id of the business object inside a Stripe event, such as cs_…: with it, several types tell one
	// story. Empty: made up.
	Object string
	// Account is Twilio's AccountSid. Empty: SampleAccountSID.
	Account string
	// N is the number of this copy in a series; it makes fresh ids differ.
	N int
	// Now is the time of the event.
	Now time.Time
	// Random makes fresh ids. Nil: they follow from Now and N alone, as tests want them.
	Random io.Reader
}

// Providers lists the providers that have samples, in alphabetical order.
func Providers() []string {
	var names []string
	for _, k := range providers.Kinds() {
		if len(ListOf(k)) > 0 {
			names = append(names, k.Name)
		}
	}
	return names
}

// List is ListOf for a provider's name, empty for an unknown one.
func List(provider string) []string {
	if k := providers.KindOf(provider); k != nil {
		return ListOf(k)
	}
	return nil
}

// ListOf returns the names of a kind's samples in alphabetical order. A name is the event's type, with a suffix where
// one type has several shapes ("status-update.ended").
func ListOf(kind *providers.Kind) []string {
	var names []string
	for _, file := range entries(kind.Name) {
		names = append(names, strings.TrimSuffix(file, path.Ext(file)))
	}
	for _, s := range kind.Samples {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// Build is BuildOf for a provider's name; an unknown one is an error.
func Build(provider, name string, o Options) (*providers.Request, error) {
	k := providers.KindOf(provider)
	if k == nil {
		return nil, fmt.Errorf("there is no provider %s", provider)
	}
	return BuildOf(k, name, o)
}

// BuildOf fills in a sample. The request has no signature, and of its URL the query only. Errors: an unknown name, an ID
// that the provider could not have made, a Random that fails.
func BuildOf(kind *providers.Kind, name string, o Options) (*providers.Request, error) {
	for _, s := range kind.Samples {
		if s.Name == name {
			return buildDeclared(kind, s, o)
		}
	}
	provider := kind.Name
	i := slices.IndexFunc(entries(provider), func(file string) bool {
		return strings.TrimSuffix(file, path.Ext(file)) == name
	})
	if i < 0 {
		return nil, fmt.Errorf("there is no sample %s of %s", name, provider)
	}
	file := entries(provider)[i]
	fill, err := newFiller(provider, name, o)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, file, fill); err != nil {
		return nil, fmt.Errorf("sample %s of %s: %w", name, provider, err)
	}
	r := &providers.Request{Method: http.MethodPost, Header: headers(provider, fill), Body: body.Bytes()}
	if path.Ext(file) == ".form" {
		r.Body = encodeForm(body.String())
	}
	return r, nil
}

// headers are those that the provider sends besides its signature.
func headers(provider string, fill *filler) http.Header {
	h := http.Header{}
	switch provider {
	case "stripe":
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	case "twilio":
		h.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		h.Set("User-Agent", "TwilioProxy/1.1")
		h.Set("I-Twilio-Idempotency-Token", fill.UUID("idempotency"))
	default:
		h.Set("Content-Type", "application/json")
	}
	return h
}

// encodeForm turns lines of name=value into a form body. The order is kept: no provider promises one.
func encodeForm(lines string) []byte {
	var b bytes.Buffer
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(name) + "=" + url.QueryEscape(value))
	}
	return b.Bytes()
}

func entries(folder string) []string {
	found, err := files.ReadDir(folder)
	if err != nil {
		return nil // an unknown provider; the files themselves are part of the binary
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name())
	}
	return names
}
