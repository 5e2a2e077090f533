package intake

import (
	"context"
	"errors"
	"strings"
	"time"

	"hookflow/event"
	"hookflow/store"

	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// cancelled is the error type of an event that an operator cancelled, as the workflow writes it.
const cancelled = "cancelled"

// Retry makes a waiting event go on now: the step that waits for its next attempt is attempted, with the attempts that it
// has had counted as before, or the start that was put off is made. author is who asked. Errors: event.ErrNotFound,
// event.ErrFinal, event.ErrNotWaiting, event.ErrUnsupported, event.ErrUnavailable, event.ErrTemporalUnavailable.
func (in *Intake) Retry(ctx context.Context, id, author string) error {
	open, err := in.open(ctx, id)
	if err != nil {
		return err
	}
	if open.Status == event.Pending {
		waits, err := in.Store.DispatchNow(ctx, open, author, in.Now())
		if err != nil || waits {
			in.queues.nudge()
			return away(err)
		}
	}
	if err := in.retrySteps(ctx, open.WorkflowID, author); err != nil {
		return err
	}
	in.tell(ctx, open, event.Retried, author)
	return nil
}

// tell notes on the timeline what was done. What was done stays done when it cannot be noted.
func (in *Intake) tell(ctx context.Context, open store.OpenRow, kind event.Kind, author string) {
	err := in.Store.WriteMoments(ctx, open.ID, event.Moment{At: in.Now(), Generation: open.Generation, Kind: kind, Author: &author})
	in.complain("timeline", err)
}

// open returns the row of an event that is not final. Otherwise: event.ErrNotFound, event.ErrFinal, event.ErrUnavailable.
func (in *Intake) open(ctx context.Context, id string) (store.OpenRow, error) {
	open, err := in.Store.FindOpen(ctx, id)
	if !errors.Is(err, event.ErrNotFound) {
		return open, away(err)
	}
	known, err := in.Store.Known(ctx, id)
	if err == nil && known {
		return open, event.ErrFinal
	}
	if err == nil {
		err = event.ErrNotFound
	}
	return open, away(err)
}

func (in *Intake) retrySteps(ctx context.Context, workflowID, author string) error {
	run, err := in.Temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return temporalError(err, event.ErrNotWaiting)
	}
	retried := false
	for _, activity := range run.PendingActivities {
		if !waits(activity) {
			continue
		}
		if err := in.retryActivity(ctx, run.WorkflowExecutionInfo.Execution, activity, author); err != nil {
			return err
		}
		retried = true
	}
	if !retried {
		return in.queued(ctx, run.PendingActivities)
	}
	return nil
}

// queued says why the attempts of a run lie in their task queues; event.ErrNotWaiting where none does.
func (in *Intake) queued(ctx context.Context, pending []*workflowpb.PendingActivityInfo) error {
	for _, a := range pending {
		if a.State != enums.PENDING_ACTIVITY_STATE_SCHEDULED {
			continue
		}
		queue := a.GetActivityOptions().GetTaskQueue().GetName()
		_, name, ofDestination := strings.Cut(queue, ".to.")
		if !ofDestination {
			return &event.QueuedError{Why: "no worker has a place for it"}
		}
		found, err := in.Store.Destinations(ctx)
		if err != nil {
			return away(err)
		}
		for _, d := range found {
			if holding := d.Holding(in.Now()); d.Name == name && holding != "" {
				return &event.QueuedError{Why: holding}
			}
		}
		return &event.QueuedError{Why: "destination " + name + " has no place for it, by its concurrency or rate_limit, or no worker serves it"}
	}
	return event.ErrNotWaiting
}

// waits reports whether an activity is between two attempts, or paused there.
func waits(a *workflowpb.PendingActivityInfo) bool {
	return a.State == enums.PENDING_ACTIVITY_STATE_PAUSED ||
		a.State == enums.PENDING_ACTIVITY_STATE_SCHEDULED && a.NextAttemptScheduleTime != nil
}

// unpauseTime is how long a paused activity is tried to be set going again, whoever has hung up meanwhile. Housekeeping
// looks after one that stays paused all the same.
const unpauseTime = 5 * time.Second

// retryActivity pauses an activity and unpauses it: Temporal then attempts it at once and keeps the count of attempts,
// which ResetActivity does not; UpdateActivityOptions would keep the time of the next attempt
// (https://docs.temporal.io/activity-operations; the server's service/history/workflow/activity.go, v1.29.1).
func (in *Intake) retryActivity(ctx context.Context, run *commonpb.WorkflowExecution, a *workflowpb.PendingActivityInfo, author string) error {
	service := in.Temporal.WorkflowService()
	if a.State != enums.PENDING_ACTIVITY_STATE_PAUSED {
		_, err := service.PauseActivity(ctx, &workflowservice.PauseActivityRequest{
			Namespace: in.Namespace, Execution: run, Identity: author, Reason: event.RetryPause,
			Activity: &workflowservice.PauseActivityRequest_Id{Id: a.ActivityId},
		})
		if err != nil {
			return temporalError(err, event.ErrNotWaiting)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unpauseTime)
	defer cancel()
	for {
		_, err := service.UnpauseActivity(ctx, &workflowservice.UnpauseActivityRequest{
			Namespace: in.Namespace, Execution: run, Identity: author,
			Activity: &workflowservice.UnpauseActivityRequest_Id{Id: a.ActivityId},
		})
		err = temporalError(err, event.ErrNotWaiting)
		if !errors.Is(err, event.ErrTemporalUnavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			in.Log.Error("a step stays paused until housekeeping finds it: Temporal went away in the middle of a retry",
				"workflow", run.WorkflowId, "activity", a.ActivityId)
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// cancelTries bounds how often a row is looked at anew that moves each time between the look and the write.
const cancelTries = 5

// Cancel ends an event for good. One that runs is cancelled in Temporal, and its run writes the end; one without a run is
// ended in the ledger, and a run that is being started finds it ended. author is who asked. Errors: event.ErrNotFound,
// event.ErrFinal, event.ErrUnavailable, event.ErrTemporalUnavailable.
func (in *Intake) Cancel(ctx context.Context, id, author string) error {
	for range cancelTries {
		open, err := in.open(ctx, id)
		if err != nil {
			return err
		}
		if open.Status == event.Processing {
			err := in.cancelRun(ctx, open.WorkflowID)
			if err == nil {
				in.tell(ctx, open, event.Cancelled, author)
			}
			if !errors.Is(err, errNoRun) {
				return err
			}
		}
		done, err := in.Store.CancelOpen(ctx, open, author, cancelled, in.Now())
		if done || err != nil {
			return away(err)
		}
	}
	return event.ErrUnavailable
}

// cancelRun asks the running run of a workflow ID to end. It returns errNoRun where there is none: Temporal itself takes a
// cancellation of a closed run for done.
func (in *Intake) cancelRun(ctx context.Context, workflowID string) error {
	newest, err := in.Temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return temporalError(err, errNoRun)
	}
	if newest.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return errNoRun
	}
	return temporalError(in.Temporal.CancelWorkflow(ctx, workflowID, newest.WorkflowExecutionInfo.Execution.RunId), errNoRun)
}

// errNoRun: Temporal knows no running run of a workflow ID.
var errNoRun = errors.New("no run")

// temporalError turns what Temporal says into what the other rooms know; notFound stands for a run or an activity that is
// not there (any more).
func temporalError(err, notFound error) error {
	var missing *serviceerror.NotFound
	var unimplemented *serviceerror.Unimplemented
	var invalid *serviceerror.InvalidArgument
	switch {
	case err == nil:
		return nil
	case errors.As(err, &missing):
		return notFound
	case errors.As(err, &unimplemented):
		return event.ErrUnsupported
	case errors.As(err, &invalid):
		return err
	}
	return errors.Join(event.ErrTemporalUnavailable, err)
}

// away is event.ErrUnavailable for a ledger that could not be asked.
func away(err error) error {
	if store.Unavailable(err) {
		return event.ErrUnavailable
	}
	return err
}
