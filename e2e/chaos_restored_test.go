package e2e_test

import (
	"strings"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// backedUp is what a backup of the ledger holds, with the effects, which live in the same database.
var backedUp = []string{"webhook_events", "webhook_bodies", "webhook_payloads", "event_steps", "stripe_checkout_sessions", "chaos_effects"}

// backUp copies the ledger; restore puts the copy back.
func (c *chaos) backUp() (restore func()) {
	c.t.Helper()
	for _, table := range backedUp {
		testkit.Exec(c.t, c.database, "CREATE TABLE backup_of_"+table+" AS SELECT * FROM "+table)
	}
	return func() {
		c.t.Helper()
		statements := []string{"ALTER TABLE stripe_checkout_sessions DISABLE TRIGGER note_chaos_effect"}
		for _, table := range backedUp {
			statements = append(statements, "DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM backup_of_"+table)
		}
		statements = append(statements, "ALTER TABLE stripe_checkout_sessions ENABLE TRIGGER note_chaos_effect")
		for _, statement := range statements {
			testkit.Exec(c.t, c.database, statement)
		}
	}
}

// reconciled makes what is open look old enough to be looked after, and looks after it until nothing is open.
func (c *chaos) reconciled() {
	c.t.Helper()
	began := time.Now()
	for c.rows("status NOT IN ('completed', 'failed')") > 0 {
		require.Less(c.t, time.Since(began), 2*patience, "all rows are final")
		testkit.Exec(c.t, c.database, `UPDATE webhook_events SET dispatched_at = dispatched_at - interval '10 minutes'
			WHERE status IN ('pending', 'processing') AND dispatched_at > now() - interval '3 minutes'`)
		c.reconcile()
		<-time.After(500 * time.Millisecond)
	}
}

// requireEachHasOneEffect is the part of the check that holds whichever of the two stores has forgotten something.
func (c *chaos) requireEachHasOneEffect(n int) map[string]kept {
	c.t.Helper()
	rows := c.ledger()
	require.Len(c.t, rows, n)
	wrong := c.history.against(rows, c.doomed)
	require.Empty(c.t, wrong.lines, "seed %d; %v", c.seed, wrong.counts)
	return rows
}

// retrieving has one step, which calls Stripe's API and is tried again for as long as it takes.
const retrieving = `
policies:
  patiently:
    start_to_close_timeout: 5s
    retry_policy: {initial_interval: 500ms, backoff_coefficient: 2, maximum_interval: 5s}
routes:
  - provider: stripe
    type: checkout.session.*
    steps: [{activity: stripe.RetrieveCheckout, policy: patiently}]
`

// A ledger restored from a backup is behind Temporal: of some events it says that they are under way, of others it knows
// nothing, and all of them were completed. Effects went with it, so these events are run anew, and the log says so.
func TestChaosRestoredLedger(t *testing.T) {
	t.Parallel()
	in, api := install(t).withStripeAPI()
	c := unleash(t, in.routed(retrieving))
	s := c.serve()
	to := at(s)
	n := scaled(8, 300)
	finished, underWay, forgotten := c.checkoutsOf(n), c.checkoutsOf(n), c.checkoutsOf(n)

	c.postAll(to, 4, finished, c.persist)
	c.settled()
	api.outOfOrder.Store(true)
	c.postAll(to, 4, underWay, c.persist)
	until(t, "events are under way", func() bool { return c.rows("status = 'processing' AND attempts > 0") == n })
	restore := c.backUp()
	api.outOfOrder.Store(false)
	c.postAll(to, 4, forgotten, c.persist)
	c.requireSound()
	s.drain()

	restore()
	require.Equal(t, 2*n, c.rows("true"))
	s = c.serve()
	to.move(s)
	c.postAll(to, 4, forgotten, c.persist) // as a provider's list of undelivered events would
	c.reconciled()
	rows := c.requireEachHasOneEffect(3 * n)
	c.requireRunsAsRows(rows)
	for _, d := range append(underWay, forgotten...) {
		require.Equal(t, 1, rows[d.key()].Generation, d.key())
	}
	require.Equal(t, 2*n, strings.Count(s.stderr.String(), "its run completed, and the ledger has forgotten it"))
}

// A Temporal that lost everything gets the events again that were under way; what was finished stays finished.
func TestChaosTemporalLostItsRuns(t *testing.T) {
	t.Parallel()
	in, api := install(t).withStripeAPI()
	c := unleash(t, in.routed(retrieving))
	s := c.serve()
	to := at(s)
	n := scaled(8, 300)
	c.postAll(to, 4, c.checkoutsOf(n), c.persist)
	c.settled()
	api.outOfOrder.Store(true)
	underWay := c.checkoutsOf(n)
	c.postAll(to, 4, underWay, c.persist)
	until(t, "events are under way", func() bool { return c.rows("status = 'processing' AND attempts > 0") == n })
	s.drain()

	c.useTemporal(c.database) // with a namespace that knows nothing
	s = c.serve()
	api.outOfOrder.Store(false)
	c.reconciled()
	rows := c.requireEachHasOneEffect(2 * n)
	again := map[string]kept{}
	for _, d := range underWay {
		again[d.key()] = rows[d.key()]
		require.Zero(t, rows[d.key()].Generation)
	}
	c.requireRunsAsRows(again)
	require.Equal(t, n, strings.Count(s.stderr.String(), "Temporal knows no run"))
}

// drifts are ways in which a row can come to differ from its run, however that came about.
var drifts = []string{
	"UPDATE webhook_events SET status = 'pending', finished_at = NULL WHERE id = $1",
	"UPDATE webhook_events SET status = 'processing' WHERE id = $1",
	"UPDATE webhook_events SET status = 'failed', last_error = 'by hand', last_error_type = 'Hand' WHERE id = $1",
	"UPDATE webhook_events SET status = CASE status WHEN 'failed' THEN 'completed' ELSE 'failed' END::webhook_status WHERE id = $1",
	"UPDATE event_steps SET status = CASE status WHEN 'failed' THEN 'completed' ELSE 'failed' END::webhook_status WHERE event = $1",
	"UPDATE event_steps SET status = 'processing', finished_at = NULL WHERE event = $1",
	"DELETE FROM event_steps WHERE event = $1 AND (SELECT status = 'completed' FROM webhook_events WHERE id = $1)",
}

// asEnded is what the ledger says of every event and its steps.
func (c *chaos) asEnded() string {
	c.t.Helper()
	return testkit.Query[string](c.t, c.database, `SELECT string_agg(concat_ws(' ', e.id, e.status, e.generation, e.last_error_type, s.step, s.status, s.error_type), E'\n' ORDER BY e.id)
		FROM webhook_events e LEFT JOIN event_steps s ON s.event = e.id`)
}

// Rows and steps that are not as their run ended, while it ended within the hour, are put right, and nothing runs anew.
func TestChaosDrift(t *testing.T) {
	t.Parallel()
	c := unleash(t, install(t))
	s := c.serve()
	all := c.checkoutsOf(scaled(2, 50) * len(drifts))
	for range len(drifts) {
		d := c.hopeless("nobody@example.test")
		c.doomed[d.key()] = true
		all = append(all, d)
	}
	c.postAll(at(s), 4, all, c.persist)
	c.requireSound()
	before := c.asEnded()
	for i, d := range all {
		testkit.Exec(t, c.database, drifts[i%len(drifts)], d.event.ID)
	}
	require.NotEqual(t, before, c.asEnded())
	began := time.Now()
	require.Eventually(t, func() bool { return c.asEnded() == before }, 2*patience, 100*time.Millisecond)
	c.within("drifted rows are as their runs ended", time.Since(began), time.Minute)
	c.requireSound()
}

// An event that Temporal has forgotten comes again while the ledger is away: its second run finds the finished row, and
// ends without a step.
func TestChaosForgottenByTemporal(t *testing.T) {
	t.Parallel()
	in, postgres, _ := proxied(t)
	c := unleash(t, in)
	s := c.serve()
	to := at(s)
	all := c.checkoutsOf(scaled(5, 50))
	c.postAll(to, 4, all, c.persist)
	c.requireSound()
	s.drain()

	throughProxy := c.env["DATABASE_URL"]
	c.useTemporal(c.database)
	c.env["DATABASE_URL"] = throughProxy
	s = c.serve()
	to.move(s)
	postgres.Refuse()
	c.postAll(to, 4, all, c.persist)
	postgres.Heal()
	until(t, "the second runs are over", func() bool { return c.count(eventRuns+` AND ExecutionStatus = "Completed"`) == len(all) })
	for key, row := range c.requireEachHasOneEffect(len(all)) {
		require.Equal(t, string(event.Completed), row.Status, key)
		require.Zero(t, row.Generation, key)
	}
	require.Zero(t, c.count(eventRuns+` AND ExecutionStatus != "Completed"`))
}
