// Early in the alphabet, since go starts tests in the order of their files, and this one takes as long as all others together.

package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
)

// retrievingBoth has one step, which calls Stripe's API. That of a session that was completed is tried again for as long as it
// takes, that of one that expired as often as is said. Two thousand runs that fail make 33 attempts a second at full size:
// what two cores carry beside other tests. The outage would spend the limit, if it counted.
func retrievingBoth() string {
	pauses := scaled("initial_interval: 500ms, maximum_interval: 5s", "initial_interval: 30s, maximum_interval: 60s")
	return `
policies:
  patiently:
    start_to_close_timeout: 5s
    retry_policy: {` + pauses + `}
  limited:
    start_to_close_timeout: 5s
    retry_policy: {` + pauses + `, maximum_attempts: ` + scaled("40", "12") + `}
routes:
  - provider: stripe
    type: ` + unlimitedType + `
    steps: [{activity: stripe.RetrieveCheckout, policy: patiently}]
  - provider: stripe
    type: ` + limitedType + `
    steps: [{activity: stripe.RetrieveCheckout, policy: limited}]
`
}

const (
	unlimitedType = "checkout.session.completed"
	limitedType   = "checkout.session.expired"
)

// mostForAnOutage is how many events an outage of Postgres may add to the history of a run.
const mostForAnOutage = 8

// Runs that are in flight when Postgres goes away wait for it without filling their histories, and without spending the
// attempts that their steps have.
func TestChaosPostgresAwayUnderRuns(t *testing.T) {
	t.Parallel()
	in, postgres, _ := proxied(t)
	in, api := in.apart().withStripeAPI()
	c := unleash(t, in.routed(retrievingBoth()))
	flying := scaled(50, 2000)
	to := at(c.serve())

	api.outOfOrder.Store(true)
	undisturbed := c.bothKinds(6)
	c.postAll(to, 6, undisturbed, c.persist)
	until(t, "handlers fail and are tried again", func() bool { return c.rows("attempts > 0") == len(undisturbed) })
	api.outOfOrder.Store(false)
	c.settled()
	usual := c.longest()

	api.outOfOrder.Store(true)
	began := time.Now()
	c.postAll(to, 16, c.bothKinds(flying), c.persist)
	require.Eventually(t, func() bool { return c.rows("attempts > 0") == len(undisturbed)+flying }, scaled(patience, 5*time.Minute), 100*time.Millisecond)
	t.Logf("%d runs are in flight after %s", flying, time.Since(began).Round(time.Millisecond))
	postgres.Refuse()
	api.outOfOrder.Store(false)
	<-time.After(scaled(5*time.Second, 10*time.Minute))
	require.Equal(t, flying, c.rows("status = 'processing'"), "all are in flight still")
	postgres.Heal()
	healed := time.Now()
	c.settled()
	c.within("all runs end after Postgres's return", time.Since(healed), scaled(time.Minute, 2*time.Minute))
	c.requireSound()
	longest := c.longest()
	for _, kind := range []string{unlimitedType, limitedType} {
		t.Logf("history events of a run of %s: %d without an outage, at most %d with one", kind, usual[kind], longest[kind])
		require.LessOrEqual(t, longest[kind], usual[kind]+mostForAnOutage)
	}
	require.Greater(t, longest[limitedType], usual[limitedType], "steps with a limit met the outage")
}

// bothKinds makes n fresh checkouts, half of them of each type.
func (c *chaos) bothKinds(n int) []*delivery {
	c.t.Helper()
	all := make([]*delivery, n)
	for i := range all {
		all[i] = c.sample("stripe", []string{unlimitedType, limitedType}[i%2])
	}
	return all
}

// longest is the length of the longest history of an event's run, by type, once visibility shows all of them closed. A
// workflow task that nobody took in time is not counted: that is the machine's doing.
func (c *chaos) longest() map[string]int64 {
	c.t.Helper()
	rows, longest := c.ledger(), map[string]int64{}
	until(c.t, "all runs are closed", func() bool {
		runs := c.temporalRuns()
		for _, row := range rows {
			if len(runs[row.WorkflowID]) == 0 {
				return false
			}
			for _, run := range runs[row.WorkflowID] {
				if run.length == 0 {
					return false
				}
				if run.length > longest[row.Type] {
					longest[row.Type] = max(longest[row.Type], run.length-c.late(run))
				}
			}
		}
		return len(longest) > 0
	})
	return longest
}

// late is how many events of a history are there since workflow tasks were not taken in time.
func (c *chaos) late(run temporalRun) (n int64) {
	c.t.Helper()
	history := c.temporal.GetWorkflowHistory(c.t.Context(), run.id, run.run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		require.NoError(c.t, err)
		if e.EventType == enums.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT {
			n += 2 // itself, and the task that was scheduled instead
			if e.GetWorkflowTaskTimedOutEventAttributes().StartedEventId != 0 {
				n++
			}
		}
	}
	return n
}
