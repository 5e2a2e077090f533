package activities_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"
	"hookflow/store"
	"hookflow/telemetry"
	"hookflow/workflows"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

const jsonType = "application/json"

// arrive returns an event as the door hands it on.
func arrive(provider, id, eventType, contentType, body string) event.Event {
	e := event.Event{
		Provider: provider, Scheme: provider, EventID: id, Type: eventType, ReceivedAt: noon,
		ContentType: contentType, Body: []byte(body),
	}
	e.ID = event.ID(e.Key())
	return e
}

func insert(t *testing.T, s *store.Store, e event.Event) {
	t.Helper()
	fresh, err := s.InsertEvents(t.Context(), []store.Arrival{{Event: &e}})
	require.NoError(t, err)
	require.True(t, fresh[e.ID])
}

// room is the mirror on a ledger of its own, its activities called as a worker calls them: input and result pass through
// the data converter, an error through the failure converter.
type room struct {
	*testing.T
	store  *store.Store
	url    string
	mirror *activities.Mirror
	env    *testsuite.TestActivityEnvironment

	mu       sync.Mutex
	failures []telemetry.Failure
	begun    []string
}

func enter(t *testing.T) *room {
	t.Helper()
	r := &room{T: t}
	r.store, r.url = testkit.Store(t, store.Options{})
	r.mirror = &activities.Mirror{
		Store: r.store, Now: clock, Log: silent(), Plan: routed,
		Begun:  func(id string) { r.begun = append(r.begun, id) },
		Failed: func(f telemetry.Failure) { r.failures = append(r.failures, f) },
	}
	r.env = environment(map[string]any{workflows.Begin: r.mirror.Begin, workflows.Finish: r.mirror.Finish})
	return r
}

func environment(named map[string]any) *testsuite.TestActivityEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(testkit.Quiet())
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(30 * time.Second)
	for name, a := range named {
		env.RegisterActivityWithOptions(a, activity.RegisterOptions{Name: name})
	}
	return env
}

// routed gives one step to every type but "unrouted".
func routed(e *event.Event, _ json.RawMessage) routing.Plan {
	if e.Type == "unrouted" {
		return routing.Plan{}
	}
	return routedPlan()
}

func routedPlan() routing.Plan {
	return routing.Plan{Route: "a route", Steps: []routing.Step{{Name: "a", Activity: "thing.Handle"}}}
}

func (r *room) begin(in routing.BeginInput) (routing.BeginResult, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var result routing.BeginResult
	value, err := r.env.ExecuteActivity(workflows.Begin, in)
	if err == nil {
		require.NoError(r, value.Get(&result))
	}
	return result, err
}

func (r *room) finish(in routing.FinishInput) {
	r.Helper()
	_, err := r.env.ExecuteActivity(workflows.Finish, in)
	require.NoError(r, err)
}

func (r *room) find(id string) event.Detail {
	r.Helper()
	d, err := r.store.Find(r.Context(), id)
	require.NoError(r, err)
	return d
}

// run is a run that is not a reset of another.
func run(id string, generation int) event.Run {
	return event.Run{RunID: id, OriginalRunID: id, Generation: generation}
}

// requireFinal asserts an error that no further attempt follows.
func requireFinal(t *testing.T, err error, errorType string) {
	t.Helper()
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Equal(t, errorType, application.Type())
	require.True(t, application.NonRetryable())
}
