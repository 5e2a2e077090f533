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
	mirrorMaximumInterval = 15 * time.Second
)

func begin(ctx workflow.Context, e event.Event, body []byte, answered *routing.Step) (routing.BeginResult, error) {
	var result routing.BeginResult
	err := mirror(ctx, Begin, routing.BeginInput{Event: e, Body: body, Run: runOf(ctx, e), Answered: answered}, &result)
	return result, err
}

// finish runs on a disconnected context, so that a cancelled run still writes its status.
func finish(ctx workflow.Context, e event.Event, end routing.FinishInput) error {
	end.Event = e.Ref()
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	return mirror(disconnected, Finish, end, nil)
}

// mirror calls Begin or Finish as a local activity. When that fails it waits until the ledger answers, with nothing in
// hand, and calls again; what then still takes longer than a workflow task may (megabytes of payload) is called as an
// ordinary activity for as long as it takes.
func mirror(ctx workflow.Context, name string, input, result any) error {
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    mirrorStartToClose,
		ScheduleToCloseTimeout: mirrorScheduleToClose,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: time.Second,
		},
	})
	for range 2 {
		err := workflow.ExecuteLocalActivity(local, name, input).Get(ctx, result)
		if err == nil || final(err) || temporal.IsCanceledError(err) {
			return err
		}
		if err := awaitLedger(ctx); err != nil {
			return err
		}
	}
	return workflow.ExecuteActivity(unlimited(ctx, time.Minute), name, input).Get(ctx, result)
}

func awaitLedger(ctx workflow.Context) error {
	return workflow.ExecuteActivity(unlimited(ctx, 10*time.Second), AwaitLedger).Get(ctx, nil)
}

// unlimited is for activities that must end well, however long it takes.
func unlimited(ctx workflow.Context, attempt time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attempt,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: mirrorMaximumInterval,
		},
	})
}
