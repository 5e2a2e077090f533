package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// ask sends a request to /v1 with the token of ann.
func ask(d *door, method, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("Authorization", "Bearer "+canaryToken)
	return serve(d.Ops(), r)
}

func TestListingIsEmptyNotNull(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	w := ask(d, "GET", "/v1/events")
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"events":[],"next_cursor":null}`, w.Body.String())
	require.Equal(t, event.Filter{Limit: 50}, d.ledger.filter)
}

func TestListingPages(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	last := event.Record{ID: event.ID("acme:1"), Provider: "acme", EventID: "1", Status: event.Completed, ReceivedAt: noon.Add(123456 * time.Microsecond)}
	d.ledger.page = event.Page{Events: []event.Record{last}, Next: &event.Cursor{ReceivedAt: last.ReceivedAt, ID: last.ID}}
	w := ask(d, "GET", "/v1/events?limit=1")
	var page struct {
		Events     []map[string]any
		NextCursor string `json:"next_cursor"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
	require.Len(t, page.Events, 1)
	require.Equal(t, "2026-03-01T12:00:00.123456Z", page.Events[0]["received_at"])
	require.Contains(t, page.Events[0], "account", "unknown is null, not absent")
	require.Nil(t, page.Events[0]["account"])

	require.Equal(t, 200, ask(d, "GET", "/v1/events?cursor="+page.NextCursor).Code)
	require.Equal(t, d.ledger.page.Next, d.ledger.filter.After)
}

func TestShownEventIsWhole(t *testing.T) {
	t.Parallel()
	run := "run-1"
	d := newDoor(t, func(o *Options) {
		o.TemporalURL = func(workflowID, runID string) string { return "http://temporal/" + workflowID + "/" + runID }
	})
	d.ledger.detail = event.Detail{Record: event.Record{WorkflowID: "acme:1", RunID: &run}, Body: []byte("{}"), Payload: json.RawMessage("{}")}
	w := ask(d, "GET", "/v1/events/acme:1")
	require.Equal(t, 200, w.Code)
	var shown map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &shown))
	require.Equal(t, "e30=", shown["body"])
	require.Equal(t, "http://temporal/acme:1/run-1", shown["temporal_url"])
	require.Equal(t, []any{}, shown["steps"])
	require.Equal(t, "acme:1", shown["workflow_id"], "flat")
	require.Equal(t, event.ID("acme:1"), d.ledger.asked)
}

func TestEventBeforeItsFirstRunHasNoAddress(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(o *Options) { o.TemporalURL = func(string, string) string { return "http://temporal" } })
	require.Contains(t, ask(d, "GET", "/v1/events/acme:1").Body.String(), `"temporal_url":null`)
	run := "run-1"
	d = newDoor(t)
	d.ledger.detail.RunID = &run
	require.Contains(t, ask(d, "GET", "/v1/events/acme:1").Body.String(), `"temporal_url":null`, "nor has one without a UI")
}

func TestIDsInPaths(t *testing.T) {
	t.Parallel()
	id := event.ID("acme:evt_1")
	for path, want := range map[string]string{
		"/v1/events/" + id:                                     id,
		"/v1/events/" + strings.ToUpper(id):                    id,
		"/v1/events/acme:evt_1":                                id,
		"/v1/events/acme%3Aevt_1":                              id,
		"/v1/events/acme:a/b":                                  event.ID("acme:a/b"),
		"/v1/events/acme:a%2Fb":                                event.ID("acme:a/b"),
		"/v1/events/acme:a%252Fb":                              event.ID("acme:a%2Fb"),
		"/v1/events/acme:a//b/":                                event.ID("acme:a//b/"),
		"/v1/events/acme:../b":                                 event.ID("acme:../b"),
		"/v1/events/acme:a%3Fb%20c%23d":                        event.ID("acme:a?b c#d"),
		"/v1/events/acme:a:b":                                  event.ID("acme:a:b"),
		"/v1/events/acme:a/replay":                             event.ID("acme:a/replay"),
		"/v1/events/acme:" + url.PathEscape("☎ü"):              event.ID("acme:☎ü"),
		"/v1/events/":                                          "",
		"/v1/events/nonsense":                                  "",
		"/v1/events/acme:":                                     "",
		"/v1/events/:evt_1":                                    "",
		"/v1/events/ac%20me:1":                                 "",
		"/v1/events/acme:a%00":                                 "",
		"/v1/events/acme:%ff":                                  "",
		"/v1/events/acme:" + strings.Repeat("a", 1025):         "",
		"/v1/events/" + strings.Replace(id, "-", "x", 1):       "",
		"/v1/events/" + strings.Replace(id, id[:1], "g", 1):    "",
		"/v1/events/--------------------------------" + "1234": "",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			w := ask(d, "GET", path)
			require.Equal(t, want, d.ledger.asked)
			if want == "" {
				requireProblem(t, w.Result(), w.Body.Bytes(), 404, "event_unknown")
			} else {
				require.Equal(t, 200, w.Code)
			}
		})
	}
}

func TestLedgerErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"unknown event": {fmt.Errorf("find: %w", event.ErrNotFound), 404, "event_unknown"},
		"not final":     {event.ErrNotFinal, 409, "event_not_final"},
		"final":         {event.ErrFinal, 409, "event_final"},
		"not waiting":   {event.ErrNotWaiting, 409, "event_not_waiting"},
		"unsupported":   {event.ErrUnsupported, 501, "unsupported_by_temporal"},
		"no replay":     {event.ErrReplayNotFound, 404, "replay_unknown"},
		"replay over":   {event.ErrReplayOver, 409, "replay_over"},
		"temporal away": {errors.Join(event.ErrTemporalUnavailable, errors.New("at 10.1.2.3")), 503, "temporal_unavailable"},
		"erased":        {event.ErrErased, 410, "event_erased"},
		"too many":      {event.ErrTooMany, 400, "answer_too_large"},
		"too broad":     {event.ErrTooBroad, 400, "query_too_broad"},
		"away":          {event.ErrUnavailable, 503, "unavailable"},
		"refused":       {&net.OpError{Op: "dial", Err: errors.New("refused at 10.1.2.3")}, 503, "unavailable"},
		"too slow":      {context.DeadlineExceeded, 503, "unavailable"},
		"strange":       {errors.New("pq: secret_table at 10.1.2.3"), 500, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, target := range []string{"GET /v1/events", "GET /v1/stats", "GET /v1/events/acme:1", "POST /v1/events/acme:1/replay", "GET /v1/replays"} {
				d := newDoor(t)
				d.ledger.failing, d.repairs.failing, d.replays.failing = test.err, test.err, test.err
				method, path, _ := strings.Cut(target, " ")
				w := ask(d, method, path)
				requireProblem(t, w.Result(), w.Body.Bytes(), test.status, test.code)
				require.NotContains(t, w.Body.String(), "10.1.2.3")
				require.Equal(t, test.status == 500, len(d.reported) == 1)
				require.Equal(t, test.status >= 500, d.logged() != "")
				requireNoCanary(t, d.logged())
			}
		})
	}
}

func TestAskersThatHangUpAreNotLogged(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.ledger.failing = context.Canceled
	r := httptest.NewRequest("GET", "/v1/events", nil)
	r.Header.Set("Authorization", "Bearer "+canaryToken)
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	serve(d.Ops(), r.WithContext(ctx))
	require.Empty(t, d.logged())
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		headers []string
		author  string
	}{
		"none":            {nil, ""},
		"empty":           {[]string{""}, ""},
		"empty bearer":    {[]string{"Bearer "}, ""},
		"wrong":           {[]string{"Bearer " + canarySecret}, ""},
		"a prefix":        {[]string{"Bearer " + canaryToken[:10]}, ""},
		"longer":          {[]string{"Bearer " + canaryToken + "x"}, ""},
		"basic":           {[]string{"Basic " + canaryToken}, ""},
		"bare":            {[]string{canaryToken}, ""},
		"twice":           {[]string{"Bearer " + canaryToken, "Bearer " + canaryToken}, ""},
		"right":           {[]string{"Bearer " + canaryToken}, "ann"},
		"the first token": {[]string{"Bearer another-token-of-length"}, "first"},
		"lower case":      {[]string{"bearer " + canaryToken}, "ann"},
		"two spaces":      {[]string{"Bearer  " + canaryToken}, "ann"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			r := httptest.NewRequest("POST", "/v1/events/acme:1/replay", nil)
			r.Header["Authorization"] = test.headers
			w := serve(d.Ops(), r)
			require.Equal(t, test.author, d.repairs.author)
			if test.author == "" {
				requireProblem(t, w.Result(), w.Body.Bytes(), 401, "token_invalid")
				require.Equal(t, `Bearer realm="hookflow"`, w.Header().Get("WWW-Authenticate"))
				require.Empty(t, d.repairs.did)
			}
			requireNoCanary(t, d.logged()+w.Body.String())
		})
	}
}

func TestWithoutTokensV1IsClosed(t *testing.T) {
	t.Parallel()
	for _, tokens := range [][]Token{nil, {{Name: "empty"}}} {
		d := newDoor(t, func(o *Options) { o.Tokens = tokens })
		r := httptest.NewRequest("GET", "/v1/events", nil)
		r.Header.Set("Authorization", "Bearer ")
		w := serve(d.Ops(), r)
		requireProblem(t, w.Result(), w.Body.Bytes(), 401, "token_invalid")
		require.Contains(t, w.Body.String(), "HOOKFLOW_API_TOKEN")
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		places []Place
		status int
	}{
		"none":      {nil, 503},
		"both away": {[]Place{{Name: "postgres", Detail: "at 10.1.2.3"}, {Name: "temporal"}}, 503},
		"one":       {[]Place{{Name: "postgres", Detail: "at 10.1.2.3"}, {Name: "temporal", Reachable: true}}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := 0
			d := newDoor(t, func(o *Options) {
				o.Ready = func(ctx context.Context) Readiness {
					_, limited := ctx.Deadline()
					require.True(t, limited)
					looks++
					return Readiness{Places: test.places}
				}
			})
			w := serve(d.Webhooks(), mustGet(t, "/readyz"))
			require.Equal(t, test.status, w.Code)
			require.Equal(t, test.status == 503, w.Header().Get("Retry-After") != "")
			require.NotContains(t, w.Body.String(), "places")
			d.ready.looked = time.Now().Add(time.Hour) // the look stays fresh, however slow this machine is
			w = ask(d, "GET", "/readyz")
			require.Equal(t, test.status, w.Code)
			require.Equal(t, test.places != nil, strings.Contains(w.Body.String(), "postgres"), "a token sees the places")
			require.Equal(t, 1, looks, "a fresh look is not repeated")
			d.ready.looked = time.Time{}
			serve(d.Webhooks(), mustGet(t, "/readyz"))
			require.Equal(t, 2, looks)
		})
	}
}
