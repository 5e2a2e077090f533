package activities_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"
	"hookflow/store"
	"hookflow/workflows"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// town is a namespace whose runs do what their event's type says.
type town struct {
	namespace string
	client    client.Client
}

func settle(t *testing.T) town {
	t.Helper()
	namespace := testkit.Namespace(t)
	c := testkit.Client(t, namespace)
	w := worker.New(c, workflows.TaskQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, e event.Event) error {
		switch e.Type {
		case "completes":
			return nil
		case "fails":
			return errors.New("broken")
		case "waits": // for an activity that no worker has, which is attempted again and again
			options := workflow.ActivityOptions{StartToCloseTimeout: time.Minute}
			return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), "nobody.Works").Get(ctx, nil)
		}
		return workflow.Sleep(ctx, time.Hour)
	}, workflow.RegisterOptions{Name: workflows.Stripe})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return town{namespace, c}
}

// started starts a run of e and returns its id.
func (o town) started(t *testing.T, e event.Event) string {
	t.Helper()
	return o.start(t, e, client.StartWorkflowOptions{}).GetRunID()
}

// start starts a run of e that ends as its type says, and waits for the end unless it is to stay.
func (o town) start(t *testing.T, e event.Event, options client.StartWorkflowOptions) client.WorkflowRun {
	t.Helper()
	options.ID, options.TaskQueue = e.WorkflowID(), workflows.TaskQueue
	run, err := o.client.ExecuteWorkflow(t.Context(), options, workflows.Stripe, e.Ref())
	require.NoError(t, err)
	if e.Type == "completes" || e.Type == "fails" {
		_ = run.Get(t.Context(), nil)
	}
	return run
}

// ended brings a run to its end from outside.
func (o town) ended(t *testing.T, e event.Event, how string) string {
	t.Helper()
	var options client.StartWorkflowOptions
	if how == "timed out" {
		options.WorkflowRunTimeout = time.Second
	}
	run := o.start(t, e, options)
	switch how {
	case "terminated":
		require.NoError(t, o.client.TerminateWorkflow(t.Context(), run.GetID(), run.GetRunID(), "by an operator"))
	case "cancelled":
		require.NoError(t, o.client.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
	}
	_ = run.Get(t.Context(), nil)
	return run.GetRunID()
}

// dispatched writes a row as the dispatcher leaves it: its run was started ten minutes ago.
func dispatched(t *testing.T, s *store.Store, e event.Event) {
	t.Helper()
	insert(t, s, e)
	require.NoError(t, s.MarkDispatched(t.Context(), []event.Event{e.Ref()}, noon))
}

func adopted(t *testing.T, s *store.Store, e event.Event, by event.Run) {
	t.Helper()
	standing, err := s.BeginRun(t.Context(), e.ID, by, store.Beginning{Status: event.Processing}, noon)
	require.NoError(t, err)
	require.True(t, standing.Adopted)
}

// replayed brings a row to generation 1, dispatched, with the run of generation 0 on it.
func replayed(t *testing.T, s *store.Store, e event.Event, old string) {
	t.Helper()
	dispatched(t, s, e)
	adopted(t, s, e, run(old, 0))
	taken, err := s.FinishRun(t.Context(), e.ID, run(old, 0), store.Ending{Status: event.Failed, Error: "first"}, noon)
	require.NoError(t, err)
	require.True(t, taken)
	ref, err := s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
	require.NoError(t, err)
	require.NoError(t, s.MarkDispatched(t.Context(), []event.Event{ref}, noon))
}

func keeper(s *store.Store, c client.Client) *activities.Housekeeping {
	return &activities.Housekeeping{
		Store: s, Temporal: c, WorkflowTypes: workflows.Names(), Log: silent(),
		Now: func() time.Time { return noon.Add(10 * time.Minute) },
	}
}

// keep runs an activity of housekeeping in the test environment, which gives it heartbeats.
func keep(t *testing.T, a any, args ...any) error {
	t.Helper()
	env := environment(map[string]any{"housekeeping": a})
	_, err := env.ExecuteActivity("housekeeping", args...)
	return err
}

// branch is one way in which a row and the newest run of its workflow ID can stand to each other.
type branch struct {
	name      string
	eventType string
	given     func(t *testing.T, s *store.Store, e event.Event)
	status    event.Status
	errorType string
	again     bool // dispatched again
	anew      bool // with a new generation
}

// firstGeneration: the newest run is the row's, if there is one.
func (o town) firstGeneration() []branch {
	adoptedThen := func(runID func(t *testing.T, e event.Event) string) func(*testing.T, *store.Store, event.Event) {
		return func(t *testing.T, s *store.Store, e event.Event) {
			dispatched(t, s, e)
			adopted(t, s, e, run(runID(t, e), 0))
		}
	}
	ended := func(how string) func(*testing.T, *store.Store, event.Event) {
		return adoptedThen(func(t *testing.T, e event.Event) string { return o.ended(t, e, how) })
	}
	started := adoptedThen(o.started)
	return []branch{
		{"Temporal knows no run", "stays", dispatched, event.Pending, "", true, false},
		{"Temporal knows no run any more", "stays", adoptedThen(func(*testing.T, event.Event) string { return "gone" }), event.Pending, "", true, false},
		{"the run is running", "stays", started, event.Processing, "", false, false},
		{"the run waits for a worker", "stays", func(t *testing.T, s *store.Store, e event.Event) {
			dispatched(t, s, e)
			o.started(t, e)
		}, event.Pending, "", false, false},
		{"terminated", "stays", ended("terminated"), event.Failed, "terminated", false, false},
		{"terminated before it began", "stays", func(t *testing.T, s *store.Store, e event.Event) {
			dispatched(t, s, e)
			o.ended(t, e, "terminated")
		}, event.Failed, "terminated", false, false},
		{"cancelled", "stays", ended("cancelled"), event.Failed, routing.Cancelled, false, false},
		{"timed out", "stays", ended("timed out"), event.Failed, "timed_out", false, false},
		{name: "completed, with an open row", eventType: "completes", given: started, status: event.Pending, again: true, anew: true},
		{"failed, with an open row", "fails", started, event.Failed, "", false, false},
	}
}

// laterGenerations: the newest run may be of an older one than the row.
func (o town) laterGenerations() []branch {
	return []branch{
		{"the newest run is an older generation's", "completes", func(t *testing.T, s *store.Store, e event.Event) {
			replayed(t, s, e, o.started(t, e))
		}, event.Pending, "", true, false},
		{"the newest run is an older generation's, and the newer one is lost", "completes", func(t *testing.T, s *store.Store, e event.Event) {
			replayed(t, s, e, o.started(t, e))
			adopted(t, s, e, run("lost", 1))
		}, event.Pending, "", true, false},
		{"the run of a newer generation was terminated", "stays", func(t *testing.T, s *store.Store, e event.Event) {
			replayed(t, s, e, "old")
			adopted(t, s, e, run(o.ended(t, e, "terminated"), 1))
		}, event.Failed, "terminated", false, false},
		{"the run of a newer generation was reset", "completes", func(t *testing.T, s *store.Store, e event.Event) {
			replayed(t, s, e, "old")
			first := o.started(t, e)
			adopted(t, s, e, run(first, 1))
			o.reset(t, e, first)
		}, event.Pending, "", true, true},
	}
}

func TestReconcileOpen(t *testing.T) {
	t.Parallel()
	o := settle(t)
	for _, c := range append(o.firstGeneration(), o.laterGenerations()...) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := testkit.Store(t, store.Options{})
			e := arrive("stripe", strings.ReplaceAll(c.name, " ", "_"), c.eventType, jsonType, thing)
			look := func() event.Detail {
				d, err := s.Find(t.Context(), e.ID)
				require.NoError(t, err)
				return d
			}
			c.given(t, s, e)
			before := look()
			// Visibility may count a run as running for a moment after its end.
			testkit.Eventually(t, func() bool {
				require.NoError(t, keep(t, keeper(s, o.client).ReconcileOpen))
				return look().Status == c.status && (look().DispatchedAt == nil) == c.again
			}, "the row is %s, not %s", look().Status, c.status)
			d := look()
			require.Equal(t, c.anew, d.Generation == before.Generation+1)
			require.Equal(t, !c.anew, d.Generation == before.Generation)
			require.Equal(t, c.again, d.DispatchedAt == nil)
			require.Equal(t, c.status.Final(), d.FinishedAt != nil)
			if c.errorType != "" {
				require.Equal(t, c.errorType, *d.LastErrorType)
			}
			if c.status == before.Status && !c.again {
				require.Equal(t, before, d, "untouched")
			}
			require.NoError(t, keep(t, keeper(s, o.client).ReconcileOpen), "safe to repeat")
			require.Equal(t, d, look())
		})
	}
}

// reset resets a closed run to its first workflow task and waits for the new run to end.
func (o town) reset(t *testing.T, e event.Event, runID string) {
	t.Helper()
	answer, err := o.client.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: o.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: e.WorkflowID(), RunId: runID},
		Reason: "again", RequestId: e.ID, WorkflowTaskFinishEventId: 3,
	})
	require.NoError(t, err)
	require.NoError(t, o.client.GetWorkflow(t.Context(), e.WorkflowID(), answer.RunId).Get(t.Context(), nil))
}

// A row that was dispatched a minute ago is its run's own business yet, and one that was not is the relay's.
func TestReconcileOpen_leavesYoungRows(t *testing.T) {
	t.Parallel()
	s, _ := testkit.Store(t, store.Options{})
	dispatched(t, s, arrive("stripe", "young", "t", jsonType, thing))
	insert(t, s, arrive("stripe", "waiting", "t", jsonType, thing))
	k := keeper(s, nil) // to ask Temporal would be a panic
	k.Now = func() time.Time { return noon.Add(time.Minute) }
	require.NoError(t, keep(t, k.ReconcileOpen))
	k.Now = func() time.Time { return noon.Add(3 * time.Minute) }
	require.Error(t, keep(t, k.ReconcileOpen), "two minutes later it is looked up")
}

// mover moves a row between the look at its run and the write: Finish and replay do not wait for reconcile.
type mover struct {
	client.Client
	move func()
}

func (m mover) DescribeWorkflowExecution(ctx context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	found, err := m.Client.DescribeWorkflowExecution(ctx, id, runID)
	m.move()
	return found, err
}

func TestReconcileOpen_movedMeanwhile(t *testing.T) {
	t.Parallel()
	o := settle(t)
	for name, c := range map[string]struct {
		ended string // how the run that reconcile sees ended; "" for no run
		move  func(t *testing.T, s *store.Store, e event.Event, by event.Run)
	}{
		"Finish came": {"terminated", func(t *testing.T, s *store.Store, e event.Event, by event.Run) {
			_, err := s.FinishRun(t.Context(), e.ID, by, store.Ending{Status: event.Completed}, noon)
			require.NoError(t, err)
		}},
		"Finish and a replay came": {"terminated", func(t *testing.T, s *store.Store, e event.Event, by event.Run) {
			_, err := s.FinishRun(t.Context(), e.ID, by, store.Ending{Status: event.Completed}, noon)
			require.NoError(t, err)
			_, err = s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
			require.NoError(t, err)
			adopted(t, s, e, run("newer", 1))
		}},
		"a lost run was found": {"", func(t *testing.T, s *store.Store, e event.Event, by event.Run) {
			_, err := s.FinishRun(t.Context(), e.ID, by, store.Ending{Status: event.Failed, Error: "broken"}, noon)
			require.NoError(t, err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := testkit.Store(t, store.Options{})
			e, by := arrive("stripe", strings.ReplaceAll("moved "+name, " ", "_"), "stays", jsonType, thing), run("lost", 0)
			dispatched(t, s, e)
			if c.ended != "" {
				by = run(o.ended(t, e, c.ended), 0)
			}
			adopted(t, s, e, by)
			var moved event.Detail
			k := keeper(s, mover{o.client, func() {
				c.move(t, s, e, by)
				var err error
				moved, err = s.Find(t.Context(), e.ID)
				require.NoError(t, err)
			}})
			require.NoError(t, keep(t, k.ReconcileOpen))
			after, err := s.Find(t.Context(), e.ID)
			require.NoError(t, err)
			require.Equal(t, moved, after)
		})
	}
}

// Runs that an operator ended are read from visibility, so that their events are not open for two minutes.
func TestReconcileClosed(t *testing.T) {
	t.Parallel()
	o := settle(t)
	s, _ := testkit.Store(t, store.Options{})
	want := map[string]string{}
	for _, how := range []string{"terminated", "cancelled", "timed out"} {
		e := arrive("stripe", strings.ReplaceAll("closed "+how, " ", "_"), "stays", jsonType, thing)
		insert(t, s, e)
		adopted(t, s, e, run(o.ended(t, e, how), 0))
		want[e.ID] = map[string]string{"terminated": "terminated", "cancelled": routing.Cancelled, "timed out": "timed_out"}[how]
	}
	final := arrive("stripe", "closed_final", "stays", jsonType, thing)
	insert(t, s, final)
	by := run(o.ended(t, final, "terminated"), 0)
	adopted(t, s, final, by)
	_, err := s.FinishRun(t.Context(), final.ID, by, store.Ending{Status: event.Completed}, noon)
	require.NoError(t, err)
	o.ended(t, arrive("stripe", "closed_unknown", "stays", jsonType, thing), "terminated") // no row at all

	k := keeper(s, o.client)
	k.Now = time.Now
	began := time.Now()
	var watermark time.Time
	testkit.Eventually(t, func() bool {
		env := environment(map[string]any{"closed": k.ReconcileClosed})
		value, err := env.ExecuteActivity("closed", watermark)
		require.NoError(t, err)
		require.NoError(t, value.Get(&watermark))
		for id, errorType := range want {
			d, err := s.Find(t.Context(), id)
			require.NoError(t, err)
			if d.Status != event.Failed || *d.LastErrorType != errorType {
				return false
			}
		}
		return true
	}, "the rows of ended runs are failed")
	require.False(t, watermark.Before(began.Truncate(0)), "the next reading goes on from here")
	d, err := s.Find(t.Context(), final.ID)
	require.NoError(t, err)
	require.Equal(t, event.Completed, d.Status, "a completed row stays completed")
}
