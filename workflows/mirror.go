package workflows

import (
	"time"

	"hookflow/event"
	"hookflow/routing"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Both time-outs are written out: left out, the SDK sets ScheduleToClose to StartToClose, and nothing is retried.
const (
	mirrorStartToClose    = 2 * time.Second
	mirrorScheduleToClose = 5 * time.Second
	// mirrorMaximumInterval is how often a run whose ledger is away asks for it. Retries of an activity add no history.
	mirrorMaximumInterval = 30 * time.Second
)

func begin(ctx workflow.Context, e event.Event, body []byte) (routing.BeginResult, error) {
	var result routing.BeginResult
	err := mirror(ctx, Begin, routing.BeginInput{Event: e, Body: body, Run: runOf(ctx, e)}, &result)
	return result, err
}

// finish runs on a disconnected context, so that a cancelled run still writes its status.
func finish(ctx workflow.Context, e event.Event, end routing.FinishInput) error {
	end.Event = e.Ref()
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	return mirror(disconnected, Finish, end, nil)
}

// mirror calls Begin or Finish as a local activity and, when the ledger does not answer within seconds, as an ordinary
// activity for as long as it takes.
func mirror(ctx workflow.Context, name string, input, result any) error {
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    mirrorStartToClose,
		ScheduleToCloseTimeout: mirrorScheduleToClose,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: time.Second,
		},
	})
	err := workflow.ExecuteLocalActivity(local, name, input).Get(ctx, result)
	if err == nil || final(err) || temporal.IsCanceledError(err) {
		return err
	}
	ordinary := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: mirrorMaximumInterval},
	})
	return workflow.ExecuteActivity(ordinary, name, input).Get(ctx, result)
}
