package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/samples"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
)

// One event that can never succeed, in the middle of a crowd: the crowd does not notice, one report is sent, and the same
// request again is still the same event.
func TestChaosPoison(t *testing.T) {
	t.Parallel()
	in, reports := install(t).withSentry()
	c := unleash(t, in)
	s := c.serve()
	to := at(s)
	all := c.checkoutsOf(scaled(40, 1000))
	poison := c.hopeless("nobody@example.test")
	c.doomed[poison.key()] = true
	half := len(all) / 2
	c.postAll(to, 4, append(append(append([]*delivery{}, all[:half]...), poison), all[half:]...), c.persist)
	c.requireSound()
	require.Equal(t, "200 duplicate", c.answered(to, poison).outcome)
	got := s.show(poison.key())
	require.Equal(t, "InvalidPayload", *got.LastErrorType)
	require.Equal(t, http.StatusAccepted, s.replay(poison.key()).status)
	s.await(poison.key(), "failed again", func(e event.Detail) bool { return e.Status == event.Failed && e.Generation == 1 })
	c.requireSound()
	s.drain()
	require.Len(t, reports.events(), 2, "one for each generation")
}

// limited has one step, which is tried four times.
const limited = `
policies:
  four times:
    start_to_close_timeout: 5s
    retry_policy: {initial_interval: 100ms, backoff_coefficient: 1, maximum_attempts: 4}
routes:
  - provider: stripe
    type: checkout.session.*
    steps: [{activity: stripe.RetrieveCheckout, policy: four times}]
`

// A step is tried as often as was declared and not once more; the event and its run then fail.
func TestChaosRetriesExhausted(t *testing.T) {
	t.Parallel()
	in, api := install(t).withStripeAPI()
	c := unleash(t, in.routed(limited))
	api.outOfOrder.Store(true)
	s := c.serve()
	all := c.checkoutsOf(scaled(10, 100))
	for _, d := range all {
		c.doomed[d.key()] = true
	}
	c.postAll(at(s), 4, all, c.persist)
	c.requireSound()
	for _, d := range all {
		got := s.show(d.key())
		require.Len(t, got.Steps, 1)
		// The ledger notes a failed attempt as far as it answers in time; Temporal counts every one.
		require.LessOrEqual(t, got.Steps[0].Attempts, 4)
		require.EqualValues(t, 4, c.attemptsOf(d))
	}
	c.awaitRun(all[0], enums.WORKFLOW_EXECUTION_STATUS_FAILED)
}

// attemptsOf is how many attempts the last activity of d's run had, as Temporal counts.
func (c *chaos) attemptsOf(d *delivery) int32 {
	c.t.Helper()
	var attempts int32
	history := c.temporal.GetWorkflowHistory(c.t.Context(), d.event.WorkflowID(), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		require.NoError(c.t, err)
		if started := e.GetActivityTaskStartedEventAttributes(); started != nil {
			attempts = started.Attempt
		}
	}
	return attempts
}

// The events of one order arrive in any order; the order is right in the end.
func TestChaosOutOfOrder(t *testing.T) {
	t.Parallel()
	c := unleash(t, install(t))
	to := at(c.serve())
	orders := scaled(8, 200)
	var all []*delivery
	for range orders {
		object := "cs_test_" + strings.ToLower(c.word())
		for _, name := range []string{"checkout.session.completed.unpaid", "checkout.session.async_payment_succeeded", "checkout.session.expired"} {
			r, err := samples.Build("stripe", name, samples.Options{Now: time.Now(), Random: c.random, Object: object})
			require.NoError(t, err)
			all = append(all, c.sign("stripe", r))
		}
	}
	c.random.shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	c.postAll(to, 8, all, c.persist)
	require.Len(t, c.requireSound(), len(all))
	require.Equal(t, orders, testkit.Query[int](t, c.database, "SELECT count(*)::int FROM stripe_checkout_sessions WHERE state = 'paid' AND fulfilled_at IS NOT NULL"))
	require.Equal(t, orders, testkit.Query[int](t, c.database, "SELECT count(*)::int FROM stripe_checkout_sessions"))
}

// word is twelve letters that follow from the seed.
func (c *chaos) word() string {
	letters := make([]byte, 12)
	for i := range letters {
		letters[i] = byte('a' + c.random.intN(26))
	}
	return string(letters)
}

// mostHistory is what the run of an event of any size may leave in Temporal, in bytes.
const mostHistory = 10_000

// A report of 9 MiB is kept whole and handled, and Temporal hears next to nothing of it.
func TestChaosOversizedReport(t *testing.T) {
	t.Parallel()
	c := unleash(t, install(t))
	s := c.serve()
	report := c.sample("vapi", "end-of-call-report")
	var message map[string]any
	require.NoError(t, json.Unmarshal(report.body, &message))
	const enough = 9 << 20
	message["message"].(map[string]any)["artifact"] = map[string]any{"transcript": strings.Repeat("User: hello. ", enough/13)}
	body, err := json.Marshal(message)
	require.NoError(t, err)
	d := c.sign("vapi", unsigned(report, body))
	require.Equal(t, saidOK, c.answered(at(s), d).result)
	c.requireSound()
	require.Equal(t, len(d.event.Body), testkit.Query[int](t, c.database, "SELECT length(body) FROM webhook_bodies WHERE id = $1", d.event.ID))
	require.True(t, testkit.Query[bool](t, c.database, "SELECT length(transcript) > 9000000 FROM vapi_calls WHERE event = $1", d.event.ID))
	run, err := c.temporal.DescribeWorkflowExecution(t.Context(), d.event.WorkflowID(), "")
	require.NoError(t, err)
	t.Logf("%d bytes of body, %d of history", len(body), run.WorkflowExecutionInfo.HistorySizeBytes)
	require.Less(t, run.WorkflowExecutionInfo.HistorySizeBytes, int64(mostHistory))
}

// A burst of ten times the usual rate is taken whole, or shed with a word; the backlog is gone soon, and an event of
// another provider in the middle of it does not wait for its end.
func TestChaosBurst(t *testing.T) {
	besideOthers(t)
	c := unleash(t, install(t).apart())
	s := c.serve()
	to := at(s)
	c.persist(to, c.checkout())
	burst := c.checkoutsOf(scaled(120, 15_000))
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		c.pace(scaled(100.0, 500.0), burst, func(d *delivery) { c.persist(to, d) })
	}()
	c.awaitAnswers(c.history.mark(), len(burst)/2)
	other := c.sample("twilio", "call.completed")
	c.persist(to, other)
	began := time.Now()
	s.awaitCompleted(other.key())
	c.within("another provider's event in the middle of the burst", time.Since(began), 10*time.Second)
	<-posted
	// Two cores complete some 60 events a second on the dev server: 15,000 took 3 min 26 s behind their half minute.
	c.within("backlog gone after the burst", c.settled(), 6*time.Minute)
	require.Len(t, c.requireSound(), len(burst)+2)
}
