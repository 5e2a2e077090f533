package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"
	"hookflow/workflows"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

// story is one run in the test environment, with the mirror's two activities recorded and one handler.
type story struct {
	*testsuite.TestWorkflowEnvironment
	begun    []routing.BeginInput
	finished []routing.FinishInput
	awaits   int           // of the ledger, two in three in vain
	attempts []time.Time   // of the handler, by the environment's clock
	told     []event.Event // what each of them was told
}

// ref is what a run is told of its event.
func ref(provider string) event.Event {
	e := event.Event{Provider: provider, Scheme: provider, EventID: "evt_1", Type: "thing.happened"}
	e.ID = event.ID(e.Key())
	return e
}

// plan answers Begin; handle is what the handler does in each attempt, from 1.
func tell(t *testing.T, plan routing.Plan, handle func(attempt int) (any, error)) *story {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(testkit.Quiet())
	s := &story{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment()}
	s.SetTestTimeout(20 * time.Second)
	for name, w := range workflows.ByName {
		s.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: name})
	}
	s.RegisterActivityWithOptions(func(_ context.Context, in routing.BeginInput) (routing.BeginResult, error) {
		s.begun = append(s.begun, in)
		return routing.BeginResult{Plan: plan, Over: len(plan.Steps) == 0}, nil
	}, activity.RegisterOptions{Name: workflows.Begin})
	s.RegisterActivityWithOptions(func(_ context.Context, in routing.FinishInput) error {
		s.finished = append(s.finished, in)
		return nil
	}, activity.RegisterOptions{Name: workflows.Finish})
	s.RegisterActivityWithOptions(func(context.Context) error {
		if s.awaits++; s.awaits%3 != 0 {
			return errors.New("connection refused")
		}
		return nil
	}, activity.RegisterOptions{Name: workflows.AwaitLedger})
	s.RegisterActivityWithOptions(func(_ context.Context, e event.Event) (any, error) {
		s.attempts, s.told = append(s.attempts, s.Now()), append(s.told, e)
		return handle(len(s.attempts))
	}, activity.RegisterOptions{Name: "thing.Handle"})
	return s
}

func step(options routing.Options) routing.Plan {
	if options.StartToCloseTimeout == 0 {
		options.StartToCloseTimeout = routing.Duration(2 * time.Second)
	}
	return routing.Plan{Steps: []routing.Step{{Name: "handle", Activity: "thing.Handle", Options: options}}}
}

func inline(plan routing.Plan) routing.Plan {
	plan.Steps[0].Inline = true
	return plan
}

// parallel is a plan of a group of three, the third of them inline, and a step after it.
func parallel(plan routing.Plan) routing.Plan {
	var steps []routing.Step
	for _, name := range []string{"first", "second", "third", "last"} {
		s := plan.Steps[0]
		s.Name, s.Group, s.Inline = name, 1, name == "third"
		steps = append(steps, s)
	}
	steps[3].Group = 0
	return routing.Plan{Steps: steps}
}

var policy = routing.Options{RetryPolicy: routing.RetryPolicy{
	InitialInterval: routing.Duration(time.Second), BackoffCoefficient: 2, MaximumInterval: routing.Duration(time.Minute), MaximumAttempts: 5,
}}

// pauses returns the times between attempts.
func (s *story) pauses() []time.Duration {
	var pauses []time.Duration
	for i := 1; i < len(s.attempts); i++ {
		pauses = append(pauses, s.attempts[i].Sub(s.attempts[i-1]).Round(100*time.Millisecond))
	}
	return pauses
}

func TestEachWorkflow(t *testing.T) {
	t.Parallel()
	flaky := func(attempt int) (any, error) {
		if attempt < 4 {
			return nil, errors.New("not yet")
		}
		return map[string]int{"n": attempt}, nil
	}
	refused := func(int) (any, error) { return nil, temporal.NewApplicationError("no such account", "Refused") }
	broken := func(int) (any, error) { return nil, errors.New("down") }
	declared := policy
	declared.RetryPolicy.NonRetryableErrorTypes = []string{"Refused"}

	for provider, name := range map[string]string{"stripe": workflows.Stripe, "twilio": workflows.Twilio, "vapi": workflows.Vapi, "github": workflows.Generic} {
		require.Equal(t, name, workflows.TypeOf(provider))
		for _, c := range []struct {
			name     string
			plan     routing.Plan
			handle   func(int) (any, error)
			attempts int
			pauses   []time.Duration
			status   event.Status
			errType  string
		}{
			{"completes at once", step(policy), func(int) (any, error) { return "done", nil }, 1, nil, event.Completed, ""},
			{"completes after three failures", step(policy), flaky, 4, seconds(1, 2, 4), event.Completed, ""},
			{"spends every declared attempt", step(policy), broken, 5, seconds(1, 2, 4, 8), event.Failed, ""},
			{"a declared error type ends it at once", step(declared), refused, 1, nil, event.Failed, "Refused"},
			{"inline completes at once", inline(step(policy)), func(int) (any, error) { return "done", nil }, 1, nil, event.Completed, ""},
			{"inline goes on under its policy", inline(step(policy)), flaky, 4, seconds(0, 1, 2), event.Completed, ""},
			{"inline spends every declared attempt", inline(step(policy)), broken, 5, seconds(0, 1, 2, 4), event.Failed, ""},
			{"inline: a declared error type ends it at once", inline(step(declared)), refused, 1, nil, event.Failed, "Refused"},
		} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				s := tell(t, c.plan, c.handle)
				s.ExecuteWorkflow(name, ref(provider), nil)
				require.True(t, s.IsWorkflowCompleted())
				require.Len(t, s.attempts, c.attempts)
				require.Equal(t, c.pauses, s.pauses())
				require.Len(t, s.finished, 1)
				require.Equal(t, c.status, s.finished[0].Status)
				require.Equal(t, c.errType, s.finished[0].ErrorType)
				require.Equal(t, c.status, s.finished[0].Steps[0].Status)
				if c.status == event.Failed {
					require.Error(t, s.GetWorkflowError(), "the run ends as the event does")
				} else {
					require.NoError(t, s.GetWorkflowError())
				}
			})
		}
	}
}

func seconds(n ...int) []time.Duration {
	var all []time.Duration
	for _, s := range n {
		all = append(all, time.Duration(s)*time.Second)
	}
	return all
}

func TestStepsInOrder(t *testing.T) {
	t.Parallel()
	plan := step(policy)
	plan.Steps = []routing.Step{
		{Name: "done before", Activity: "thing.Never", Done: true, Options: plan.Steps[0].Options},
		{Name: "first", Activity: "thing.Handle", Options: plan.Steps[0].Options},
		{Name: "fails", Activity: "thing.Handle", Options: routing.Options{
			StartToCloseTimeout: routing.Duration(time.Second), RetryPolicy: routing.RetryPolicy{MaximumAttempts: 1}}},
		{Name: "never", Activity: "thing.Never", Options: plan.Steps[0].Options},
	}
	s := tell(t, plan, func(attempt int) (any, error) {
		if attempt == 2 {
			return nil, errors.New("broken")
		}
		return map[string]string{"made": "this"}, nil
	})
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	require.Error(t, s.GetWorkflowError())
	end := s.finished[0]
	require.Equal(t, "fails", end.Failed)
	for i := range end.Steps {
		require.False(t, end.Steps[i].FinishedAt.Before(end.Steps[i].StartedAt))
		end.Steps[i].StartedAt, end.Steps[i].FinishedAt = time.Time{}, time.Time{}
	}
	require.Equal(t, []event.StepEnd{
		{Step: "first", Status: event.Completed, Result: json.RawMessage(`{"made":"this"}`)},
		{Step: "fails", Status: event.Failed, Error: "broken", ErrorType: ""},
	}, end.Steps)
}

func TestNoRoute(t *testing.T) {
	t.Parallel()
	s := tell(t, routing.Plan{}, nil)
	s.ExecuteWorkflow(workflows.Vapi, ref("vapi"), nil)
	require.NoError(t, s.GetWorkflowError())
	require.Empty(t, s.finished, "Begin ended the row already")
}

func TestBodyInsideTheInput(t *testing.T) {
	t.Parallel()
	s := tell(t, routing.Plan{}, nil)
	packed := event.Pack([]byte(`{"id":"evt_1"}`))
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), packed)
	require.NoError(t, s.GetWorkflowError())
	require.Equal(t, packed, s.begun[0].Body)
}

// An outage of the ledger spends none of the declared attempts, and gives none back.
func TestLedgerUnavailable(t *testing.T) {
	t.Parallel()
	away := func(attempts int32) error {
		return temporal.NewApplicationErrorWithOptions("away", routing.LedgerUnavailable,
			temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{attempts}})
	}
	failing := errors.New("the handler's own failure")
	for name, c := range map[string]struct {
		plan     routing.Plan
		ends     []error // of each attempt in turn; the last for all others
		attempts int
		status   event.Status
	}{
		"ordinary":               {step(policy), []error{away(0), away(0), failing, nil}, 4, event.Completed},
		"inline":                 {inline(step(policy)), []error{away(0), away(0), failing, nil}, 4, event.Completed},
		"five failures in all":   {step(policy), []error{failing, failing, away(2), failing, away(1), failing, failing}, 7, event.Failed},
		"the inline one is one":  {inline(step(policy)), []error{failing, away(0), failing, away(1), failing}, 7, event.Failed},
		"none is left but tries": {step(policy), []error{failing, failing, failing, failing, away(4), nil}, 6, event.Completed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tell(t, c.plan, func(attempt int) (any, error) {
				return "done", c.ends[min(attempt, len(c.ends))-1]
			})
			s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
			require.Equal(t, c.status == event.Failed, s.GetWorkflowError() != nil)
			require.Len(t, s.attempts, c.attempts)
			require.Equal(t, c.status, s.finished[0].Status)
		})
	}
}

// Begin and Finish wait for the ledger with nothing in hand, and become ordinary activities when they take too long.
func TestMirrorWaitsForTheLedger(t *testing.T) {
	t.Parallel()
	s := tell(t, step(policy), func(int) (any, error) { return "done", nil })
	begins, finishes := 0, 0
	s.OnActivity(workflows.Begin, mock.Anything, mock.Anything).Return(func(context.Context, routing.BeginInput) (routing.BeginResult, error) {
		if begins++; s.awaits == 0 {
			return routing.BeginResult{}, errors.New("connection refused")
		}
		return routing.BeginResult{Plan: step(policy)}, nil
	})
	s.OnActivity(workflows.Finish, mock.Anything, mock.Anything).Return(func(context.Context, routing.FinishInput) error {
		if finishes++; s.awaits < 9 { // after two waits of three tries, beside that of Begin
			return errors.New("too slow for a local activity")
		}
		if finishes++; finishes%2 == 1 {
			return errors.New("once more")
		}
		return nil
	})
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	require.NoError(t, s.GetWorkflowError())
	require.Equal(t, 9, s.awaits)
	require.Greater(t, begins, 2)
	require.Greater(t, finishes, 4)
}

func TestRowMissing(t *testing.T) {
	t.Parallel()
	s := tell(t, step(policy), nil)
	s.OnActivity(workflows.Begin, mock.Anything, mock.Anything).Return(routing.BeginResult{},
		temporal.NewNonRetryableApplicationError("nowhere", routing.LedgerRowMissing, nil)).Once()
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	var application *temporal.ApplicationError
	require.ErrorAs(t, s.GetWorkflowError(), &application)
	require.Equal(t, routing.LedgerRowMissing, application.Type())
	require.Empty(t, s.finished)
}

func TestCancelledRunWritesItsStatus(t *testing.T) {
	t.Parallel()
	// The test environment takes no maximum for ten attempts.
	s := tell(t, step(routing.Options{RetryPolicy: routing.RetryPolicy{MaximumInterval: routing.Duration(time.Minute), MaximumAttempts: 1000}}),
		func(int) (any, error) { return nil, errors.New("for ever") })
	s.RegisterDelayedCallback(s.CancelWorkflow, time.Hour)
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()))
	require.Len(t, s.finished, 1)
	require.Equal(t, event.Failed, s.finished[0].Status)
	require.Equal(t, routing.Cancelled, s.finished[0].ErrorType)
}
