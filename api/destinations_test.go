package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// fakeDestinations knows one destination and remembers what was asked of it.
type fakeDestinations struct{ asked string }

func (f *fakeDestinations) ListDestinations(context.Context) ([]event.Destination, error) {
	if f.asked == "away" {
		return nil, event.ErrUnavailable
	}
	return []event.Destination{{Name: "billing", State: event.Running}}, nil
}

func (f *fakeDestinations) PauseDestination(_ context.Context, name, author, reason string) (event.Destination, error) {
	f.asked = "pause " + name + " by " + author + ": " + reason
	return f.found(name, event.Paused)
}

func (f *fakeDestinations) ResumeDestination(_ context.Context, name, author string) (event.Destination, error) {
	f.asked = "resume " + name + " by " + author
	return f.found(name, event.Running)
}

func (f *fakeDestinations) found(name string, state event.DestinationState) (event.Destination, error) {
	if name != "billing" {
		return event.Destination{}, event.ErrNoDestination
	}
	return event.Destination{Name: name, State: state}, nil
}

func TestDestinations(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	w := ask(d, "GET", "/v1/destinations")
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{"destinations":[{"name":"billing","state":"running","url":null,"task_queue":"","waiting":null,"rate_limit":null,
		"concurrency":null,"paused_at":null,"paused_by":null,"pause_reason":null,"failures":0,"opened_at":null,"retry_at":null,
		"last_failure":null,"last_failure_at":null}]}`, w.Body.String())

	w = ask(d, "POST", "/v1/destinations/billing/pause")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), `"state":"paused"`)
	require.Equal(t, "pause billing by ann: ", d.destinations.asked)
	w = tell(d, "POST", "/v1/destinations/billing/pause", `{"reason":"they migrate"}`)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "pause billing by ann: they migrate", d.destinations.asked)
	w = ask(d, "POST", "/v1/destinations/billing/resume")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "resume billing by ann", d.destinations.asked)
}

func TestDestinations_refused(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	w := ask(d, "POST", "/v1/destinations/biling/pause")
	requireProblem(t, w.Result(), w.Body.Bytes(), 404, "destination_unknown")
	w = tell(d, "POST", "/v1/destinations/billing/pause", `{"why":"x"}`)
	requireProblem(t, w.Result(), w.Body.Bytes(), 400, "body_invalid")
	w = tell(d, "POST", "/v1/destinations/billing/pause", `{"reason":"`+strings.Repeat("x", 501)+`"}`)
	requireProblem(t, w.Result(), w.Body.Bytes(), 400, "body_invalid")
	w = ask(d, "POST", "/v1/destinations/billing/halt")
	requireProblem(t, w.Result(), w.Body.Bytes(), 404, "path_unknown")
	w = ask(d, "GET", "/v1/destinations/billing/pause")
	requireProblem(t, w.Result(), w.Body.Bytes(), 405, "method_not_allowed")
	d.destinations.asked = "away"
	w = ask(d, "GET", "/v1/destinations")
	requireProblem(t, w.Result(), w.Body.Bytes(), 503, "unavailable")
}

// What no name and no reason can be never reaches the ledger, which would fail over it.
func TestDestinations_odd(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, verb := range []string{"pause", "resume"} {
		for _, name := range []string{"%00", "a%00b", "%ff", "%c2%9b", strings.Repeat("a", 1100)} {
			require.Equal(t, http.StatusNotFound, ask(d, "POST", "/v1/destinations/"+name+"/"+verb).Code, name)
		}
	}
	require.Empty(t, d.destinations.asked)
	for _, reason := range []string{`a\u0000`, `\u001b[2J`, `\u009b`} {
		require.Equal(t, http.StatusBadRequest, tell(d, "POST", "/v1/destinations/billing/pause", `{"reason":"`+reason+`"}`).Code, reason)
	}
}
