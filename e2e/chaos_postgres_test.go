package e2e_test

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"hookflow/internal/devstack"
	"hookflow/internal/testkit"
	"hookflow/migrations"

	"github.com/stretchr/testify/require"
)

// While Postgres refuses connections senders post on and hear 200, since Temporal keeps the events; the rows follow.
func TestChaosPostgresRefuses(t *testing.T) {
	besideOthers(t) // each event is a start, and Temporal would share itself
	in, postgres, _ := proxied(t)
	c := unleash(t, in)
	c.throughLedgerOutage(c.serve(), postgres.Refuse, postgres.Heal)
}

// A Postgres that stands still, every process of it, keeps its connections and answers nothing.
func TestChaosPostgresStalls(t *testing.T) {
	besideOthers(t) // each event is a start, and Temporal would share itself
	pg, in := installAlone(t)
	c := unleash(t, in)
	c.throughLedgerOutage(c.serve(), func() { freeze(t, pg.Pid) }, func() { thaw(t, pg.Pid) })
}

// throughLedgerOutage posts before, during and after an outage of Postgres.
func (c *chaos) throughLedgerOutage(s *server, begin, end func()) {
	c.t.Helper()
	to := at(s)
	c.postAll(to, 2, c.checkoutsOf(10), c.persist)
	c.settled()
	mark := c.history.mark()
	begin()
	c.postFor(outage(), duringOutages(), to, c.persist)
	end()
	healed := time.Now()
	during := c.history.since(mark)
	c.requireTaken(during)
	c.t.Logf("while Postgres is away: p50 %s, p99 %s", quantile(during, 0.5), quantile(during, 0.99))
	c.settled()
	c.within("rows of all events, final, after the heal", time.Since(healed), time.Minute)
	c.requireSound()
	until(c.t, "the ledger is used again", func() bool { return s.labelled("hookflow_place_available", "ledger") == 1 })
	c.persist(to, c.checkout())
	c.requireSound()
}

// installAlone is an installation with a Postgres that no other test uses.
func installAlone(t *testing.T) (*devstack.Postgres, *installation) {
	t.Helper()
	pg, err := devstack.StartPostgres(t.Context(), devstack.PostgresOptions{Fast: true, DieWithParent: true})
	require.NoError(t, err)
	t.Cleanup(pg.Kill)
	_, err = migrations.Up(t.Context(), pg.URL())
	require.NoError(t, err)
	in := installWithoutServers(t)
	in.useTemporal(pg.URL())
	return pg, in
}

// useTemporal gives an installation a database and a namespace of its own.
func (in *installation) useTemporal(database string) {
	in.t.Helper()
	namespace := testkit.Namespace(in.t)
	in.database, in.temporal = database, testkit.Client(in.t, namespace)
	in.env["DATABASE_URL"], in.env["TEMPORAL_ADDRESS"], in.env["TEMPORAL_NAMESPACE"] = database, testkit.TemporalAddress(in.t), namespace
}

// freeze stops a process and its children, the parent first, so that it makes no more of them.
func freeze(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	for _, child := range childrenOf(t, pid) {
		_ = syscall.Kill(child, syscall.SIGSTOP) // one may have ended meanwhile
	}
}

func thaw(t *testing.T, pid int) {
	t.Helper()
	for _, child := range childrenOf(t, pid) {
		_ = syscall.Kill(child, syscall.SIGCONT)
	}
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
}

// With both stores away the sender is asked to come again, in good time, and an event that comes again is one event.
func TestChaosBothAway(t *testing.T) {
	t.Parallel()
	in, postgres, temporal := proxied(t)
	c := unleash(t, in)
	to := at(c.serve())
	c.postAll(to, 2, c.checkoutsOf(5), c.persist)
	c.settled()
	mark := c.history.mark()
	postgres.Refuse()
	temporal.Refuse()
	during := c.checkoutsOf(int(outage().Seconds()*duringOutages()) / 2)
	c.pace(duringOutages(), during, func(d *delivery) { c.once(to, d) })
	lines := c.history.since(mark)
	require.Equal(t, map[string]int{"Service Unavailable": len(during)}, tally(lines))
	for _, l := range lines {
		seconds, err := strconv.Atoi(l.header.Get("Retry-After"))
		require.NoError(t, err)
		require.Positive(t, seconds)
	}
	c.within("slowest 503", quantile(lines, 1), 5*time.Second)
	postgres.Heal()
	temporal.Heal()
	c.postAll(to, 8, during, c.persist)
	require.Len(t, c.requireSound(), 5+len(during))
}
