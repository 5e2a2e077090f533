package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/providers"

	"github.com/stretchr/testify/require"
)

// stocked is a server whose ledger holds some of everything, all completed.
func stocked(t *testing.T) (*server, []string) {
	t.Helper()
	s := install(t).serve()
	var keys []string
	for range 5 {
		keys = append(keys, s.acceptNew())
	}
	for _, of := range []struct{ provider, sample string }{
		{"stripe", "invoice.paid"}, {"stripe", "charge.refunded"}, {"twilio", "call.completed"},
		{"twilio", "message.sent"}, {"vapi", "status-update"}, {"vapi", "hang"},
	} {
		d := s.sample(of.provider, of.sample)
		s.accept(d)
		keys = append(keys, d.key())
	}
	connected := s.sign("stripe", &providers.Request{
		Header: http.Header{"Content-Type": {"application/json"}},
		Body: []byte(`{"id":"evt_connected","object":"event","account":"acct_connected","livemode":true,"created":1767225600,
			"type":"customer.created","data":{"object":{"id":"cus_1","metadata":{"tier":"gold","tags":["a","b"]}}}}`),
	})
	s.accept(connected)
	keys = append(keys, connected.key())
	s.awaitCompleted(keys...)
	return s, keys
}

func TestQueries(t *testing.T) {
	t.Parallel()
	s, keys := stocked(t)
	connected := keys[len(keys)-1]
	hour := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for _, c := range []struct {
		name  string
		query []string
		want  int
	}{
		{"everything", nil, len(keys)},
		{"provider", []string{"provider", "twilio"}, 2},
		{"type", []string{"type", "invoice.paid"}, 1},
		{"glob", []string{"type", "checkout.*"}, 5},
		{"glob over providers", []string{"type", "c*.completed"}, 6},
		{"one character", []string{"type", "invoice.pai?"}, 1},
		{"underscores are no wildcards", []string{"type", "invoice_paid"}, 0},
		{"status", []string{"status", "completed"}, len(keys)},
		{"another status", []string{"status", "failed"}, 0},
		{"account", []string{"account", "acct_connected"}, 1},
		{"containment", []string{"q", `{"data":{"object":{"metadata":{"tier":"gold"}}}}`}, 1},
		{"containment in a list", []string{"q", `{"data":{"object":{"metadata":{"tags":["b"]}}}}`}, 1},
		{"containment in a form", []string{"q", `{"CallStatus":"completed"}`}, 1},
		{"containment of nothing there", []string{"q", `{"data":{"object":{"metadata":{"tier":"lead"}}}}`}, 0},
		{"since", []string{"since", hour}, len(keys)},
		{"since, as a duration", []string{"since", "2h"}, len(keys)},
		{"until", []string{"until", hour}, 0},
		{"between", []string{"since", "2h", "until", "1h"}, 0},
		{"several at once", []string{"provider", "stripe", "type", "*.completed", "status", "completed", "since", "1h"}, 5},
		{"limit", []string{"limit", "2"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Len(t, s.list(c.query...).Events, c.want)
		})
	}
	t.Run("the fields are the columns", func(t *testing.T) { requireColumns(t, s) })
	t.Run("by uuid and by key", func(t *testing.T) {
		byKey := s.show(connected)
		require.Equal(t, byKey, s.show(byKey.ID))
		require.True(t, *byKey.Livemode)
		require.Equal(t, time.Unix(1767225600, 0).UTC(), *byKey.OccurredAt)
	})
	t.Run("the commands tell the same", func(t *testing.T) { requireCommands(t, s, connected) })
	t.Run("a cursor walks over all pages", func(t *testing.T) { requireWalk(t, s, keys) })
}

// requireColumns holds the fields of a listed event against the columns of the ledger.
func requireColumns(t *testing.T, s *server) {
	t.Helper()
	columns := testkit.Query[[]string](t, s.database, `SELECT array_agg(column_name::text ORDER BY column_name::text COLLATE "C")
		FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = 'webhook_events'`)
	raw := decode[struct{ Events []map[string]json.RawMessage }](t, s.get("/v1/events?limit=1").body)
	var fields []string
	for name := range raw.Events[0] {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	require.Equal(t, columns, fields)
}

func requireCommands(t *testing.T, s *server, key string) {
	t.Helper()
	env := map[string]string{"HOOKFLOW_OPS_ADDR": s.ops[len("http://"):], "HOOKFLOW_API_TOKEN": s.env["HOOKFLOW_API_TOKEN"]}
	listed := command(t, env, "events", "list", "--account", "acct_connected")
	require.Zero(t, listed.code, listed.stderr)
	require.Contains(t, listed.stdout, "customer.created")
	shown := command(t, env, "events", "show", key)
	require.Zero(t, shown.code, shown.stderr)
	require.Contains(t, shown.stdout, "acct_connected")
	require.Equal(t, 1, command(t, env, "events", "show", "stripe:evt_nobody").code)
}

// requireWalk reads the listing page by page while new events arrive, which belong before the first page.
func requireWalk(t *testing.T, s *server, keys []string) {
	t.Helper()
	var walked []string
	var last time.Time
	query := []string{"limit", "3"}
	for {
		page := s.list(query...)
		for _, e := range page.Events {
			require.False(t, !last.IsZero() && e.ReceivedAt.After(last), "newest first")
			last, walked = e.ReceivedAt, append(walked, event.Key(e.Provider, e.EventID))
		}
		if page.NextCursor == nil {
			break
		}
		require.Len(t, page.Events, 3)
		s.acceptNew()
		query = []string{"limit", "3", "cursor", *page.NextCursor}
	}
	require.ElementsMatch(t, keys, walked)
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	s := install(t).serve()
	for _, query := range []string{
		"limit=0", "limit=201", "limit=many", "status=done", "provider=a/b", "q={", "q=" + url.QueryEscape(`{"a":"\u0000"}`),
		"since=yesterday", "until=-2h", "cursor=abc", "page=2", "limit=1&limit=2", "since=1h&until=2h", "type=%00", "type=%zz",
	} {
		got := s.get("/v1/events?" + query)
		require.Equal(t, "query_invalid", requireProblem(t, http.StatusBadRequest, got).Code, query)
	}
	for _, id := range []string{"stripe:evt_nobody", "00000000-0000-8000-8000-000000000000", "nonsense", "%00", "stripe:", "stripe:%ff"} {
		requireProblem(t, http.StatusNotFound, s.get("/v1/events/"+id))
	}
	got, err := s.ask(http.MethodDelete, "/v1/events")
	require.NoError(t, err)
	requireProblem(t, http.StatusMethodNotAllowed, got)
}
