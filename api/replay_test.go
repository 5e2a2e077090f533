package api

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// fakeRepairs remembers what was asked of it.
type fakeRepairs struct {
	did     string // "replay from failure", "retry", "cancel"
	asked   string
	author  string
	failing error
}

func (r *fakeRepairs) do(what, id, author string) (event.Record, error) {
	r.did, r.asked, r.author = what, id, author
	return event.Record{Provider: "acme"}, r.failing
}

func (r *fakeRepairs) Replay(_ context.Context, id string, from event.From, author string) (event.Record, error) {
	return r.do("replay from "+string(from), id, author)
}

func (r *fakeRepairs) Retry(_ context.Context, id, author string) (event.Record, error) {
	return r.do("retry", id, author)
}

func (r *fakeRepairs) Erase(_ context.Context, id, author string) (event.Erasure, error) {
	_, err := r.do("erase", id, author)
	return event.Erasure{ID: id, Key: "acme:1", Content: true, Histories: 2}, err
}

func (r *fakeRepairs) Cancel(_ context.Context, id, author string) (event.Record, error) {
	return r.do("cancel", id, author)
}

// tell sends a request with a body to /v1 with the token of ann.
func tell(d *door, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+canaryToken)
	return serve(d.Ops(), r)
}

func TestActionPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v1/events/acme:evt_1/replay":      "acme:evt_1",
		"/v1/events/acme:a/b/replay":        "acme:a/b",
		"/v1/events/acme:a%2Fb/replay":      "acme:a/b",
		"/v1/events/acme:a/replay/replay":   "acme:a/replay",
		"/v1/events/acme:a%2Freplay/replay": "acme:a/replay",
		"/v1/events/acme:a/cancel/retry":    "acme:a/cancel",
		"/v1/events/acme:a/retry/cancel":    "acme:a/retry",
		"/v1/events/acme:a/cancel":          "acme:a",
	} {
		d := newDoor(t)
		w := ask(d, "POST", path)
		require.Equal(t, 202, w.Code, path)
		require.Contains(t, w.Body.String(), `"provider":"acme"`)
		require.Equal(t, event.ID(want), d.repairs.asked, path)
		verb := path[strings.LastIndex(path, "/")+1:]
		require.True(t, strings.HasPrefix(d.repairs.did, verb), "%s did %s", path, d.repairs.did)
		require.Equal(t, "ann", d.repairs.author)
	}
	for path, status := range map[string]int{
		"/v1/events/acme:evt_1":          405,
		"/v1/events/acme:evt_1/":         405,
		"/v1/events/acme:evt_1%2Freplay": 405,
		"/v1/events/acme:evt_1/replay/":  405,
		"/v1/events/acme:evt_1/%72eplay": 405,
		"/v1/events/acme:evt_1/xreplay":  405,
		"/v1/events/acme:evt_1/Retry":    405,
		"/v1/events/replay":              404,
		"/v1/events//replay":             404,
		"/v1/events//cancel":             404,
		"/v1/events/acme:%00/replay":     404,
	} {
		d := newDoor(t)
		w := ask(d, "POST", path)
		require.Equal(t, status, w.Code, path)
		require.Equal(t, status == 405, w.Header().Get("Allow") == "GET", path)
		require.Empty(t, d.repairs.did)
	}
}

func TestReplayFrom(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"":                    "failure",
		"{}":                  "failure",
		`{"from":"failure"}`:  "failure",
		` {"from":"start"} `:  "start",
		`{"from":""}`:         "failure",
		`{"from":"begin"}`:    `none of [failure start]: \"begin\"`,
		`{"from":7}`:          "the field from cannot be a number; its fields are: from",
		`{"form":"start"}`:    `unknown field \"form\"; its fields are: from`,
		`["start"]`:           "not a JSON object",
		`{"from":"start"`:     "ends too soon",
		`{"from":"start"} {}`: "more than one",
		"from=start":          "cannot be read",
	} {
		d := newDoor(t)
		w := tell(d, "POST", "/v1/events/acme:1/replay", body)
		if want == "failure" || want == "start" {
			require.Equal(t, 202, w.Code, body)
			require.Equal(t, "replay from "+want, d.repairs.did)
			continue
		}
		requireProblem(t, w.Result(), w.Body.Bytes(), 400, "body_invalid")
		require.Contains(t, w.Body.String(), want)
		require.Empty(t, d.repairs.did)
	}
	w := tell(newDoor(t), "POST", "/v1/events/acme:1/replay", `{"from":"`+strings.Repeat("x", maxJSON)+`"}`)
	requireProblem(t, w.Result(), w.Body.Bytes(), 413, "body_too_large")
}
