package workflows

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"hookflow/event"
	"hookflow/routing"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

const (
	// ledgerPause and maxLedgerPause space the attempts of a step whose ledger is away; each costs a dozen history events.
	ledgerPause    = 10 * time.Second
	maxLedgerPause = 10 * time.Minute
)

// perform runs one step until it completes or fails for good, and returns its result as JSON.
func perform(ctx workflow.Context, e event.Event, step routing.Step, epoch int) (json.RawMessage, error) {
	input := e.Ref()
	input.Step, input.Epoch = step.Name, epoch
	if step.Inline {
		result, err := performInline(ctx, input, step)
		if err == nil || final(err, step.Options.RetryPolicy.NonRetryableErrorTypes...) || temporal.IsCanceledError(err) {
			return result, err
		}
		if !ledgerAway(err) {
			// The local attempt was the first of those declared.
			if step.Options.RetryPolicy.MaximumAttempts == 1 {
				return nil, err
			}
			step.Options.RetryPolicy.MaximumAttempts = max(step.Options.RetryPolicy.MaximumAttempts-1, 0)
		}
	}
	for pause := ledgerPause; ; pause = min(2*pause, maxLedgerPause) {
		var result json.RawMessage
		err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, activityOptions(step)), step.Activity, input).Get(ctx, &result)
		if !ledgerAway(err) {
			return result, err
		}
		if err := workflow.Sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// performInline makes the first attempt in the workflow task at hand, without an activity task of its own.
func performInline(ctx workflow.Context, input event.Event, step routing.Step) (json.RawMessage, error) {
	var result json.RawMessage
	timeout := min(step.Options.StartToCloseTimeout.Std(), routing.MaxInline)
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    timeout,
		ScheduleToCloseTimeout: timeout + time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			MaximumAttempts:        1,
			NonRetryableErrorTypes: step.Options.RetryPolicy.NonRetryableErrorTypes,
		},
	})
	err := workflow.ExecuteLocalActivity(local, step.Activity, input).Get(ctx, &result)
	return result, err
}

func activityOptions(step routing.Step) workflow.ActivityOptions {
	o, retry := step.Options, step.Options.RetryPolicy
	return workflow.ActivityOptions{
		ScheduleToCloseTimeout: o.ScheduleToCloseTimeout.Std(),
		ScheduleToStartTimeout: o.ScheduleToStartTimeout.Std(),
		StartToCloseTimeout:    o.StartToCloseTimeout.Std(),
		HeartbeatTimeout:       o.HeartbeatTimeout.Std(),
		Summary:                step.Name,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:        retry.InitialInterval.Std(),
			BackoffCoefficient:     retry.BackoffCoefficient,
			MaximumInterval:        retry.MaximumInterval.Std(),
			MaximumAttempts:        retry.MaximumAttempts,
			NonRetryableErrorTypes: retry.NonRetryableErrorTypes,
		},
	}
}

// note adds the end of a step to the end of the run; a failure ends the run.
func note(f *routing.FinishInput, step routing.Step, result json.RawMessage, failure error) {
	end := event.StepEnd{Step: step.Name, Status: event.Completed, Result: result}
	if failure != nil {
		end.Status, end.Result = event.Failed, nil
		end.Error, end.ErrorType = describe(failure)
		f.Status, f.Failed, f.Error, f.ErrorType = event.Failed, step.Name, end.Error, end.ErrorType
	}
	f.Steps = append(f.Steps, end)
}

// describe returns what the handler said and the type of its error.
func describe(failure error) (message, errorType string) {
	var application *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	var panicked *temporal.PanicError
	switch {
	case temporal.IsCanceledError(failure):
		return "the run was cancelled", routing.Cancelled
	case errors.As(failure, &application):
		return application.Message(), application.Type()
	case errors.As(failure, &panicked):
		return panicked.Error(), "panic"
	case errors.As(failure, &timeout):
		return timeout.Error(), timeout.TimeoutType().String() + "Timeout"
	}
	return failure.Error(), ""
}

// final reports whether an attempt's error rules out another attempt: by itself, or by the declared types.
func final(err error, declared ...string) bool {
	var application *temporal.ApplicationError
	if !errors.As(err, &application) || ledgerAway(err) {
		return false
	}
	return application.NonRetryable() || slices.Contains(declared, application.Type())
}

func ledgerAway(err error) bool {
	var application *temporal.ApplicationError
	return errors.As(err, &application) && application.Type() == routing.LedgerUnavailable
}
