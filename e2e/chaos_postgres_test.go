package e2e_test

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hookflow/internal/devstack"
	"hookflow/internal/testkit"
	"hookflow/migrations"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
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

func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	require.NoError(t, err)
	var children []int
	for row := range strings.Lines(string(out)) {
		fields := strings.Fields(row)
		if len(fields) == 2 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(fields[0])
			require.NoError(t, err)
			children = append(children, child)
		}
	}
	require.NotEmpty(t, children)
	return children
}

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
