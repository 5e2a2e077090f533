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
	until(c.t, "all rows are final", func() bool {
		if c.rows("status NOT IN ('completed', 'failed')") == 0 {
			return true
		}
		testkit.Exec(c.t, c.database, `UPDATE webhook_events SET dispatched_at = dispatched_at - interval '10 minutes'
			WHERE status IN ('pending', 'processing') AND dispatched_at > now() - interval '3 minutes'`)
		c.reconcile()
		<-time.After(500 * time.Millisecond)
		return false
	})
}

// requireEachHasOneEffect is the part of the check that holds whichever of the two stores has forgotten something.
func (c *chaos) requireEachHasOneEffect(n int) map[string]kept {
	c.t.Helper()
	rows := c.ledger()
	require.Len(c.t, rows, n)
	wrong := c.history.against(rows, c.doomed)
	require.Empty(c.t, wrong.lines, "seed %d", c.seed)
	return rows
}

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

// Rows that are not final while their runs are over, however that came about, are put right.
func TestChaosDrift(t *testing.T) {
	t.Parallel()
	c := unleash(t, install(t))
	s := c.serve()
	n := scaled(16, 400)
	all := c.checkoutsOf(n)
	c.postAll(at(s), 4, all, c.persist)
	c.requireSound()
	testkit.Exec(t, c.database, `UPDATE webhook_events SET status = (CASE WHEN random() < 0.5 THEN 'pending' ELSE 'processing' END)::webhook_status,
		finished_at = NULL WHERE id IN (SELECT id FROM webhook_events ORDER BY id LIMIT $1)`, n/4)
	began := time.Now()
	c.reconciled()
	c.within("drifted rows are final", time.Since(began), time.Minute)
	c.requireSound()
	require.Equal(t, n/4, c.rows("generation = 1"))
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
