package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"hookflow/workflows"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// The ids of the schedules, which are also the beginnings of their runs' workflow IDs.
const (
	ReconcileSchedule     = "hookflow-reconcile"
	ReconcileRunsSchedule = "hookflow-reconcile-runs"
	RetentionSchedule     = "hookflow-retention"
)

// scheduleEvery is how often the schedules are looked after: a Temporal that lost its state has lost them too.
const scheduleEvery = time.Minute

// KeepSchedules creates the schedules that are missing, now and again until ctx ends.
func KeepSchedules(ctx context.Context, c client.Client, log *slog.Logger) {
	for pause := time.Second; ctx.Err() == nil; {
		err := errors.Join(
			createSchedule(ctx, c, ReconcileSchedule, workflows.ReconcileWorkflow, time.Minute, time.Hour),
			createSchedule(ctx, c, ReconcileRunsSchedule, workflows.ReconcileRunsWorkflow, 20*time.Second, time.Hour),
			createSchedule(ctx, c, RetentionSchedule, workflows.RetentionWorkflow, 24*time.Hour, 23*time.Hour),
		)
		if err == nil {
			pause = scheduleEvery
		} else if ctx.Err() == nil {
			log.Warn("the schedules could not be created yet", "error", err)
			pause = min(2*pause, scheduleEvery)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func createSchedule(ctx context.Context, c client.Client, id, workflow string, every, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:      id,
		Spec:    client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}},
		Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		// What an outage of Temporal kept from running need not be run once per interval of it. The default is a year.
		CatchupWindow: time.Minute,
		Action: &client.ScheduleWorkflowAction{
			ID: id, Workflow: workflow, TaskQueue: workflows.TaskQueue, WorkflowRunTimeout: most,
		},
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return nil
	}
	return err
}
