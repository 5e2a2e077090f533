package activities

import (
	"context"
	"errors"
	"time"

	"hookflow/event"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/time/rate"
)

// retryTime is longer than a retry takes from its pause to its unpause.
const retryTime = 15 * time.Second

// unpause sets the steps going again that a retry paused and did not unpause, since its process died in between. What
// somebody paused in Temporal stays paused.
func (h *Housekeeping) unpause(ctx context.Context, limit *rate.Limiter) error {
	err := h.runningPages(ctx, " AND TemporalPauseInfo IS NOT NULL", func(page []*workflowpb.WorkflowExecutionInfo) error {
		for _, run := range page {
			if err := limit.Wait(ctx); err != nil {
				return err
			}
			if err := h.unpauseRun(ctx, run); err != nil {
				return err
			}
		}
		return nil
	})
	var invalid *serviceerror.InvalidArgument
	if errors.As(err, &invalid) {
		return nil // a server before 1.28 knows neither the attribute nor the pause
	}
	return err
}

func (h *Housekeeping) unpauseRun(ctx context.Context, run *workflowpb.WorkflowExecutionInfo) error {
	var notFound *serviceerror.NotFound
	found, err := h.Temporal.DescribeWorkflowExecution(ctx, run.Execution.WorkflowId, run.Execution.RunId)
	if err == nil {
		for _, a := range found.PendingActivities {
			paused := a.State == enums.PENDING_ACTIVITY_STATE_PAUSED && a.GetPauseInfo().GetManual().GetReason() == event.RetryPause
			if !paused || h.Now().Sub(a.PauseInfo.PauseTime.AsTime()) < retryTime {
				continue
			}
			_, err = h.Temporal.WorkflowService().UnpauseActivity(ctx, &workflowservice.UnpauseActivityRequest{
				Namespace: h.Namespace, Execution: run.Execution, Identity: "hookflow",
				Activity: &workflowservice.UnpauseActivityRequest_Id{Id: a.ActivityId},
			})
			if err != nil {
				break
			}
			h.Log.Warn("a step goes on whose retry was interrupted", "workflow_id", run.Execution.WorkflowId)
		}
	}
	if errors.As(err, &notFound) {
		return nil // it has ended meanwhile
	}
	return err
}
