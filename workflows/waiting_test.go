package workflows_test

import (
	"errors"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/routing"
	"hookflow/workflows"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// A step with limited attempts that misses the ledger is scheduled again at once, without a limit on Temporal's side, and
// is told what it has left.
func TestStepWaitsForTheLedger(t *testing.T) {
	t.Parallel()
	gone := func(attempts int32) error {
		return temporal.NewApplicationErrorWithOptions("away", routing.LedgerUnavailable,
			temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{attempts, true}})
	}
	still := temporal.NewApplicationErrorWithOptions("away", routing.LedgerUnavailable, temporal.ApplicationErrorOptions{NextRetryDelay: 10 * time.Minute})
	failing := errors.New("the handler's own failure")
	spent := temporal.NewNonRetryableApplicationError("the handler's own failure", "Broken", nil)
	timely := policy
	timely.ScheduleToCloseTimeout = routing.Duration(time.Hour)
	for name, c := range map[string]struct {
		plan    routing.Plan
		ends    []error // of each attempt in turn
		left    int32
		timed   bool
		errType string // of the event that fails
	}{
		"ordinary":                     {plan: step(policy), ends: []error{gone(0), nil}, left: 5},
		"inline":                       {plan: inline(step(policy)), ends: []error{gone(0), nil}, left: 5},
		"after two failures":           {plan: step(policy), ends: []error{failing, failing, gone(2), nil}, left: 3},
		"after a failure inline":       {plan: inline(step(policy)), ends: []error{failing, failing, gone(1), nil}, left: 3},
		"longer than it has attempts":  {plan: step(policy), ends: []error{gone(0), still, still, still, still, still, still, still, nil}, left: 5},
		"longer than it has time":      {plan: step(timely), ends: []error{gone(0), still, still, still, still, still, still, still, nil}, left: 5, timed: true},
		"details of the handler's own": {plan: inline(step(policy)), ends: []error{temporal.NewApplicationError("no", "Own", int32(3), true), nil}},
		"fails in the end":             {plan: step(policy), ends: []error{failing, failing, failing, failing, gone(4), still, spent}, left: 1, errType: "Broken"},
		"fails in the end, and inline": {plan: inline(step(timely)), ends: []error{gone(0), still, spent}, left: 5, timed: true, errType: "Broken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tell(t, c.plan, func(attempt int) (any, error) { return "done", c.ends[attempt-1] })
			s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
			require.Len(t, s.attempts, len(c.ends))
			require.Zero(t, s.awaits, "the step waits itself")
			require.Equal(t, c.errType != "", s.GetWorkflowError() != nil)
			require.Equal(t, c.errType, s.finished[0].ErrorType)
			require.Equal(t, &event.Waiting{}, s.told[0].Waiting)
			last := s.told[len(s.told)-1].Waiting
			require.Equal(t, c.left, last.Attempts)
			require.Equal(t, c.timed, !last.Until.IsZero())
			if c.timed {
				require.WithinDuration(t, s.attempts[0].Add(time.Hour), last.Until, time.Second)
			}
		})
	}
}

// Without a limit there is nothing to count: Temporal repeats the step as it is.
func TestStepWithoutLimitIsToldNothing(t *testing.T) {
	t.Parallel()
	s := tell(t, step(routing.Options{RetryPolicy: routing.RetryPolicy{MaximumInterval: routing.Duration(time.Minute)}}),
		func(int) (any, error) { return "done", nil })
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	require.NoError(t, s.GetWorkflowError())
	require.Nil(t, s.told[0].Waiting)
}

func TestCancelledWhileItWaitsForTheLedger(t *testing.T) {
	t.Parallel()
	s := tell(t, step(policy), func(attempt int) (any, error) {
		options := temporal.ApplicationErrorOptions{NextRetryDelay: time.Minute}
		if attempt == 1 {
			options = temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{int32(0), true}}
		}
		return nil, temporal.NewApplicationErrorWithOptions("away", routing.LedgerUnavailable, options)
	})
	s.RegisterDelayedCallback(s.CancelWorkflow, 5*time.Minute) // the test environment makes ten attempts at most
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()))
	require.Equal(t, routing.Cancelled, s.finished[0].ErrorType)
}

// An attempt of a waiting step that nobody takes ends with what is left of the step's time, and not in an instant.
func TestWaitingStepHasAnEnd(t *testing.T) {
	t.Parallel()
	gone := temporal.NewApplicationErrorWithOptions("away", routing.LedgerUnavailable,
		temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{int32(0), true}})
	with := func(toClose, toStart time.Duration) routing.Plan {
		limited := policy
		limited.ScheduleToCloseTimeout, limited.ScheduleToStartTimeout = routing.Duration(toClose), routing.Duration(toStart)
		return step(limited)
	}
	for name, c := range map[string]struct {
		plan routing.Plan
		want time.Duration
	}{
		"what is left":   {with(time.Hour, 0), time.Hour},
		"as declared":    {with(time.Hour, 5*time.Minute), 5 * time.Minute},
		"a minute":       {with(10*time.Second, 0), time.Minute},
		"without limits": {with(0, 0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var last time.Duration
			s := tell(t, c.plan, func(attempt int) (any, error) {
				if attempt == 1 {
					return nil, gone
				}
				return "done", nil
			})
			s.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&scheduledWith{toStart: &last}}})
			s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
			require.NoError(t, s.GetWorkflowError())
			require.InDelta(t, c.want, last, float64(time.Second))
		})
	}
}

// scheduledWith keeps what the last activity was scheduled with.
type scheduledWith struct {
	interceptor.WorkerInterceptorBase
	toStart *time.Duration
}

func (s *scheduledWith) InterceptWorkflow(ctx workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &outward{interceptor.WorkflowInboundInterceptorBase{Next: next}, s}
}

type outward struct {
	interceptor.WorkflowInboundInterceptorBase
	*scheduledWith
}

func (o *outward) Init(next interceptor.WorkflowOutboundInterceptor) error {
	return o.Next.Init(&outgoing{interceptor.WorkflowOutboundInterceptorBase{Next: next}, o.scheduledWith})
}

type outgoing struct {
	interceptor.WorkflowOutboundInterceptorBase
	*scheduledWith
}

func (o *outgoing) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	*o.toStart = workflow.GetActivityOptions(ctx).ScheduleToStartTimeout
	return o.Next.ExecuteActivity(ctx, name, args...)
}
