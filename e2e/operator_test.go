package e2e_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// What an operator does to a run in Temporal reaches the ledger.
func TestOperatorEndsARun(t *testing.T) {
	t.Parallel()
	in, api := install(t).withStripeAPI()
	in = in.routed(before)
	effects := in.watchCheckouts()
	api.outOfOrder.Store(true)
	s := in.serve()
	cancelled, terminated, untouched := s.checkout(), s.checkout(), s.acceptNew()
	s.accept(cancelled)
	s.accept(terminated)
	s.awaitTrying(cancelled.key(), terminated.key(), untouched)

	require.NoError(t, in.temporal.CancelWorkflow(t.Context(), cancelled.event.WorkflowID(), ""))
	got := s.awaitStatus(cancelled.key(), event.Failed)
	require.Equal(t, "cancelled", *got.LastErrorType)

	require.NoError(t, in.temporal.TerminateWorkflow(t.Context(), terminated.event.WorkflowID(), "", "by hand"))
	by := time.Now()
	got = s.awaitStatus(terminated.key(), event.Failed)
	t.Logf("in the ledger after %s", time.Since(by).Round(time.Second))
	require.Equal(t, "terminated", *got.LastErrorType)
	require.NotEmpty(t, *got.LastError)
	require.NotNil(t, got.FinishedAt)

	api.outOfOrder.Store(false)
	s.awaitCompleted(untouched)
	require.Equal(t, "200 duplicate", describe(s.post(terminated)), "an operator's word is not undone by a redelivery")
	effects.recorded(1)
	replayed := s.replay(terminated.key())
	require.Equal(t, http.StatusAccepted, replayed.status, "%s", replayed.body)
	s.awaitCompleted(terminated.key())
	effects.recorded(2)
}

// reconcile starts the housekeeping run now instead of at the next full minute.
func (in *installation) reconcile() {
	in.t.Helper()
	handle := in.temporal.ScheduleClient().GetHandle(in.t.Context(), "hookflow-reconcile")
	until(in.t, "the schedule is there", func() bool {
		_, err := handle.Describe(in.t.Context())
		return err == nil
	})
	require.NoError(in.t, handle.Trigger(in.t.Context(), client.ScheduleTriggerOptions{}))
}

func (s *server) replay(key string) *reply {
	s.t.Helper()
	got, err := s.ask(http.MethodPost, "/v1/events/"+url.PathEscape(key)+"/replay")
	require.NoError(s.t, err)
	return got
}

// twice has two steps, the second of which gives up soon.
const twice = quickly + `
routes:
  - provider: stripe
    type: checkout.session.*
    steps:
      - {name: first, activity: stripe.RecordCheckout, policy: quickly}
      - name: second
        activity: stripe.RetrieveCheckout
        policy: quickly
        schedule_to_close_timeout: 3s
`

// A replay goes on where the failed run stopped.
func TestReplay(t *testing.T) {
	t.Parallel()
	in, api := install(t).withStripeAPI()
	in = in.routed(twice)
	effects := in.watchCheckouts()
	api.outOfOrder.Store(true)
	s := in.serve()
	d := s.checkout()
	s.accept(d)
	s.awaitTrying(d.key())
	require.Equal(t, "event_not_final", requireProblem(t, http.StatusConflict, s.replay(d.key())).Code)
	failed := s.awaitStatus(d.key(), event.Failed)
	require.Equal(t, []string{"first", "second"}, steps(failed))
	require.Equal(t, event.Completed, failed.Steps[0].Status)
	require.Equal(t, event.Failed, failed.Steps[1].Status)
	requireProblem(t, http.StatusNotFound, s.replay("stripe:evt_nobody"))

	api.outOfOrder.Store(false)
	got := s.replay(d.key())
	require.Equal(t, http.StatusAccepted, got.status, "%s", got.body)
	require.Equal(t, 1, decode[event.Record](t, got.body).Generation)
	again := s.awaitStatus(d.key(), event.Completed)
	require.Equal(t, 1, again.Generation)
	require.NotEqual(t, *failed.RunID, *again.RunID)
	require.Equal(t, failed.Steps[0], again.Steps[0], "the completed step is not repeated")
	require.Equal(t, event.Completed, again.Steps[1].Status)
	require.Nil(t, again.LastError)
	require.Equal(t, 2, effects.count("*"), "one effect of each step")
	until(t, "both runs are visible", func() bool { return in.runs(d.event.WorkflowID()) == 2 })
	require.Equal(t, "200 duplicate", describe(s.post(d)))

	unchanged := s.show(d.key())
	require.Equal(t, http.StatusAccepted, s.replay(d.key()).status, "a completed event too")
	third := s.await(d.key(), "completed again", func(e event.Detail) bool { return e.Generation == 2 && e.Status == event.Completed })
	require.Equal(t, unchanged.Steps, third.Steps)

	_, err := in.temporal.WorkflowService().DeleteWorkflowExecution(t.Context(), &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: in.env["TEMPORAL_NAMESPACE"], WorkflowExecution: execution(d, *third.RunID),
	})
	require.NoError(t, err)
	until(t, "Temporal has forgotten the run", func() bool {
		_, err := in.temporal.DescribeWorkflowExecution(t.Context(), d.event.WorkflowID(), *third.RunID)
		return err != nil
	})
	require.Equal(t, http.StatusAccepted, s.replay(d.key()).status)
	s.await(d.key(), "completed without the run", func(e event.Detail) bool { return e.Generation == 3 && e.Status == event.Completed })
}

// Replays asked for at once are one.
func TestReplaysAtOnce(t *testing.T) {
	t.Parallel()
	in := install(t)
	s := in.serve()
	d := s.checkout()
	s.accept(d)
	s.awaitCompleted(d.key())
	effects := in.watchCheckouts()
	answers := make(chan int, 8)
	for range cap(answers) {
		go func() {
			got, err := s.ask(http.MethodPost, "/v1/events/"+d.event.ID+"/replay")
			if err != nil {
				answers <- 0
				return
			}
			answers <- got.status
		}()
	}
	taken := 0
	for range cap(answers) {
		switch status := <-answers; status {
		case http.StatusAccepted:
			taken++
		default:
			require.Equal(t, http.StatusConflict, status)
		}
	}
	got := s.await(d.key(), "completed", func(e event.Detail) bool { return e.Status == event.Completed && e.Generation == taken })
	until(t, "every run is visible", func() bool { return in.runs(d.event.WorkflowID()) == taken+1 })
	require.Len(t, got.Steps, 1)
	effects.recorded(0) // its step is done
}
