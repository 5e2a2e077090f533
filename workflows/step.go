package workflows

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"hookflow/event"
	"hookflow/routing"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// performAll runs the steps of a stage side by side until each has ended: a failure ends the run, but not what is under
// way beside it. It notes their ends, and returns the first failure, both in the order of the plan.
func performAll(ctx workflow.Context, e event.Event, stage []routing.Step, reply *reply, end *routing.FinishInput) error {
	outcomes := make([]outcome, len(stage))
	underWay := workflow.NewWaitGroup(ctx)
	workflow.SetCurrentDetails(ctx, workingOn(stage))
	for i, step := range stage {
		if step.Done {
			continue
		}
		underWay.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer underWay.Done()
			if step.Reply {
				outcomes[i] = reply.planned(ctx, e.Ref(), step, end.Epoch)
				return
			}
			outcomes[i] = timed(ctx, e.Ref(), step, end.Epoch)
		})
	}
	underWay.Wait(ctx)
	var first error
	for i, step := range stage {
		if !step.Done {
			note(end, step, outcomes[i])
			first = cmp.Or(first, outcomes[i].err)
		}
	}
	return first
}

// workingOn is what the Temporal UI says while a stage is under way.
func workingOn(stage []routing.Step) string {
	var names []string
	for _, step := range stage {
		if !step.Done {
			names = append(names, "`"+step.Name+"`")
		}
	}
	return "Working on " + strings.Join(names, ", ") + "."
}

// outcome is what came of a step, and from when to when the run was at it.
type outcome struct {
	result       json.RawMessage
	err          error
	began, ended time.Time
	late         bool // result is an answer that came after its deadline
}

// timed performs a step and looks at the clock: of steps side by side each ends at its own time.
func timed(ctx workflow.Context, input event.Event, step routing.Step, epoch int) outcome {
	o := outcome{began: workflow.Now(ctx)}
	o.result, o.err = perform(ctx, input, step, epoch)
	o.ended = workflow.Now(ctx)
	return o
}

// perform runs one step until it completes or fails for good, and returns its result as JSON. An outage of the ledger
// spends none of the declared attempts: those, and the declared time, are carried over it. input is the event as the
// attempts are told of it: a reference, or whole.
func perform(ctx workflow.Context, input event.Event, step routing.Step, epoch int) (json.RawMessage, error) {
	input.Step, input.Epoch, input.Reply = step.Name, epoch, step.Reply
	if step.Options.RetryPolicy.MaximumAttempts > 0 {
		input.Waiting = &event.Waiting{}
	}
	began := workflow.Now(ctx)
	if step.Inline {
		result, err := performInline(ctx, input, step)
		if err == nil || final(err, step.Options.RetryPolicy.NonRetryableErrorTypes...) || temporal.IsCanceledError(err) {
			return result, err
		}
		// The local attempt was the first of those declared.
		if !ledgerAway(err) && !spend(&step, 1) {
			return nil, err
		}
		// The two seconds of an inline attempt are the workflow task's; an attempt of its own may take as long as any.
		step.Options.StartToCloseTimeout = max(step.Options.StartToCloseTimeout, routing.Duration(routing.DefaultStartToClose))
		if _, waits := outage(err); waits { // and the worker that made the attempt is the one that is at the run
			return performWaiting(ctx, input, step, began)
		}
	}
	for {
		result, err := performOrdinary(ctx, input, remaining(step, workflow.Now(ctx).Sub(began)))
		if !ledgerAway(err) {
			return result, err
		}
		attempts, waits := outage(err)
		spend(&step, attempts)
		// Another binary's worker may have made the attempt: what the run did then is written down.
		if waits && workflow.GetVersion(ctx, stepsWait, workflow.DefaultVersion, 1) == 1 {
			return performWaiting(ctx, input, step, began)
		}
		if err := awaitLedger(ctx); err != nil {
			return nil, err
		}
	}
}

// stepsWait is the change since which a run lets a step wait for the ledger. Its marker costs a run two events, once.
const stepsWait = "limited-step-waits"

// leastToStart is how long an attempt of a waiting step may lie in its queue at least, whatever is left of the step's time:
// when the ledger comes back all attempts do.
const leastToStart = time.Minute

// performWaiting performs a step for which the ledger was away, with the attempts that it has left. Temporal repeats it
// without limit, which adds no history, until the ledger answers; the worker counts the attempts of the handler from then
// on, and ends the step as the policy says. An attempt that nobody takes (a paused destination, no worker) nobody can
// count: it waits for what was left of the step's time, and Temporal ends the step.
func performWaiting(ctx workflow.Context, input event.Event, step routing.Step, began time.Time) (json.RawMessage, error) {
	o := &step.Options
	input.Waiting = &event.Waiting{Attempts: o.RetryPolicy.MaximumAttempts}
	if limit := o.ScheduleToCloseTimeout.Std(); limit > 0 {
		left := max(limit-workflow.Now(ctx).Sub(began), leastToStart)
		input.Waiting.Until = began.Add(limit)
		o.ScheduleToStartTimeout = cmp.Or(o.ScheduleToStartTimeout, routing.Duration(left))
	}
	o.RetryPolicy.MaximumAttempts, o.ScheduleToCloseTimeout = 0, 0
	return performOrdinary(ctx, input, step)
}

// performOrdinary runs the step as an activity of its own.
func performOrdinary(ctx workflow.Context, input event.Event, step routing.Step) (json.RawMessage, error) {
	var result json.RawMessage
	ctx = workflow.WithActivityOptions(ctx, activityOptions(step))
	err := workflow.ExecuteActivity(ctx, step.Activity, arguments(step, input)...).Get(ctx, &result)
	return result, err
}

// arguments are what the step's activity is called with: the event, and what was declared for it where anything was.
func arguments(step routing.Step, input event.Event) []any {
	if step.Input == nil {
		return []any{input}
	}
	return []any{input, step.Input}
}

// spend takes attempts off those declared, and reports whether there are any left. Zero declared is without limit.
func spend(step *routing.Step, attempts int32) bool {
	most := &step.Options.RetryPolicy.MaximumAttempts
	if *most == 0 {
		return true
	}
	left := *most - attempts
	*most = max(left, 1)
	return left > 0
}

// remaining is the step with what is left of its schedule_to_close_timeout.
func remaining(step routing.Step, spent time.Duration) routing.Step {
	if limit := step.Options.ScheduleToCloseTimeout.Std(); limit > 0 {
		step.Options.ScheduleToCloseTimeout = routing.Duration(max(limit-spent, time.Second))
	}
	return step
}

// performInline makes the first attempt in the workflow task at hand, without an activity task of its own.
func performInline(ctx workflow.Context, input event.Event, step routing.Step) (json.RawMessage, error) {
	var result json.RawMessage
	timeout := step.Options.StartToCloseTimeout.Std()
	if !step.Reply { // an answer takes as long as it takes: the SDK keeps the workflow task alive meanwhile
		timeout = min(timeout, routing.MaxInline)
	}
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    timeout,
		ScheduleToCloseTimeout: timeout + time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			MaximumAttempts:        1,
			NonRetryableErrorTypes: step.Options.RetryPolicy.NonRetryableErrorTypes,
		},
	})
	err := workflow.ExecuteLocalActivity(local, step.Activity, arguments(step, input)...).Get(ctx, &result)
	return result, err
}

func activityOptions(step routing.Step) workflow.ActivityOptions {
	o, retry := step.Options, step.Options.RetryPolicy
	return workflow.ActivityOptions{
		TaskQueue:              step.TaskQueue,
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

// note adds the end of a step to the end of the run; the first failure is the run's.
func note(f *routing.FinishInput, step routing.Step, o outcome) {
	end := event.StepEnd{Step: step.Name, Status: event.Completed, Result: o.result, Late: o.late,
		StartedAt: o.began.UTC(), FinishedAt: o.ended.UTC()}
	if o.err != nil {
		end.Status, end.Result = event.Failed, nil
		end.Error, end.ErrorType = describe(o.err)
		if f.Status != event.Failed {
			f.Status, f.Failed, f.Error, f.ErrorType = event.Failed, step.Name, end.Error, end.ErrorType
		}
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

// outage returns how many attempts the handler had made when the ledger went away, and whether the step can wait for it in
// its next attempt. The recorded error decides: one of a binary that knew no such waiting does not say so, and what the run
// did then is done again.
func outage(err error) (attempts int32, waits bool) {
	var application *temporal.ApplicationError
	if ledgerAway(err) && errors.As(err, &application) {
		_ = application.Details(&attempts, &waits) // without readable details none is counted
	}
	return attempts, waits
}

func ledgerAway(err error) bool {
	var application *temporal.ApplicationError
	return errors.As(err, &application) && application.Type() == routing.LedgerUnavailable
}
