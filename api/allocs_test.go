package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/providers"

	"github.com/stretchr/testify/require"
)

// open is a provider that costs nothing, so that what is measured is the door.
type open struct{ acme }

func (open) Verify(*providers.Request, time.Time) error { return nil }
func (open) Identify(r *providers.Request) (event.Event, error) {
	return event.Event{EventID: "evt_1", Type: "thing.made", Body: r.Body}, nil
}

type yes struct{}

func (yes) AcceptAll(context.Context, []event.Event) ([]event.Outcome, error) {
	panic("one event each")
}
func (yes) Accept(context.Context, *event.Event) (event.Outcome, error) { return event.Accepted, nil }

// sink is a ResponseWriter that keeps nothing.
type sink struct{ header http.Header }

func (s sink) Header() http.Header            { return s.header }
func (sink) Write(p []byte) (int, error)      { return len(p), nil }
func (sink) WriteHeader(int)                  {}
func (sink) SetReadDeadline(time.Time) error  { return nil }
func (sink) SetWriteDeadline(time.Time) error { return nil }

// accepting returns a function that puts one request of 2 KiB through the door.
func accepting(t testing.TB) func() {
	a := New(Options{Accepter: yes{}, Log: slog.New(slog.DiscardHandler), PublicURL: testURL,
		Sources: map[string]providers.Source{"acme": {Name: "acme", Provider: open{acme{maxBody: 1 << 20}}}}})
	h := a.Webhooks()
	text := strings.Repeat("x", 2048)
	body := strings.NewReader(text)
	r := signed("/webhooks/acme", "")
	r.ContentLength = body.Size()
	r.Body = io.NopCloser(body)
	w := sink{http.Header{}}
	return func() {
		body.Reset(text)
		clear(w.header)
		h.ServeHTTP(w, r)
		if w.header.Get("Hookflow-Outcome") != "accepted" {
			t.Fatal("not accepted")
		}
	}
}

// An accepted request costs the door, with the body, the uuid and the answer, some 40 allocations. The bound has room
// for another Go version, none for an encoder or a logger in the accepted path.
func TestAllocationsOfAnAcceptedRequest(t *testing.T) {
	require.Less(t, testing.AllocsPerRun(200, accepting(t)), 50.0)
}

func BenchmarkAcceptedRequest(b *testing.B) {
	accept := accepting(b)
	b.ReportAllocs()
	for b.Loop() {
		accept()
	}
}
