package intake_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/intake"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"
)

// While Temporal is away, an event that waits for it can be cancelled, and is not run when Temporal is back.
func TestCancelWhileTemporalIsAway(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.temporalProxy.Refuse()
	e, other := webhook("evt_1"), webhook("evt_2")
	b.accept(t, e)
	b.accept(t, other)
	require.NoError(t, b.Cancel(t.Context(), e.ID, "ann"))
	require.Equal(t, 1, b.rows(t, "status = 'failed' AND last_error_type = 'cancelled' AND event_id = 'evt_1'"))
	require.ErrorIs(t, b.Cancel(t.Context(), e.ID, "ann"), event.ErrFinal)
	require.ErrorIs(t, b.Retry(t.Context(), e.ID, "ann"), event.ErrFinal)
	require.ErrorIs(t, b.Cancel(t.Context(), event.ID("none"), "ann"), event.ErrNotFound)
	require.ErrorIs(t, b.Retry(t.Context(), event.ID("none"), "ann"), event.ErrNotFound)
	b.temporalProxy.Heal()
	testkit.Eventually(t, func() bool { return b.started(t, other) }, "the other is not started")
	require.Equal(t, 1, b.rows(t, "status = 'failed' AND event_id = 'evt_1'"))
}

// A start that was put off is made when an operator says so.
func TestRetryStartsWhatWasPutOff(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.temporalProxy.Refuse()
	e := webhook("evt_1")
	b.accept(t, e)
	testkit.Eventually(t, func() bool { return b.rows(t, "next_dispatch_at IS NOT NULL") == 1 }, "not tried")
	b.temporalProxy.Heal()
	testkit.Exec(t, b.url, `UPDATE webhook_events SET next_dispatch_at = now() + interval '1 day', lease_until = NULL`)
	require.NoError(t, b.Retry(t.Context(), e.ID, "ann"))
	testkit.Eventually(t, func() bool { return b.started(t, e) }, "not started")
	b.postgresProxy.Refuse()
	require.ErrorIs(t, b.Retry(t.Context(), e.ID, "ann"), event.ErrUnavailable)
	require.ErrorIs(t, b.Cancel(t.Context(), e.ID, "ann"), event.ErrUnavailable)
}

// old is a Temporal server from before activities could be paused.
type old struct{ client.Client }

func (o old) WorkflowService() workflowservice.WorkflowServiceClient {
	return oldService{o.Client.WorkflowService()}
}

type oldService struct {
	workflowservice.WorkflowServiceClient
}

func (oldService) PauseActivity(context.Context, *workflowservice.PauseActivityRequest, ...grpc.CallOption) (*workflowservice.PauseActivityResponse, error) {
	return nil, serviceerror.NewUnimplemented("unknown method PauseActivity")
}

// workshop is a ledger and a namespace whose runs sleep, or wait for an activity that no worker has: it fails at once and
// is attempted again and again.
type workshop struct {
	client    client.Client
	namespace string
	store     *store.Store
	url       string
}

func openWorkshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{namespace: testkit.Namespace(t)}
	w.client = testkit.Client(t, w.namespace)
	w.store, w.url = testkit.Store(t, store.Options{})
	hands := worker.New(w.client, "hookflow", worker.Options{})
	hands.RegisterWorkflowWithOptions(func(ctx workflow.Context, e event.Event) error {
		if e.Type == "sleeps" {
			return workflow.Sleep(ctx, time.Hour)
		}
		options := workflow.ActivityOptions{StartToCloseTimeout: time.Minute}
		return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), "waits").Get(ctx, nil)
	}, workflow.RegisterOptions{Name: "StripeWebhook"})
	require.NoError(t, hands.Start())
	t.Cleanup(hands.Stop)
	return w
}

// begun returns an event whose run has begun.
func (w *workshop) begun(t *testing.T, id, eventType string) *event.Event {
	t.Helper()
	e := webhook(id)
	e.Type = eventType
	_, err := w.store.InsertEvents(t.Context(), []store.Arrival{{Event: e}})
	require.NoError(t, err)
	run, err := w.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: e.WorkflowID(), TaskQueue: "hookflow"}, "StripeWebhook", e)
	require.NoError(t, err)
	by := event.Run{RunID: run.GetRunID(), OriginalRunID: run.GetRunID()}
	_, err = w.store.BeginRun(t.Context(), e.ID, by, store.Beginning{Status: event.Processing}, time.Now())
	require.NoError(t, err)
	return e
}

func (w *workshop) intake(c client.Client) *intake.Intake {
	return intake.New(intake.Config{Store: w.store, Temporal: c, Namespace: w.namespace, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
}

// step returns the activity that the run of e waits for, nil before it does.
func (w *workshop) step(t *testing.T, e *event.Event) *workflowpb.PendingActivityInfo {
	t.Helper()
	d, err := w.client.DescribeWorkflowExecution(t.Context(), e.WorkflowID(), "")
	require.NoError(t, err)
	if len(d.PendingActivities) == 0 {
		return nil
	}
	return d.PendingActivities[0]
}

func TestRetryOfSteps(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	in := w.intake(w.client)
	require.ErrorIs(t, in.Retry(t.Context(), w.begun(t, "evt_1", "sleeps").ID, "ann"), event.ErrNotWaiting)

	e := w.begun(t, "evt_2", "steps")
	testkit.Eventually(t, func() bool {
		step := w.step(t, e)
		return step != nil && step.Attempt >= 5 && step.NextAttemptScheduleTime != nil
	}, "the pause between two attempts is seconds")
	before := w.step(t, e).Attempt
	require.ErrorIs(t, w.intake(old{w.client}).Retry(t.Context(), e.ID, "ann"), event.ErrUnsupported)
	testkit.Eventually(t, func() bool { return in.Retry(t.Context(), e.ID, "ann") == nil }, "the waiting step is not attempted")
	testkit.Eventually(t, func() bool { return w.step(t, e).Attempt > before }, "the attempts are counted on")
	require.NotZero(t, testkit.Query[int](t, w.url, `SELECT count(*) FROM event_timeline WHERE kind = 'retried' AND author = 'ann'`))

	// What was paused, by whomever, goes on too.
	_, err := w.client.WorkflowService().PauseActivity(t.Context(), &workflowservice.PauseActivityRequest{
		Namespace: w.namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: e.WorkflowID()}, Identity: "somebody",
		Activity: &workflowservice.PauseActivityRequest_Id{Id: w.step(t, e).ActivityId},
	})
	require.NoError(t, err)
	testkit.Eventually(t, func() bool { return in.Retry(t.Context(), e.ID, "ann") == nil }, "the paused step is not attempted")
	testkit.Eventually(t, func() bool { return !w.step(t, e).Paused }, "the paused step stays paused")
}

func TestCancelOfRuns(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	in := w.intake(w.client)
	gone, running := w.begun(t, "evt_1", "sleeps"), w.begun(t, "evt_2", "sleeps")
	require.NoError(t, w.client.TerminateWorkflow(t.Context(), gone.WorkflowID(), "", "test"))
	require.NoError(t, in.Cancel(t.Context(), gone.ID, "ann"))
	require.Equal(t, "cancelled", testkit.Query[string](t, w.url, `SELECT last_error_type FROM webhook_events WHERE event_id = 'evt_1'`),
		"a row whose run is gone is ended in the ledger")
	require.NoError(t, in.Cancel(t.Context(), running.ID, "ann"))
	require.Equal(t, "processing", testkit.Query[string](t, w.url, `SELECT status::text FROM webhook_events WHERE event_id = 'evt_2'`),
		"its run writes the end")
	require.True(t, temporal.IsCanceledError(w.client.GetWorkflow(t.Context(), running.WorkflowID(), "").Get(t.Context(), nil)))
	require.Equal(t, 2, testkit.Query[int](t, w.url, `SELECT count(*) FROM event_timeline WHERE kind = 'cancelled' AND author = 'ann'`))
}
