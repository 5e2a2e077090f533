package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// ReconcileWorkflow is the type of the housekeeping run that a Schedule starts every minute.
const ReconcileWorkflow = "Reconcile"

// ReconcileRunsWorkflow is the type of the housekeeping run that a Schedule starts every twenty seconds.
const ReconcileRunsWorkflow = "ReconcileRuns"

// RetentionWorkflow is the type of the housekeeping run that a Schedule starts every day.
const RetentionWorkflow = "Retention"

// The activities of housekeeping.
const (
	ReconcileClosed = "housekeeping.ReconcileClosed"
	ReconcileOpen   = "housekeeping.ReconcileOpen"
	EraseExpired    = "housekeeping.EraseExpired"
)

// Reconcile puts right what runs could not write themselves: those that an operator terminated, and rows whose run is
// gone. It returns the time up to which closed runs were read, where the next run goes on. It fails when either reader
// does; the next minute tries again.
//
// Closed runs are read by ReconcileRuns too, which never waits for the walk over the rows: that may take minutes.
func Reconcile(ctx workflow.Context) (time.Time, error) {
	since, err := lastWatermark(ctx)
	if err != nil {
		return since, err
	}
	ctx = reading(ctx)
	watermark := since
	closed := workflow.ExecuteActivity(ctx, ReconcileClosed, since)
	open := workflow.ExecuteActivity(ctx, ReconcileOpen)
	// Each reader works whatever becomes of the other.
	err = errors.Join(closed.Get(ctx, &watermark), open.Get(ctx, nil))
	return watermark, err
}

// ReconcileRuns brings what an operator did to runs into the ledger, within a minute of it however long anything else
// takes. It returns the time up to which runs were read, where the next run goes on.
func ReconcileRuns(ctx workflow.Context) (time.Time, error) {
	watermark, err := lastWatermark(ctx)
	if err != nil {
		return watermark, err
	}
	err = workflow.ExecuteActivity(reading(ctx), ReconcileClosed, watermark).Get(ctx, &watermark)
	return watermark, err
}

// lastWatermark is what the run before returned, the zero time for the first.
func lastWatermark(ctx workflow.Context) (time.Time, error) {
	var since time.Time
	if !workflow.HasLastCompletionResult(ctx) {
		return since, nil
	}
	err := workflow.GetLastCompletionResult(ctx, &since)
	return since, err
}

func reading(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 50 * time.Minute,
		HeartbeatTimeout:    30 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 3},
	})
}

// Retention deletes the content of final events that are older than the retention; their rows, and with them the
// uniqueness, stay. It returns how many bodies were deleted.
func Retention(ctx workflow.Context) (int, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 12 * time.Hour,
		HeartbeatTimeout:    time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 10 * time.Second, MaximumInterval: 10 * time.Minute, MaximumAttempts: 20},
	})
	var erased int
	err := workflow.ExecuteActivity(ctx, EraseExpired).Get(ctx, &erased)
	return erased, err
}
