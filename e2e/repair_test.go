package e2e_test

import (
	"net/http"
	"net/url"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// tomorrow has a step whose next attempt lies far ahead.
const tomorrow = `
policies:
  tomorrow:
    start_to_close_timeout: 5s
    retry_policy: {initial_interval: 24h, backoff_coefficient: 1}
routes:
  - provider: stripe
    type: checkout.session.*
    steps: [{name: retrieve, activity: stripe.RetrieveCheckout, policy: tomorrow}]
`

// act posts a verb to an event.
func (s *server) act(key, verb string) *reply {
	s.t.Helper()
	got, err := s.ask(http.MethodPost, "/v1/events/"+url.PathEscape(key)+"/"+verb)
	require.NoError(s.t, err)
	return got
}

// A step that waits for tomorrow is attempted when an operator says so, and its attempts stay counted.
func TestRetryNow(t *testing.T) {
	t.Parallel()
	in, api := install(t).withStripeAPI()
	in = in.routed(tomorrow)
	api.outOfOrder.Store(true)
	s := in.serve()
	d := s.checkout()
	s.accept(d)
	attempts := func(n int) { s.await(d.key(), "tried again", func(e event.Detail) bool { return e.Attempts == n }) }
	attempts(1)
	for n := 2; n <= 3; n++ {
		// The row hears of a failed attempt a moment before Temporal does.
		until(t, "the step waits", func() bool { return s.act(d.key(), "retry").status == http.StatusAccepted })
		attempts(n)
	}
	pending, err := in.temporal.DescribeWorkflowExecution(t.Context(), d.event.WorkflowID(), "")
	require.NoError(t, err)
	until(t, "Temporal counts on", func() bool {
		pending, err = in.temporal.DescribeWorkflowExecution(t.Context(), d.event.WorkflowID(), "")
		require.NoError(t, err)
		return pending.PendingActivities[0].Attempt == 4
	})
	require.False(t, pending.PendingActivities[0].Paused)

	api.outOfOrder.Store(false)
	got := command(t, in.env, "events", "retry", d.key(), "--url", s.ops)
	require.Zero(t, got.code, got.stderr)
	done := s.awaitStatus(d.key(), event.Completed)
	require.Equal(t, 4, done.Steps[0].Attempts)
	require.Equal(t, "event_final", requireProblem(t, http.StatusConflict, s.act(d.key(), "retry")).Code)
	require.Equal(t, "event_unknown", requireProblem(t, http.StatusNotFound, s.act("stripe:evt_nobody", "retry")).Code)
}

// An event is cancelled while it runs, and before its run begins.
func TestCancel(t *testing.T) {
	t.Parallel()
	in, api := install(t).withStripeAPI()
	in = in.routed(before)
	in.watchCheckouts()
	api.outOfOrder.Store(true)
	door := in.serve("--only", "api")
	pending := door.checkout()
	door.accept(pending)
	until(t, "its run waits for a worker", func() bool { return in.runs(pending.event.WorkflowID()) == 1 })
	got := door.act(pending.key(), "cancel")
	require.Equal(t, http.StatusAccepted, got.status, "%s", got.body)
	require.Equal(t, event.Failed, decode[event.Record](t, got.body).Status, "at once")
	require.Equal(t, "event_final", requireProblem(t, http.StatusConflict, door.act(pending.key(), "cancel")).Code)

	s := in.serve("--only", "worker")
	running := door.checkout()
	door.accept(running)
	door.awaitTrying(running.key())
	require.Equal(t, http.StatusAccepted, door.act(running.key(), "cancel").status)
	ended := door.awaitStatus(running.key(), event.Failed)
	require.Equal(t, "cancelled", *ended.LastErrorType)

	api.outOfOrder.Store(false)
	until(t, "the late run has ended", func() bool {
		return in.count(`WorkflowId = "`+pending.event.WorkflowID()+`" AND ExecutionStatus = "Completed"`) == 1
	})
	ended = door.show(pending.key())
	require.Equal(t, event.Failed, ended.Status, "the late run took no step")
	require.Equal(t, "cancelled", *ended.LastErrorType)
	require.Equal(t, "cancelled by tester", *ended.LastError)
	require.Empty(t, ended.Steps)
	// An attempt of the other one may have been under way when it was cancelled, and goes on to its end.
	session := decode[struct {
		Data struct{ Object struct{ ID string } }
	}](t, pending.body).Data.Object.ID
	require.NotEmpty(t, session)
	require.Zero(t, testkit.Query[int](t, in.database, "SELECT count(*)::int FROM effects WHERE session_id = $1", session))

	require.Equal(t, http.StatusAccepted, door.replay(pending.key()).status, "what was cancelled can be replayed")
	door.awaitCompleted(pending.key())
	s.drain()
}

// atOnce gives up at Stripe's first error. An attempt that a killed server took with it is made again.
const atOnce = `
policies:
  at-once:
    start_to_close_timeout: 5s
    retry_policy: {initial_interval: 200ms, non_retryable_error_types: [StripeError]}
routes:
  - provider: stripe
    type: checkout.session.*
    steps:
      - {name: first, activity: stripe.RecordCheckout, policy: at-once}
      - {name: second, activity: stripe.RetrieveCheckout, policy: at-once}
`

// A replay of many events goes on in the next process, and beside another, and runs each of them once.
func TestReplayOfManySurvivesRestarts(t *testing.T) {
	t.Parallel()
	in, api := install(t).withStripeAPI()
	in = in.routed(atOnce)
	effects := in.watchCheckouts()
	api.outOfOrder.Store(true)
	s := in.serve()
	const events = 40
	for range events {
		s.acceptNew()
	}
	until(t, "all have failed", func() bool { return in.rows("status = 'failed'") == events })
	effects.recorded(events) // of the first step
	api.outOfOrder.Store(false)

	watching := run(t, in.env, "replay", "--status", "failed", "--type", "checkout.*", "--rate", "20", "--yes", "--url", s.ops)
	until(t, "some were moved", func() bool { return in.rows("generation = 1") >= events/4 })
	s.kill()
	until(t, "the command waits for the server", func() bool { return len(watching.stderr.String()) > 0 && !watching.ended() })
	watching.kill()
	left := in.rows("generation = 0")
	require.NotZero(t, left, "the replay was in the middle")
	first, second := in.serve(), in.serve()
	until(t, "all are completed", func() bool { return in.rows("status = 'completed' AND generation = 1") == events })

	replays := decode[struct{ Replays []event.Replay }](t, first.get("/v1/replays").body).Replays
	require.Len(t, replays, 1)
	until(t, "the replay is over", func() bool {
		replays[0] = decode[event.Replay](t, second.get("/v1/replays/"+replays[0].ID).body)
		return replays[0].State == event.ReplayCompleted
	})
	got := replays[0]
	require.Equal(t, "tester", got.Author)
	require.Equal(t, []int{events, events, events, 0, 0}, []int{got.Matched, got.Moved, got.Completed, got.Failed, got.Skipped})
	require.Equal(t, 2*events, testkit.Query[int](t, in.database, "SELECT count(*)::int FROM event_steps WHERE status = 'completed'"))
	require.Equal(t, 2*events, effects.count("*"), "one effect of each step of each event")

	again := command(t, in.env, "replay", "--status", "failed", "--yes", "--url", first.ops)
	require.Zero(t, again.code)
	require.Contains(t, again.stderr, "no completed or failed events match")
	all := command(t, in.env, "replay", "--type", "*", "--from", "start", "--yes", "--url", first.ops)
	require.Zero(t, all.code, all.stderr)
	require.Contains(t, all.stdout, "40 events replayed: 40 completed, 0 failed; in ")
	require.Equal(t, 2*events, testkit.Query[int](t, in.database, "SELECT count(*)::int FROM event_steps WHERE epoch = 1 AND status = 'completed'"))
}
