package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"hookflow/event"
)

const testToken = "0123456789abcdef"

// fakeLedger is a /v1 with events in memory, newest first.
type fakeLedger struct {
	*httptest.Server

	mu      sync.Mutex
	events  []event.Record
	asked   []url.Values
	refusal string // answered instead of everything, where set
}

func newFakeLedger(t *testing.T, events ...event.Record) *fakeLedger {
	t.Helper()
	l := &fakeLedger{events: events}
	l.Server = httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.Close)
	return l
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "detail": detail, "status": status})
}

func (l *fakeLedger) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id, erased := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/events/"), "/content"); erased && r.Method == http.MethodDelete {
		l.erase(w, id)
		return
	}
	switch id, isReplay := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/events/"), "/replay"); {
	case r.Header.Get("Authorization") != "Bearer "+testToken:
		problem(w, http.StatusUnauthorized, "the token is missing or wrong")
	case l.refusal != "":
		problem(w, http.StatusServiceUnavailable, l.refusal)
	case r.URL.Path == "/v1/stats":
		l.asked = append(l.asked, r.URL.Query())
		failed, stripe := event.Failed, "stripe"
		_ = json.NewEncoder(w).Encode(map[string]any{"buckets": []event.Bucket{{Start: record(0, "", "", "").ReceivedAt, Provider: &stripe, Status: &failed, Count: 12}}})
	case r.URL.Path == "/v1/events":
		l.asked = append(l.asked, r.URL.Query())
		l.list(w, r.URL.Query())
	case isReplay && r.Method == http.MethodPost:
		l.replay(w, id)
	default:
		l.show(w, id)
	}
}

func (l *fakeLedger) list(w http.ResponseWriter, q url.Values) {
	from, _ := strconv.Atoi(q.Get("cursor"))
	limit, _ := strconv.Atoi(q.Get("limit"))
	to := min(from+limit, len(l.events))
	answer := page{Events: l.events[from:to]}
	if to < len(l.events) {
		next := strconv.Itoa(to)
		answer.NextCursor = &next
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (l *fakeLedger) show(w http.ResponseWriter, id string) {
	for _, e := range l.events {
		if e.ID == id {
			kind := "application/json"
			_ = json.NewEncoder(w).Encode(event.Detail{
				Record: e, ContentType: &kind, Body: []byte(`{"a":1}`), Payload: json.RawMessage(`{"a":1}`),
				Steps: []event.StepRecord{{Step: "record", Status: event.Completed, Attempts: 2}},
			})
			return
		}
	}
	problem(w, http.StatusNotFound, "there is no such event")
}

func (l *fakeLedger) replay(w http.ResponseWriter, id string) {
	for i := range l.events {
		e := &l.events[i]
		switch {
		case e.ID != id:
		case !e.Status.Final():
			problem(w, http.StatusConflict, "the event is still processing")
			return
		default:
			e.Status, e.Generation = event.Pending, e.Generation+1
			w.WriteHeader(http.StatusAccepted)
			_ = json.NewEncoder(w).Encode(e)
			return
		}
	}
	problem(w, http.StatusNotFound, "there is no such event")
}

// erase knows the events that show does; those that are not final are refused.
func (l *fakeLedger) erase(w http.ResponseWriter, id string) {
	for _, e := range l.events {
		if e.ID == id && e.Status.Final() {
			_ = json.NewEncoder(w).Encode(event.Erasure{ID: id, Key: event.Key(e.Provider, e.EventID), Content: true, Histories: 1})
			return
		}
	}
	problem(w, http.StatusConflict, "the event is still processing")
}

// put adds an event as the newest, or changes one.
func (l *fakeLedger) put(e event.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.events {
		if l.events[i].ID == e.ID {
			l.events[i] = e
			return
		}
	}
	l.events = append([]event.Record{e}, l.events...)
}

func (l *fakeLedger) refuse(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusal = why
}

func (l *fakeLedger) questions() []url.Values {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]url.Values(nil), l.asked...)
}

// record is the n-th event; higher numbers are newer.
func record(n int, typ, eventID string, status event.Status) event.Record {
	return event.Record{
		ID: event.ID(event.Key("stripe", eventID)), Provider: "stripe", Scheme: "stripe", EventID: eventID, EventType: typ,
		Status: status, WorkflowID: event.WorkflowID("stripe", eventID),
		ReceivedAt: time.Date(2026, 3, 4, 5, 0, n, 123456789, time.FixedZone("", 3600)),
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t,
		record(2, "checkout.session.async_payment_succeeded", "evt_1Pgc76B7WZ01zgkWwyRHS12y", event.Processing),
		record(1, "invoice.paid", strings.Repeat("x", 60), event.Failed))
	got := execute(t, newEventsCommand, nil, "list", "--url", l.URL, "--token", testToken)
	require.NoError(t, got.err)
	require.Equal(t, `RECEIVED              STATUS      TYPE                          EVENT
2026-03-04T04:00:02Z  processing  checkout.session.async_paym…  stripe:evt_1Pgc76B7WZ01zgkWwyRHS12y
2026-03-04T04:00:01Z  failed      invoice.paid                  `+event.ID("stripe:"+strings.Repeat("x", 60))+"\n", got.stdout)
	for line := range strings.Lines(got.stdout) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), tableWidth+1)
	}
	require.Empty(t, got.stderr)
}

func TestListPassesTheFilters(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t, record(2, "a", "evt_2", event.Completed), record(1, "a", "evt_1", event.Completed))
	vars := map[string]string{"HOOKFLOW_API_TOKEN": "me:" + testToken, "HOOKFLOW_OPS_ADDR": strings.TrimPrefix(l.URL, "http://")}
	got := execute(t, newEventsCommand, vars, "list", "--provider", "stripe", "--type", "checkout.*", "--status", "failed",
		"--account", "acct_1", "--q", `{"a":1}`, "--since", "2h", "--until", "1h", "--limit", "1")
	require.NoError(t, got.err)
	require.Equal(t, "more: --cursor 1\n", got.stderr)
	require.Equal(t, url.Values{
		"provider": {"stripe"}, "type": {"checkout.*"}, "status": {"failed"}, "account": {"acct_1"}, "q": {`{"a":1}`},
		"since": {"2h"}, "until": {"1h"}, "limit": {"1"},
	}, l.questions()[0])

	last := execute(t, newEventsCommand, vars, "list", "--limit", "1", "--cursor", "1")
	require.NoError(t, last.err)
	require.Contains(t, last.stdout, "stripe:evt_1\n")
	require.Empty(t, last.stderr)
}

func TestListAsJSON(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t, record(1, "a", "evt_1", event.Completed))
	got := execute(t, newEventsCommand, nil, "list", "--url", l.URL, "--token", testToken, "--output", "json")
	require.NoError(t, got.err)
	var answer map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &answer))
	require.Len(t, answer["events"], 1)
	require.Contains(t, answer, "next_cursor")
}

func TestListOfNothing(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t)
	got := execute(t, newEventsCommand, nil, "list", "--url", l.URL, "--token", testToken)
	require.NoError(t, got.err)
	require.Empty(t, got.stdout)
	require.Equal(t, "no events match\n", got.stderr)
}

func TestShow(t *testing.T) {
	t.Parallel()
	e := record(1, "invoice.paid", "evt/1", event.Failed)
	why := "no\x1b[2Jroom\nleft"
	e.LastError, e.BodyMasked = &why, true
	l := newFakeLedger(t, e)
	for _, name := range []string{e.ID, "stripe:evt/1"} {
		got := execute(t, newEventsCommand, nil, "show", name, "--url", l.URL, "--token", testToken)
		require.NoError(t, got.err)
		require.Contains(t, got.stdout, "key            stripe:evt/1\n")
		require.Contains(t, got.stdout, "error          no\\u001b[2Jroom\\u000aleft\n", "a terminal obeys nothing of it")
		require.Contains(t, got.stdout, "record                            completed          2  -")
		require.Contains(t, got.stdout, "payload (application/json, 7 bytes, credentials masked)\n{\n  \"a\": 1\n}\n")
		require.NotContains(t, got.stdout, "account")
	}
	asJSON := execute(t, newEventsCommand, nil, "show", e.ID, "--url", l.URL, "--token", testToken, "-o", "json")
	require.NoError(t, asJSON.err)
	require.Contains(t, asJSON.stdout, `"body": "eyJhIjoxfQ=="`)
}

func TestShowSaysWhereTheContentIs(t *testing.T) {
	t.Parallel()
	for want, detail := range map[string]event.Detail{
		"payload: not decoded yet, the run has not begun; the body has 3 bytes": {Body: []byte("abc"), Payload: json.RawMessage("null")},
		"payload: erased": {},
	} {
		var out output
		printDetail(&out, false, detail)
		require.Contains(t, out.String(), want)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t, record(2, "a", "evt_2", event.Failed), record(1, "a", "evt_1", event.Completed))
	got := execute(t, newReplayCommand, nil, "stripe:evt_2", "--url", l.URL, "--token", testToken)
	require.NoError(t, got.err)
	require.Regexp(t, `^stripe:evt_2 runs again: generation 1, status pending\nlook at it with: HOOKFLOW_DATA_DIR=\S+ hookflow events show stripe:evt_2\n$`, got.stdout)

	again := execute(t, newReplayCommand, nil, "stripe:evt_2", "--url", l.URL, "--token", testToken)
	require.EqualError(t, again.err, "409: the event is still processing")
	require.Equal(t, exitFailed, again.code)

	asJSON := execute(t, newReplayCommand, nil, "stripe:evt_1", "--url", l.URL, "--token", testToken, "-o", "json")
	require.NoError(t, asJSON.err)
	require.Contains(t, asJSON.stdout, `"generation": 1`)
}

func TestWhatV1Refuses(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t)
	none := execute(t, newEventsCommand, nil, "list", "--url", l.URL)
	require.EqualError(t, none.err, "401: the token is missing or wrong (no token was sent: set HOOKFLOW_API_TOKEN or --token)")
	require.Equal(t, exitFailed, none.code)

	wrong := execute(t, newEventsCommand, nil, "show", "x", "--url", l.URL, "--token", "wrong")
	require.ErrorContains(t, wrong.err, "401: the token is missing or wrong (127.0.0.1:")
	require.ErrorContains(t, wrong.err, "does not take this token: is another server meant?")

	unknown := execute(t, newEventsCommand, nil, "show", "stripe:evt_1", "--url", l.URL, "--token", testToken)
	require.EqualError(t, unknown.err, "404: there is no such event")

	l.refuse("Postgres is away")
	away := execute(t, newEventsCommand, nil, "list", "--url", l.URL, "--token", testToken, "-o", "json")
	require.EqualError(t, away.err, "503: Postgres is away")
	require.Equal(t, exitFailed, away.code)

	l.Close()
	gone := execute(t, newReplayCommand, nil, "stripe:evt_1", "--url", l.URL, "--token", testToken)
	require.ErrorContains(t, gone.err, "start it with make dev")
}

func TestAnswersThatAreNotV1(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	t.Cleanup(other.Close)
	got := execute(t, newEventsCommand, nil, "list", "--url", other.URL)
	require.ErrorContains(t, got.err, "is not /v1's JSON; is --url right?")
	asJSON := execute(t, newEventsCommand, nil, "list", "--url", other.URL, "-o", "json")
	require.EqualError(t, asJSON.err, "the answer is not JSON")

	bare := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(bare.Close)
	plain := execute(t, newEventsCommand, nil, "list", "--url", bare.URL)
	require.EqualError(t, plain.err, "404: not found")
}

// startTail runs "events tail" until the test ends, and returns what it writes.
func startTail(t *testing.T, l *fakeLedger, args ...string) (stdout, stderr *output) {
	t.Helper()
	env, stdout, stderr := testEnvironment(t, nil)
	cmd := newEventsCommand(env)
	cmd.SetArgs(append([]string{"tail", "--url", l.URL, "--token", testToken, "--interval", "1ms"}, args...))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended, "Ctrl-C is how tail ends")
	})
	return stdout, stderr
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, time.Millisecond)
}

func TestTailFollows(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t, record(3, "a", "evt_3", event.Completed), record(2, "a", "evt_2", event.Completed), record(1, "a", "evt_1", event.Failed))
	stdout, stderr := startTail(t, l, "--lines", "2", "--provider", "stripe")
	eventually(t, func() bool { return strings.Count(stdout.String(), "\n") == 2 })

	l.put(record(4, "a", "evt_4", event.Pending))
	eventually(t, func() bool { return strings.Contains(stdout.String(), "pending") })
	l.put(record(4, "a", "evt_4", event.Completed))
	eventually(t, func() bool { return strings.Count(stdout.String(), "\n") == 4 })

	var shown []string
	for line := range strings.Lines(stdout.String()) {
		fields := strings.Fields(line)
		shown = append(shown, fields[1]+" "+fields[3])
	}
	require.Equal(t, []string{
		"completed stripe:evt_2", "completed stripe:evt_3", "pending stripe:evt_4", "completed stripe:evt_4",
	}, shown)
	require.Empty(t, stderr.String())
	for _, asked := range l.questions() {
		require.Equal(t, "stripe", asked.Get("provider"))
	}
}

// A restart of the server is what one watches with tail: it says so once and goes on.
func TestTailWaitsForTheServer(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t, record(1, "a", "evt_1", event.Completed))
	stdout, stderr := startTail(t, l, "--output", "json")
	eventually(t, func() bool { return strings.Contains(stdout.String(), `"event_id":"evt_1"`) })

	l.refuse("Postgres is away")
	eventually(t, func() bool { return stderr.String() != "" })
	l.put(record(2, "a", "evt_2", event.Pending))
	l.refuse("")
	eventually(t, func() bool { return strings.Contains(stdout.String(), `"event_id":"evt_2"`) })
	require.Equal(t, "503: Postgres is away; waiting for it\n", stderr.String())
}

// More new events than one page holds.
func TestTailReadsTheWholeWindow(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t)
	stdout, _ := startTail(t, l, "--lines", "0")
	eventually(t, func() bool { return len(l.questions()) > 0 })
	l.mu.Lock()
	for n := range 2*tailPage + 1 {
		e := record(0, "a", fmt.Sprintf("evt_%03d", n), event.Pending)
		e.ReceivedAt = e.ReceivedAt.Add(time.Duration(n) * time.Millisecond)
		l.events = append([]event.Record{e}, l.events...)
	}
	l.mu.Unlock()
	eventually(t, func() bool { return strings.Count(stdout.String(), "\n") == 2*tailPage+1 })
	require.Contains(t, strings.Split(stdout.String(), "\n")[0], "evt_000")

	l.mu.Lock()
	for i := range l.events[tailPage:] { // the older ones end, and nothing of the newest page changes
		l.events[tailPage+i].Status = event.Completed
	}
	l.mu.Unlock()
	eventually(t, func() bool { return strings.Count(stdout.String(), "completed") == tailPage+1 })
}

func TestTailEndsWhenItIsRefused(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t)
	got := execute(t, newEventsCommand, nil, "tail", "--url", l.URL, "--token", "wrong")
	require.ErrorContains(t, got.err, "401: the token is missing or wrong (")
}

func TestReady(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	vars := map[string]string{"HOOKFLOW_HTTP_ADDR": strings.TrimPrefix(server.URL, "http://")}
	require.Equal(t, "ready\n", execute(t, newReadyCommand, vars).stdout)

	status = http.StatusServiceUnavailable
	got := execute(t, newReadyCommand, vars)
	require.ErrorContains(t, got.err, "/readyz answers 503")
	require.Equal(t, exitFailed, got.code)
}
