package api

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// fakeReplays remembers what was asked of it.
type fakeReplays struct {
	request event.ReplayRequest
	steered string
	preview bool
	failing error
}

func (r *fakeReplays) PreviewReplay(_ context.Context, f event.Filter) (event.ReplayPreview, error) {
	r.preview, r.request.Match = true, f
	return event.ReplayPreview{Matched: 7, Sample: []event.Record{}}, r.failing
}

func (r *fakeReplays) CreateReplay(_ context.Context, request event.ReplayRequest) (event.Replay, error) {
	r.request = request
	return event.Replay{State: event.ReplayRunning, Matched: 7, Filter: request.Filter}, r.failing
}

func (r *fakeReplays) ListReplays(context.Context, int) ([]event.Replay, error) {
	return nil, r.failing
}

func (r *fakeReplays) FindReplay(_ context.Context, id string) (event.Replay, error) {
	return event.Replay{ID: id, Filter: json.RawMessage("{}")}, r.failing
}

func (r *fakeReplays) SteerReplay(_ context.Context, id string, to event.ReplayState, author string) (event.Replay, error) {
	r.steered = author + " " + string(to) + " " + id
	return event.Replay{ID: id, State: to, Filter: json.RawMessage("{}")}, r.failing
}

func TestReplayIsAskedFor(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	w := tell(d, "POST", "/v1/replays", `{"filter":{"status":"failed","type":"checkout.*","since":"2h","q":{"a":1}},"from":"start","rate":12.5}`)
	require.Equal(t, 201, w.Code, w.Body.String())
	require.Equal(t, "ann", d.replays.request.Author)
	require.Equal(t, event.FromStart, d.replays.request.From)
	require.Equal(t, 12.5, d.replays.request.Rate)
	require.Equal(t, event.Failed, d.replays.request.Match.Status)
	require.Equal(t, noon.Add(-2*time.Hour), d.replays.request.Match.Since)
	require.JSONEq(t, `{"a":1}`, string(d.replays.request.Match.Contains))
	require.JSONEq(t, `{"status":"failed","type":"checkout.*","since":"2026-03-01T10:00:00Z","q":"{\"a\":1}"}`, string(d.replays.request.Filter))

	w = tell(d, "POST", "/v1/replays", `{"filter":{"q":"{\"b\":2}"},"dry_run":true}`)
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"matched":7,"sample":[]}`, w.Body.String())
	require.True(t, d.replays.preview)
	require.JSONEq(t, `{"b":2}`, string(d.replays.request.Match.Contains))

	w = tell(d, "POST", "/v1/replays", `{"filter":{"error_type":"Outage","error":"out of order"}}`)
	require.Equal(t, 201, w.Code, w.Body.String())
	require.Equal(t, "Outage", d.replays.request.Match.ErrorType)
	require.Equal(t, "out of order", d.replays.request.Match.Error)
}

func TestReplayThatCannotBe(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][2]string{
		"":                                      {"body_invalid", "filter is missing"},
		`{"filter":null}`:                       {"body_invalid", "filter is missing"},
		`{"filter":{"order":"oldest"}}`:         {"body_invalid", `no filter \"order\"; there are account, error`},
		`{"filter":{"limit":"5"}}`:              {"body_invalid", `no filter \"limit\"; there are account, error`},
		`{"filter":{"status":["failed"]}}`:      {"body_invalid", "filter status is not a string"},
		`{"filter":{"q":null}}`:                 {"body_invalid", "filter q is not a string"},
		`{"filter":{"status":"processing"}}`:    {"body_invalid", "not processing ones"},
		`{"filter":{"status":"broken"}}`:        {"query_invalid", "status"},
		`{"filter":{"since":"yesterday"}}`:      {"query_invalid", "since"},
		`{"filter":{},"rate":0}`:                {"body_invalid", "rate"},
		`{"filter":{},"rate":1e9}`:              {"body_invalid", "rate"},
		`{"filter":{},"from":"middle"}`:         {"body_invalid", "from"},
		`{"filter":{},"dryrun":true}`:           {"body_invalid", "its fields are: filter, from, rate, dry_run"},
		`{"filter":{"provider":"a","type":""}}`: {"query_invalid", "type"},
	} {
		d := newDoor(t)
		w := tell(d, "POST", "/v1/replays", body)
		requireProblem(t, w.Result(), w.Body.Bytes(), 400, want[0])
		require.Contains(t, w.Body.String(), want[1], body)
		require.Zero(t, d.replays.request.Author, body)
	}
}

func TestReplaysAreShownAndSteered(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	require.JSONEq(t, `{"replays":[]}`, ask(d, "GET", "/v1/replays").Body.String())
	id := event.ID("any")
	require.Contains(t, ask(d, "GET", "/v1/replays/"+id).Body.String(), id)
	for verb, state := range map[string]event.ReplayState{"pause": event.ReplayPaused, "resume": event.ReplayRunning, "stop": event.ReplayStopped} {
		w := ask(d, "POST", "/v1/replays/"+id+"/"+verb)
		require.Equal(t, 200, w.Code)
		require.Equal(t, "ann "+string(state)+" "+id, d.replays.steered)
	}
	w := ask(d, "GET", "/v1/replays/nonsense")
	requireProblem(t, w.Result(), w.Body.Bytes(), 404, "replay_unknown")
	w = ask(d, "POST", "/v1/replays/"+id)
	requireProblem(t, w.Result(), w.Body.Bytes(), 405, "method_not_allowed")
	w = ask(d, "POST", "/v1/replays/"+id+"/hasten")
	requireProblem(t, w.Result(), w.Body.Bytes(), 404, "path_unknown")
}
