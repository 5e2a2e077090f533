package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// ask sends a request to the operators' listener with the API token.
func (s *server) ask(method, path string) (*reply, error) {
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.ops+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	return exchange(r)
}

// get is ask for what must work.
func (s *server) get(path string) *reply {
	s.t.Helper()
	got, err := s.ask(http.MethodGet, path)
	require.NoError(s.t, err)
	return got
}

// listing is a page of GET /v1/events.
type listing struct {
	Events     []event.Record
	NextCursor *string `json:"next_cursor"`
}

// list asks for a page; query holds pairs of name and value.
func (s *server) list(query ...string) listing {
	s.t.Helper()
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	got := s.get("/v1/events?" + values.Encode())
	require.Equal(s.t, http.StatusOK, got.status, "%s", got.body)
	return decode[listing](s.t, got.body)
}

func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(text, &v), "%s", text)
	return v
}

// show is GET /v1/events/{key} of an event that is there.
func (s *server) show(key string) event.Detail {
	s.t.Helper()
	got := s.get("/v1/events/" + url.PathEscape(key))
	require.Equal(s.t, http.StatusOK, got.status, "%s", got.body)
	return decode[event.Detail](s.t, got.body)
}

// await waits until the event is as told, and returns it.
func (s *server) await(key, what string, is func(event.Detail) bool) event.Detail {
	s.t.Helper()
	var last event.Detail
	until(s.t, key+" is "+what, func() bool {
		got, err := s.ask(http.MethodGet, "/v1/events/"+url.PathEscape(key))
		if err != nil || got.status != http.StatusOK {
			return false
		}
		last = event.Detail{}
		return json.Unmarshal(got.body, &last) == nil && is(last)
	})
	return last
}

func (s *server) awaitStatus(key string, status event.Status) event.Detail {
	s.t.Helper()
	return s.await(key, string(status), func(d event.Detail) bool { return d.Status == status })
}

func (s *server) awaitCompleted(keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		s.awaitStatus(key, event.Completed)
	}
}

// awaitTrying waits until a handler has failed and is tried again: the event is in flight.
func (s *server) awaitTrying(keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		s.await(key, "being retried", func(d event.Detail) bool { return d.Status == event.Processing && d.Attempts > 0 })
	}
}

// patience is how long a condition may take.
const patience = testkit.Patience

func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 25*time.Millisecond, what)
}

// rows counts the events in the ledger that fit a condition.
func (in *installation) rows(where string) int {
	in.t.Helper()
	return testkit.Query[int](in.t, in.database, "SELECT count(*)::int FROM webhook_events WHERE "+where)
}

// checkouts watches what the checkout handlers do to their table, from inside their own transactions.
type checkouts struct{ in *installation }

const watchTable = `
CREATE TABLE effects (session_id text NOT NULL);
CREATE FUNCTION note_effect() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO effects VALUES (NEW.session_id);
	RETURN NEW;
END $$;
CREATE TRIGGER note_effect BEFORE INSERT ON stripe_checkout_sessions FOR EACH ROW EXECUTE FUNCTION note_effect()`

// watchCheckouts counts every committed effect of the checkout handlers, repeated ones included.
func (in *installation) watchCheckouts() checkouts {
	in.t.Helper()
	testkit.Exec(in.t, in.database, watchTable)
	return checkouts{in}
}

// recorded requires that n sessions were written, each once.
func (c checkouts) recorded(n int) {
	c.in.t.Helper()
	require.Equal(c.in.t, n, c.count("DISTINCT session_id"), "sessions that were written")
	require.Equal(c.in.t, n, c.count("*"), "writings of them")
}

func (c checkouts) count(what string) int {
	c.in.t.Helper()
	return testkit.Query[int](c.in.t, c.in.database, "SELECT count("+what+")::int FROM effects")
}

// join is for an array literal of keys, which hold no quotes.
func join(keys []string) string { return strings.Join(keys, ",") }
