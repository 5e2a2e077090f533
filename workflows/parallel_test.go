package workflows_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/routing"
	"hookflow/workflows"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// group tells the story of a parallel plan whose steps are played by name.
func group(t *testing.T, plan routing.Plan, play func(step string, attempt int) error) *story {
	t.Helper()
	s := tell(t, plan, func(int) (any, error) { return nil, nil })
	var mu sync.Mutex // the environment calls activities side by side
	attempts := map[string]int{}
	s.OnActivity("thing.Handle", mock.Anything, mock.Anything).Return(func(_ context.Context, e event.Event) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		attempts[e.Step]++
		s.attempts = append(s.attempts, s.Now())
		return e.Step, play(e.Step, attempts[e.Step])
	})
	return s
}

// ends are the steps of a run's end, each with its error.
func ends(in routing.FinishInput) [][2]string {
	var all [][2]string
	for _, end := range in.Steps {
		all = append(all, [2]string{end.Step, end.Error})
	}
	return all
}

func TestParallel_completes(t *testing.T) {
	t.Parallel()
	s := group(t, parallel(step(policy)), func(step string, attempt int) error {
		if step == "first" && attempt < 4 || step == "third" && attempt < 2 {
			return errors.New("not yet")
		}
		return nil
	})
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	require.NoError(t, s.GetWorkflowError())
	require.Equal(t, [][2]string{{"first", ""}, {"second", ""}, {"third", ""}, {"last", ""}}, ends(s.finished[0]))
	require.JSONEq(t, `"second"`, string(s.finished[0].Steps[1].Result))
	require.Len(t, s.attempts, 4+1+2+1)
}

// Each retries under its own policy and at its own time: an hour of one is not an hour of the other.
func TestParallel_sideBySide(t *testing.T) {
	t.Parallel()
	slow := policy
	slow.RetryPolicy.InitialInterval, slow.RetryPolicy.MaximumInterval = routing.Duration(time.Hour), routing.Duration(time.Hour)
	plan := parallel(step(slow))
	plan.Steps = plan.Steps[:2]
	s := group(t, plan, func(_ string, attempt int) error {
		if attempt < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	began := s.Now()
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	require.NoError(t, s.GetWorkflowError())
	require.InDelta(t, 2*time.Hour, s.Now().Sub(began), float64(time.Minute), "two waits of an hour, side by side")
}

// Each says when it ended itself, not when the last of them did.
func TestParallel_eachEndsAtItsOwnTime(t *testing.T) {
	t.Parallel()
	s := group(t, parallel(step(policy)), func(step string, attempt int) error {
		if step == "first" && attempt < 4 || step == "third" && attempt < 3 {
			return errors.New("not yet") // after 1, 2 and 4 s; the first attempt of the third is inline
		}
		return nil
	})
	began := s.Now()
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	require.NoError(t, s.GetWorkflowError())
	for i, want := range []struct{ started, finished float64 }{{0, 7}, {0, 0}, {0, 1}, {7, 7}} {
		end := s.finished[0].Steps[i]
		require.InDelta(t, want.started, end.StartedAt.Sub(began).Seconds(), 0.5, end.Step)
		require.InDelta(t, want.finished, end.FinishedAt.Sub(began).Seconds(), 0.5, end.Step)
		require.Equal(t, time.UTC, end.FinishedAt.Location())
	}
}

func TestParallel_aFailureAwaitsTheOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail func(step string) bool
		want [][2]string
		at   string
	}{
		"the first":    {func(step string) bool { return step == "first" }, [][2]string{{"first", "no"}, {"second", ""}, {"third", ""}}, "first"},
		"the inline":   {func(step string) bool { return step == "third" }, [][2]string{{"first", ""}, {"second", ""}, {"third", "no"}}, "third"},
		"the last two": {func(step string) bool { return step != "first" }, [][2]string{{"first", ""}, {"second", "no"}, {"third", "no"}}, "second"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := group(t, parallel(step(policy)), func(step string, attempt int) error {
				switch {
				case c.fail(step):
					return temporal.NewNonRetryableApplicationError("no", "Refused", nil)
				case attempt < 4:
					return errors.New("not yet")
				}
				return nil
			})
			s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
			require.Error(t, s.GetWorkflowError())
			require.Equal(t, c.want, ends(s.finished[0]), "what is under way ends by itself, what comes after does not begin")
			require.Equal(t, event.Failed, s.finished[0].Status)
			require.Equal(t, c.at, s.finished[0].Failed, "the first in the order of the plan")
			require.Equal(t, "Refused", s.finished[0].ErrorType)
		})
	}
}

func TestParallel_doneStepsAreNotRepeated(t *testing.T) {
	t.Parallel()
	plan := parallel(step(policy))
	plan.Steps[0].Done, plan.Steps[2].Done = true, true
	s := group(t, plan, func(string, int) error { return nil })
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	require.NoError(t, s.GetWorkflowError())
	require.Equal(t, [][2]string{{"second", ""}, {"last", ""}}, ends(s.finished[0]))
}

func TestParallel_cancelled(t *testing.T) {
	t.Parallel()
	forever := routing.Options{RetryPolicy: routing.RetryPolicy{MaximumInterval: routing.Duration(time.Minute), MaximumAttempts: 1000}}
	s := group(t, parallel(step(forever)), func(step string, _ int) error {
		if step == "second" {
			return nil
		}
		return errors.New("for ever")
	})
	s.RegisterDelayedCallback(s.CancelWorkflow, time.Hour)
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()))
	require.Equal(t, [][2]string{{"first", "the run was cancelled"}, {"second", ""}, {"third", "the run was cancelled"}}, ends(s.finished[0]))
	require.Equal(t, routing.Cancelled, s.finished[0].ErrorType)
}

// Where the steps wait and what they are told is the plan's.
func TestStep_queueAndInput(t *testing.T) {
	t.Parallel()
	plan := step(policy)
	plan.Steps[0].Activity, plan.Steps[0].TaskQueue = "thing.Told", "hookflow.to.crm"
	plan.Steps[0].Input = []byte(`{"url":"https://crm.example.com"}`)
	s := tell(t, plan, nil)
	var told map[string]string
	var queue string
	s.RegisterActivityWithOptions(func(ctx context.Context, _ event.Event, input map[string]string) error {
		told, queue = input, activity.GetInfo(ctx).TaskQueue
		return nil
	}, activity.RegisterOptions{Name: "thing.Told"})
	s.ExecuteWorkflow(workflows.Stripe, ref("stripe"), nil)
	require.NoError(t, s.GetWorkflowError())
	require.Equal(t, map[string]string{"url": "https://crm.example.com"}, told)
	require.Equal(t, "hookflow.to.crm", queue)
}
