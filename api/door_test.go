package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/providers"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// A server that answers before it has read the whole body closes the connection half a second later, so that the sender
// still sees the answer (net/http's rstAvoidanceDelay); goleak waits for less. It ends by itself.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// Canaries: none of these may ever appear in a log.
const (
	canarySecret    = "canary-secret-4711"
	canaryBody      = "canary-body-4711"
	canarySignature = "canary-signature-4711"
	canaryToken     = "canary-token-4711-long"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// acme is a provider with the simplest honest scheme: X-Signature is the hex HMAC over URL, a line end and the body.
type acme struct {
	maxBody int64
	own     *providers.Answer
}

func (p acme) Traits() providers.Traits {
	return providers.Traits{Scheme: "acme", MaxBody: p.maxBody, MediaTypes: []string{"application/json"}}
}

func (p acme) Answer(*event.Event) *providers.Answer { return p.own }

func acmeSignature(url string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(canarySecret))
	mac.Write([]byte(url + "\n"))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func (p acme) Verify(r *providers.Request, _ time.Time) error {
	if !hmac.Equal([]byte(r.Header.Get("X-Signature")), []byte(acmeSignature(r.URL, r.Body))) {
		return &providers.Error{Code: providers.CodeSignature, Reason: providers.ReasonMismatch}
	}
	return nil
}

func (p acme) Identify(r *providers.Request) (event.Event, error) {
	var read struct{ ID, Type string }
	if json.Unmarshal(r.Body, &read) != nil {
		return event.Event{}, &providers.Error{Code: providers.CodeNoEvent, Reason: "the body is not JSON"}
	}
	if read.Type == "panic" {
		panic(canaryBody)
	}
	return event.Event{EventID: read.ID, Type: read.Type, Body: r.Body}, nil
}

// door is an API on fakes, with everything it said and did.
type door struct {
	*API
	mu           sync.Mutex
	log          bytes.Buffer
	metrics      []string
	accepted     []event.Event
	reported     []error
	panics       []any
	accept       func(context.Context, *event.Event) (event.Outcome, error)
	ledger       fakeLedger
	repairs      fakeRepairs
	replays      fakeReplays
	destinations fakeDestinations
}

const testURL = "https://hooks.example"

func newDoor(t testing.TB, change ...func(*Options)) *door {
	t.Helper()
	d := &door{accept: func(context.Context, *event.Event) (event.Outcome, error) { return event.Accepted, nil }}
	o := Options{
		Accepter: d, Ledger: &d.ledger, Repairs: &d.repairs, Replays: &d.replays, Destinations: &d.destinations, PublicURL: testURL, Metrics: d,
		Sources: map[string]providers.Source{"acme": {Name: "acme", Provider: acme{maxBody: 64 << 10}}},
		Tokens:  []Token{{Name: "first", Secret: "another-token-of-length"}, {Name: "ann", Secret: canaryToken}},
		Log:     slog.New(slog.NewTextHandler(d, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:     func() time.Time { return noon },
		OnError: func(_ context.Context, err error) { d.locked(func() { d.reported = append(d.reported, err) }) },
		OnPanic: func(_ context.Context, v any, _ []byte) { d.locked(func() { d.panics = append(d.panics, v) }) },
	}
	for _, c := range change {
		c(&o)
	}
	d.API = New(o)
	return d
}

func (d *door) locked(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *door) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func (d *door) logged() (text string) {
	d.locked(func() { text = d.log.String() })
	return text
}

func (d *door) counted() (counts []string) {
	d.locked(func() { counts = append(counts, d.metrics...) })
	return counts
}

func (d *door) events() (events []event.Event) {
	d.locked(func() { events = append(events, d.accepted...) })
	return events
}

func (d *door) AcceptAll(ctx context.Context, events []event.Event) ([]event.Outcome, error) {
	outcomes := make([]event.Outcome, len(events))
	for i := range events {
		var err error
		if outcomes[i], err = d.Accept(ctx, &events[i]); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

func (d *door) Accept(ctx context.Context, e *event.Event) (event.Outcome, error) {
	d.locked(func() { d.accepted = append(d.accepted, *e) })
	return d.accept(ctx, e)
}

func (d *door) Request(provider, outcome string, seconds float64) {
	d.locked(func() { d.metrics = append(d.metrics, provider+" "+outcome) })
}

func (d *door) VerificationFailed(provider, reason string) {
	d.locked(func() { d.metrics = append(d.metrics, provider+" failed "+reason) })
}

func (d *door) Answered(provider, how string) {
	d.locked(func() { d.metrics = append(d.metrics, provider+" answered "+how) })
}

func (d *door) Ignored(provider, eventType string) {
	d.locked(func() { d.metrics = append(d.metrics, provider+" ignored "+eventType) })
}

type fakeLedger struct {
	counting event.Counting
	buckets  []event.Bucket
	filter   event.Filter
	asked    string
	page     event.Page
	detail   event.Detail
	failing  error
}

func (l *fakeLedger) List(_ context.Context, f event.Filter) (event.Page, error) {
	l.filter = f
	return l.page, l.failing
}

func (l *fakeLedger) Count(_ context.Context, c event.Counting) ([]event.Bucket, error) {
	l.counting = c
	return l.buckets, l.failing
}

func (l *fakeLedger) Find(_ context.Context, id string) (event.Detail, error) {
	l.asked = id
	return l.detail, l.failing
}

const goodBody = `{"id":"evt_1","type":"thing.made","note":"` + canaryBody + `"}`

// signed builds a request as the provider would send it.
func signed(target, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Signature", acmeSignature(testURL+target, []byte(body)))
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// requireProblem checks shape and code of a problem.
func requireProblem(t *testing.T, w *http.Response, body []byte, status int, code string) {
	t.Helper()
	var p map[string]any
	require.NoError(t, json.Unmarshal(body, &p), "body %q", body)
	require.Equal(t, status, w.StatusCode, "body %s", body)
	require.Equal(t, code, p["code"])
	require.EqualValues(t, status, p["status"])
	require.Equal(t, "about:blank", p["type"])
	require.Equal(t, http.StatusText(status), p["title"])
	require.NotEmpty(t, p["detail"])
	require.Equal(t, "application/problem+json", w.Header.Get("Content-Type"))
	require.Equal(t, "nosniff", w.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", w.Header.Get("Cache-Control"))
	require.Equal(t, status == 503 || status == 429, w.Header.Get("Retry-After") != "")
	require.Empty(t, w.Header.Get("Server"))
}

// listen serves h as production does, and returns the address.
func listen(t testing.TB, h http.Handler, change ...func(*http.Server)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := NewServer(h, slog.New(slog.DiscardHandler))
	for _, c := range change {
		c(&s.Server)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(LimitListener(l, MaxConnections))
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return l.Addr().String()
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	return c.(*net.TCPConn)
}

// readAnswer reads one answer, and whether the server closed the connection behind it.
func readAnswer(t *testing.T, c net.Conn) (*http.Response, []byte) {
	t.Helper()
	w, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	var body bytes.Buffer
	_, err = body.ReadFrom(w.Body)
	require.NoError(t, err)
	return w, body.Bytes()
}

// head writes the head of a request to the acme webhook.
func head(extra string) string {
	return "POST /webhooks/acme HTTP/1.1\r\nHost: hooks.example\r\nContent-Type: application/json\r\n" + extra + "\r\n"
}
