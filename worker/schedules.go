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

// ReconcileSchedule is the id of the schedule that starts Reconcile every minute.
const ReconcileSchedule = "hookflow-reconcile"

// CreateSchedules creates the schedules that are missing. It tries until Temporal answers or ctx ends.
func CreateSchedules(ctx context.Context, c client.Client, log *slog.Logger) {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := createReconcile(ctx, c)
		if err == nil || ctx.Err() != nil {
			return
		}
		log.Warn("the schedules could not be created yet", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func createReconcile(ctx context.Context, c client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:      ReconcileSchedule,
		Spec:    client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Minute}}},
		Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		// What an outage of Temporal kept from running need not be run once per minute of it. The default is a year.
		CatchupWindow: time.Minute,
		Action: &client.ScheduleWorkflowAction{
			ID:                  ReconcileSchedule,
			Workflow:            workflows.ReconcileWorkflow,
			TaskQueue:           workflows.TaskQueue,
			WorkflowRunTimeout:  10 * time.Minute,
			WorkflowTaskTimeout: 10 * time.Second,
		},
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return nil
	}
	return err
}
