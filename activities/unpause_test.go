package activities_test

import (
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// A step that an interrupted retry left paused goes on; one that an operator paused stays paused.
func TestReconcileClosed_unpausesInterruptedRetries(t *testing.T) {
	t.Parallel()
	o := settle(t)
	s, _ := testkit.Store(t, store.Options{})
	step := func(e event.Event) *workflowpb.PendingActivityInfo {
		d, err := o.client.DescribeWorkflowExecution(t.Context(), e.WorkflowID(), "")
		require.NoError(t, err)
		if len(d.PendingActivities) == 0 {
			return nil
		}
		return d.PendingActivities[0]
	}
	paused := func(id, reason string) event.Event {
		e := arrive("stripe", id, "waits", jsonType, thing)
		o.started(t, e)
		testkit.Eventually(t, func() bool { return step(e) != nil && step(e).Attempt > 1 }, "its step is not attempted")
		_, err := o.client.WorkflowService().PauseActivity(t.Context(), &workflowservice.PauseActivityRequest{
			Namespace: o.namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: e.WorkflowID()}, Reason: reason, Identity: "ann",
			Activity: &workflowservice.PauseActivityRequest_Id{Id: step(e).ActivityId},
		})
		require.NoError(t, err)
		return e
	}
	interrupted, held := paused("interrupted", event.RetryPause), paused("held", "wait for the fix")
	k := keeper(s, o.client)
	k.Namespace, k.Now = o.namespace, time.Now
	require.NoError(t, keep(t, k.ReconcileClosed, time.Time{}))
	require.True(t, step(interrupted).Paused, "the retry may be at work")
	k.Now = func() time.Time { return time.Now().Add(time.Minute) }
	testkit.Eventually(t, func() bool {
		require.NoError(t, keep(t, k.ReconcileClosed, time.Time{}))
		return !step(interrupted).Paused
	}, "the interrupted retry stays paused")
	require.True(t, step(held).Paused)
}
