package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// The sink: one line per committed writing of a checkout, a repeated one included, made inside the handler's transaction.
const sink = `
CREATE TABLE chaos_effects (event uuid NOT NULL);
CREATE FUNCTION note_chaos_effect() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO chaos_effects VALUES (NEW.event);
	RETURN NEW;
END $$;
CREATE TRIGGER note_chaos_effect BEFORE INSERT ON stripe_checkout_sessions FOR EACH ROW EXECUTE FUNCTION note_chaos_effect()`

func (c *chaos) countEffects() {
	c.t.Helper()
	testkit.Exec(c.t, c.database, sink)
}

// kept is what the ledger and the sink hold of an event.
type kept struct {
	Key, Type, Status, WorkflowID, RunID string
	Generation, Effects, Steps           int
}

// ledger is every row by its key.
func (c *chaos) ledger() map[string]kept {
	c.t.Helper()
	conn, err := pgx.Connect(c.t.Context(), c.database)
	require.NoError(c.t, err)
	defer func() { _ = conn.Close(c.t.Context()) }()
	found, err := conn.Query(c.t.Context(), `
		SELECT e.provider || ':' || e.event_id, e.event_type, e.status::text, e.workflow_id, coalesce(e.run_id, ''), e.generation,
			coalesce(f.n, 0)::int, coalesce(s.n, 0)::int
		FROM webhook_events e
		LEFT JOIN (SELECT event, count(*) n FROM chaos_effects GROUP BY event) f ON f.event = e.id
		LEFT JOIN (SELECT event, count(*) n FROM event_steps WHERE status = 'completed' GROUP BY event) s ON s.event = e.id`)
	require.NoError(c.t, err)
	list, err := pgx.CollectRows(found, pgx.RowToStructByPos[kept])
	require.NoError(c.t, err)
	rows := make(map[string]kept, len(list))
	for _, row := range list {
		rows[row.Key] = row
	}
	return rows
}

// temporalRun is a run of an event as Temporal's visibility has it.
type temporalRun struct {
	id, run string
	status  enums.WorkflowExecutionStatus
	length  int64
}

// temporalRuns is every run of an event, by workflow ID.
func (c *chaos) temporalRuns() map[string][]temporalRun {
	c.t.Helper()
	runs := map[string][]temporalRun{}
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: eventRuns, PageSize: 1000}
	for began := time.Now(); ; {
		page, err := c.temporal.ListWorkflow(c.t.Context(), request)
		if err != nil && time.Since(began) < scaled(patience, 5*time.Minute) { // a busy server has more to do than to list
			<-time.After(time.Second)
			continue
		}
		require.NoError(c.t, err)
		for _, run := range page.Executions {
			id := run.Execution.WorkflowId
			runs[id] = append(runs[id], temporalRun{id, run.Execution.RunId, run.Status, run.HistoryLength})
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			return runs
		}
	}
}

// settled waits until every event that was acknowledged, and every row, is final, and returns how long that took.
func (c *chaos) settled() time.Duration {
	c.t.Helper()
	began := time.Now()
	ok := len(c.history.keys(saidOK))
	final := func() bool {
		return c.rows("status NOT IN ('completed', 'failed')") == 0 && c.rows("true") >= ok
	}
	require.Eventually(c.t, final, scaled(patience, 5*time.Minute), 100*time.Millisecond,
		"%d events acknowledged: all rows are final", ok)
	return time.Since(began)
}

// requireSound compares what the senders heard with the ledger, the sink and Temporal, row by row.
func (c *chaos) requireSound() map[string]kept {
	c.t.Helper()
	c.settled()
	rows := c.ledger()
	wrong := c.history.against(rows, c.doomed)
	require.Empty(c.t, wrong.lines, "seed %d; %v", c.seed, wrong.counts)
	c.requireRunsAsRows(rows)
	c.t.Logf("%d requests %v; %d events, %d acknowledged; lost 0, double 0, ghost 0; p50 %s, p99 %s",
		len(c.history.all()), tally(c.history.all()), len(rows), len(c.history.keys(saidOK)),
		quantile(c.history.all(), 0.5).Round(100*time.Microsecond), quantile(c.history.all(), 0.99).Round(time.Millisecond))
	return rows
}

// requireTaken requires that senders heard 200 each time. Small, one on a busy machine may have been asked to come again,
// which it did: how soon a store answers is a matter of time.
func (c *chaos) requireTaken(lines []line) {
	c.t.Helper()
	got := tally(lines)
	for _, l := range lines {
		if l.err != nil {
			c.t.Logf("no answer after %s: %v", l.latency, l.err)
		}
	}
	for outcome, n := range got {
		if outcome != "200 accepted" && outcome != "200 duplicate" {
			require.False(c.t, *chaosFull, "%v", got)
			require.Contains(c.t, []string{"Service Unavailable", "no answer"}, outcome, "%d times", n)
		}
	}
	require.NotZero(c.t, got["200 accepted"])
}

// against compares what the senders heard with what became of it; doomed events are meant to fail.
func (h *history) against(rows map[string]kept, doomed map[string]bool) findings {
	ok, known := h.keys(saidOK), h.keys(saidOK, saidInfo)
	var wrong findings
	for key := range ok {
		if doomed[key] {
			if rows[key].Status != string(event.Failed) {
				wrong.add("undead", key, "meant to fail, and %q", rows[key].Status)
			}
			continue
		}
		if rows[key].Status != string(event.Completed) {
			wrong.add("lost", key, "acknowledged, and %q", rows[key].Status)
		}
	}
	for key, row := range rows {
		if !known[key] && row.Status == string(event.Completed) {
			wrong.add("ghost", key, "completed, and never sent, or refused")
		}
		if row.Effects > 1 {
			wrong.add("double", key, "%d effects", row.Effects)
		}
		if row.Status == string(event.Completed) && strings.HasPrefix(row.Type, "checkout.session") && (row.Effects != 1 || row.Steps != 1) {
			wrong.add("hollow", key, "completed with %d effects and %d completed steps", row.Effects, row.Steps)
		}
	}
	return wrong
}

// requireRunsAsRows requires one run per event and generation, ended as the row says, and no other run. Visibility is
// behind by some moments.
func (c *chaos) requireRunsAsRows(rows map[string]kept) {
	c.t.Helper()
	var wrong findings
	for began := time.Now(); ; {
		wrong = runsAgainstRows(rows, c.temporalRuns())
		if len(wrong.lines) == 0 || time.Since(began) > patience {
			break
		}
		<-time.After(100 * time.Millisecond)
	}
	require.Empty(c.t, wrong.lines, "seed %d; %v", c.seed, wrong.counts)
}

var endOf = map[string]enums.WorkflowExecutionStatus{
	string(event.Completed): enums.WORKFLOW_EXECUTION_STATUS_COMPLETED,
	string(event.Failed):    enums.WORKFLOW_EXECUTION_STATUS_FAILED,
}

func runsAgainstRows(rows map[string]kept, runs map[string][]temporalRun) findings {
	var wrong findings
	ids := map[string]bool{}
	for key, row := range rows {
		ids[row.WorkflowID] = true
		of := runs[row.WorkflowID]
		if len(of) != row.Generation+1 {
			wrong.add("runs", key, "%d runs in generation %d", len(of), row.Generation)
			continue
		}
		if !slices.ContainsFunc(of, func(r temporalRun) bool { return r.run == row.RunID && r.status == endOf[row.Status] }) {
			wrong.add("mirror", key, "%q by run %s, Temporal says %v", row.Status, row.RunID, of)
		}
	}
	for id := range runs {
		if !ids[id] {
			wrong.add("rowless", id, "a run without a row")
		}
	}
	return wrong
}

// findings are what a check found wrong: how much of each kind, and enough of it to see what it is.
type findings struct {
	counts map[string]int
	lines  []string
}

const mostFindings = 20

func (f *findings) add(what, key, format string, args ...any) {
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[what]++
	if len(f.lines) < mostFindings {
		f.lines = append(f.lines, what+": "+key+" "+fmt.Sprintf(format, args...))
	}
}
