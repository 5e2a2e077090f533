package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hookflow/config"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/providers"
	"hookflow/samples"
	"hookflow/telemetry"
	"hookflow/worker"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
)

const testSecret = "whsec_of_the_cost_test"

// inProcess is a whole hookflow inside the test, so that its statements can be counted.
type inProcess struct {
	*app
	url        string
	namespace  string
	statements *testkit.Statements
	stop       func()
}

// startInProcess runs API and worker with the routes of yaml ("" for the built-in ones) until the test ends.
func startInProcess(t *testing.T, yaml string) *inProcess {
	t.Helper()
	return startInProcessWith(t, yaml, inProcessOptions{})
}

// inProcessOptions are what a test may change about it: variables of the environment, handlers beside the built-in ones,
// where the log goes, and the app before it serves.
type inProcessOptions struct {
	variables map[string]string
	namespace string // "" for one of its own
	handlers  worker.Handlers
	log       io.Writer
	change    func(*app)
	temporal  string // its address, "" for the tests' server
}

// withoutHousekeeping is for tests that count: what reconcile asks every 20 s is no event's.
func withoutHousekeeping(a *app) { a.worker.Housekeeping = nil }

// atIntervals tells the statements that are made whatever arrives: the looks of the relay (with a claim, when one falls into
// the moment before a start), of the replays, of the destinations and of reconcile, and the count of the backlog.
var atIntervals = []string{
	"RECURSIVE", "SKIP LOCKED)\nRETURNING id::text", "FROM replays", "FROM destinations", "run_generation", "dispatched_at < $1", "min(received_at)",
}

func startInProcessWith(t *testing.T, yaml string, o inProcessOptions) *inProcess {
	t.Helper()
	if o.log == nil {
		o.log = io.Discard
	}
	p := &inProcess{statements: &testkit.Statements{Ignore: func(sql string) bool {
		return slices.ContainsFunc(atIntervals, func(part string) bool { return strings.Contains(sql, part) })
	}}}
	variables := map[string]string{
		"STRIPE_WEBHOOK_SECRET": testSecret, "VAPI_WEBHOOK_SECRET": testSecret, "DATABASE_URL": testkit.Database(t), "HOOKFLOW_API_TOKEN": "0123456789abcdef",
		"HOOKFLOW_HTTP_ADDR": "127.0.0.1:0", "HOOKFLOW_OPS_ADDR": "127.0.0.1:0", "HOOKFLOW_DRAIN_DELAY": "0s",
	}
	maps.Copy(variables, o.variables)
	if yaml != "" {
		file := t.TempDir() + "/hookflow.yaml"
		require.NoError(t, os.WriteFile(file, []byte(yaml), 0o600))
		variables["HOOKFLOW_CONFIG"] = file
	}
	c, err := readConfig(config.Serve, func(name string) string { return variables[name] })
	require.NoError(t, err)
	tel, err := telemetry.Init(telemetry.Options{
		Log: o.log, Traces: telemetry.Traces(c.Traces), SentryDSN: c.Sentry.DSN, TracesSampleRate: c.Sentry.TracesSampleRate, Secrets: c.Secrets(),
	})
	require.NoError(t, err)
	if p.namespace = o.namespace; p.namespace == "" {
		p.namespace = testkit.Namespace(t)
	}
	p.app, err = assemble(t.Context(), plan{
		config: c, api: true, worker: true, telemetry: tel, tracer: p.statements, now: time.Now,
		variable: func(name string) string { return variables[name] },
		handlers: o.handlers, temporal: client.Options{HostPort: cmp.Or(o.temporal, testkit.TemporalAddress(t)), Namespace: p.namespace, Logger: newSDKLog(tel.Log)},
	})
	require.NoError(t, err)
	if o.change != nil {
		o.change(p.app)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.url = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.serve(ctx, listeners{http: l}) }()
	p.stop = sync.OnceFunc(func() { cancel(); require.NoError(t, <-ended) })
	t.Cleanup(p.stop)
	return p
}

// send posts a signed Stripe sample and returns the event once it is completed.
func (p *inProcess) send(t *testing.T, n int) event.Detail {
	t.Helper()
	return p.awaitCompleted(t, p.post(t, n))
}

// post posts a signed Stripe sample and returns the id of the event.
func (p *inProcess) post(t *testing.T, n int) string {
	t.Helper()
	stripe, err := providers.NewStripe([]string{testSecret})
	require.NoError(t, err)
	r, err := samples.Build("stripe", "checkout.session.completed", samples.Options{ID: fmt.Sprintf("evt_cost%d", n), Now: time.Now()})
	require.NoError(t, err)
	stripe.Sign(r, time.Now())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/webhooks/stripe", bytes.NewReader(r.Body))
	require.NoError(t, err)
	request.Header = r.Header
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	return answer.Header.Get("Hookflow-Event-Id")
}

func (p *inProcess) awaitCompleted(t *testing.T, id string) event.Detail {
	t.Helper()
	testkit.Eventually(t, func() bool {
		final := testkit.Query[bool](t, p.config.DatabaseURL, `SELECT status IN ('completed', 'failed') FROM webhook_events WHERE id = $1`, id)
		return final
	}, "%s is not final", id)
	d, err := p.store.Find(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, event.Completed, d.Status)
	return d
}

const ordinaryRoute = `
routes:
  - provider: stripe
    type: checkout.session.*
    steps:
      - activity: stripe.RecordCheckout
`

// What one event with one step costs, counted exactly: history events, workflow tasks, Postgres round trips.
func TestCostOfAnEvent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, routes         string
		events, tasks, trips int
		bytes                int64 // of history; 2,002 and 2,523 were measured, 88 of them the search attribute, 67 and 130 what says which ledger it is
	}{
		{"inline", "", 8, 1, 4, 2_060},
		{"ordinary", ordinaryRoute, 13, 2, 4, 2_580},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := startInProcessWith(t, c.routes, inProcessOptions{change: withoutHousekeeping})
			for n := range 3 { // the first ones prepare the statements
				p.send(t, n)
			}
			d, trips := p.sendCounted(t)
			require.Len(t, trips[:len(trips)-1], c.trips, "beside that of Find in this test: %s", strings.Join(trips, "\n--\n"))

			tasks := p.tasks(t, d)
			run, err := p.temporal.DescribeWorkflowExecution(t.Context(), d.WorkflowID, *d.RunID)
			require.NoError(t, err)
			t.Logf("%s: %d history events, %d bytes, %d workflow tasks, %d round trips", c.name,
				run.WorkflowExecutionInfo.HistoryLength, run.WorkflowExecutionInfo.HistorySizeBytes, tasks, len(trips)-1)
			require.EqualValues(t, c.events, run.WorkflowExecutionInfo.HistoryLength)
			require.Equal(t, c.tasks, tasks)
			require.LessOrEqual(t, run.WorkflowExecutionInfo.HistorySizeBytes, c.bytes, "%s", p.history(t, d))
		})
	}
}

// sendCounted sends an event and returns it with the statements that it took. One whose step needed a second attempt, on a machine
// that is busy, is not counted: its history holds the failure.
func (p *inProcess) sendCounted(t *testing.T) (event.Detail, []string) {
	t.Helper()
	for n := 3; ; n++ {
		// A mark of an earlier start may still be on its way.
		testkit.Eventually(t, func() bool { return len(p.statements.Take()) == 0 }, "the process does not come to rest")
		d := p.send(t, n)
		trips := p.statements.Take()
		if !strings.Contains(p.history(t, d), "last_failure:") {
			return d, trips
		}
		require.Less(t, n, 10, "every event is attempted twice: %s", p.history(t, d))
	}
}

// history is that of an event's run as text.
func (p *inProcess) history(t *testing.T, d event.Detail) string {
	t.Helper()
	var text strings.Builder
	for history := p.temporal.GetWorkflowHistory(t.Context(), d.WorkflowID, *d.RunID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); history.HasNext(); {
		e, err := history.Next()
		require.NoError(t, err)
		fmt.Fprintln(&text, e)
	}
	return text.String()
}

// tasks counts the workflow tasks of an event's run.
func (p *inProcess) tasks(t *testing.T, d event.Detail) (n int) {
	t.Helper()
	for history := p.temporal.GetWorkflowHistory(t.Context(), d.WorkflowID, *d.RunID, true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); history.HasNext(); {
		e, err := history.Next()
		require.NoError(t, err)
		if e.EventType == enums.EVENT_TYPE_WORKFLOW_TASK_STARTED {
			n++
		}
	}
	return n
}

// What an event whose sender waits costs, with no step beside the one that answers. None of the round trips but the first
// is before the answer.
func TestCostOfAReply(t *testing.T) {
	t.Parallel()
	p, _ := startDesk(t)
	for n := range 3 {
		p.toolCall(t, fmt.Sprint("warm-", n), "lookup")
		p.final(t, fmt.Sprintf("vapi:warm-%d:tool-calls:tc_1", n))
	}
	call, _ := p.computedCall(t, "call", func() {
		testkit.Eventually(t, func() bool { return len(p.statements.Take()) == 0 }, "the process does not come to rest")
	})
	key := "vapi:" + call + ":tool-calls:tc_1"
	testkit.Eventually(t, func() bool {
		return testkit.Query[bool](t, p.config.DatabaseURL, `SELECT status = 'completed' FROM webhook_events WHERE id = $1`, event.ID(key))
	}, "the event is not completed")
	trips := slices.DeleteFunc(p.statements.Take(), func(sql string) bool { // a look of the relay, which the row is held from, and of reconcile
		return strings.Contains(sql, "SET lease_until = $4") || strings.Contains(sql, "original_run_id IS NOT NULL AND run_id IS NOT NULL")
	})
	require.Len(t, trips, 3, strings.Join(trips, "\n--\n"))
	d, err := p.store.Find(t.Context(), event.ID(key))
	require.NoError(t, err)
	run, err := p.temporal.DescribeWorkflowExecution(t.Context(), d.WorkflowID, *d.RunID)
	require.NoError(t, err)
	require.EqualValues(t, 15, run.WorkflowExecutionInfo.HistoryLength)
	require.Equal(t, 2, p.tasks(t, d))
}
