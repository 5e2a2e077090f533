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

// What the ids of the schedules end in, which are also the beginnings of their runs' workflow IDs; the task queue is before it.
const (
	ReconcileSchedule     = "-reconcile"
	ReconcileRunsSchedule = "-reconcile-runs"
	RetentionSchedule     = "-retention"
)

// scheduleEvery is how often the schedules are looked after: a Temporal that lost its state has lost them too.
const scheduleEvery = time.Minute

// KeepSchedules creates the schedules that are missing, now and again until ctx ends.
func KeepSchedules(ctx context.Context, c client.Client, queue string, log *slog.Logger) {
	for pause := time.Second; ctx.Err() == nil; {
		err := errors.Join(
			// What an outage of Temporal kept from running need not be run once per interval of it. Retention runs once a day, and
			// an outage at that hour must not put it off to the next.
			createSchedule(ctx, c, queue, ReconcileSchedule, workflows.ReconcileWorkflow, time.Minute, time.Hour, time.Minute),
			createSchedule(ctx, c, queue, ReconcileRunsSchedule, workflows.ReconcileRunsWorkflow, 20*time.Second, time.Hour, time.Minute),
			createSchedule(ctx, c, queue, RetentionSchedule, workflows.RetentionWorkflow, 24*time.Hour, 23*time.Hour, 24*time.Hour),
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

func createSchedule(ctx context.Context, c client.Client, queue, suffix, workflow string, every, most, catchUp time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	id := queue + suffix
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:            id,
		Spec:          client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}},
		Overlap:       enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: catchUp, // the default is a year
		Action: &client.ScheduleWorkflowAction{
			ID: id, Workflow: workflow, TaskQueue: queue, WorkflowRunTimeout: most,
		},
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return catchUpWithin(ctx, c.ScheduleClient().GetHandle(ctx, id), catchUp)
	}
	return err
}

// catchUpWithin sets the catch-up window of a schedule that an older version created, once.
func catchUpWithin(ctx context.Context, schedule client.ScheduleHandle, window time.Duration) error {
	found, err := schedule.Describe(ctx)
	if err != nil || found.Schedule.Policy == nil || found.Schedule.Policy.CatchupWindow == window {
		return err
	}
	return schedule.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(now client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		changed := now.Description.Schedule
		changed.Policy.CatchupWindow = window
		return &client.ScheduleUpdate{Schedule: &changed}, nil
	}})
}
