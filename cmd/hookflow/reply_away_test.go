package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"
	"hookflow/worker"

	"github.com/stretchr/testify/require"
)

// outage is a whole hookflow with a desk, and what stands between it and its two places.
type outage struct {
	*inProcess
	*desk
	postgres, temporal *testkit.Proxy
}

// Slow is a step after the answer, which waits for the answer to arrive.
func (d *desk) Slow(ctx context.Context, _ event.Event) error {
	select {
	case <-d.answered:
		d.inTime.Store(true)
	case <-ctx.Done():
	}
	return nil
}

// patientRoute answers tool calls within five seconds, with a fallback of its own. Begin, or the note of a failed attempt,
// takes longer than that while the ledger is silent.
func patientRoute(more string) string {
	return `
routes:
  - provider: vapi
    type: tool-calls
    reply:
      activity: desk.LookUp
      deadline: 5s
      fallback: "Please ask again."
` + more
}

func startOutage(t *testing.T, routes string) outage {
	t.Helper()
	o := outage{desk: &desk{answered: make(chan struct{})}, temporal: testkit.NewProxy(t, testkit.TemporalAddress(t))}
	var url string
	o.postgres, url = testkit.DatabaseProxy(t, testkit.Database(t))
	o.inProcess = startInProcessWith(t, routes, inProcessOptions{
		handlers: worker.Handlers{"desk": o.desk}, temporal: o.temporal.Address(), variables: map[string]string{"DATABASE_URL": url},
	})
	return o
}

const found = `{"results":[{"toolCallId":"tc_1","name":"lookup","result":"order 1 is on its way"}]}`

// An answer needs neither Postgres nor the mirror: not the first, not one after a failed attempt, and not that of a run that
// is over, which Temporal keeps.
func TestReply_postgresAway(t *testing.T) {
	t.Parallel()
	o := startOutage(t, patientRoute("    steps: []\n"))
	require.Equal(t, found, o.toolCall(t, "before", "lookup").body)
	require.Equal(t, event.Completed, o.final(t, "vapi:before:tool-calls:tc_1").Status)
	o.postgres.Silence()

	first := o.toolCall(t, "during", "lookup")
	require.Equal(t, "computed accepted", first.how+" "+first.outcome)
	require.Equal(t, first.body, o.toolCall(t, "during", "lookup").body, "a copy while the run waits for the ledger")
	require.Equal(t, found, o.toolCall(t, "before", "lookup").body, "a copy of what is over")
	o.calls.Store(0)
	require.Equal(t, "computed", o.toolCall(t, "flaky", "flaky").how)

	o.postgres.Heal()
	require.Equal(t, event.Completed, o.final(t, "vapi:during:tool-calls:tc_1").Status)
	require.Equal(t, event.Completed, o.final(t, "vapi:flaky:tool-calls:tc_1").Status)
	require.Equal(t, first.body, o.toolCall(t, "during", "lookup").body)
	require.EqualValues(t, 2, o.calls.Load())
}

// With Temporal away the fallback goes out long before the deadline, and the event is handled later, or is over.
func TestReply_temporalAway(t *testing.T) {
	t.Parallel()
	for way, leave := range map[string]func(*testkit.Proxy){"refused": (*testkit.Proxy).Refuse, "silent": (*testkit.Proxy).Silence} {
		for said, status := range map[string]event.Status{"fallback_and_run": event.Completed, "fallback_only": event.Failed} {
			t.Run(way+" "+said, func(t *testing.T) {
				t.Parallel()
				o := startOutage(t, strings.Replace(patientRoute("      on_unavailable: "+said+"\n    steps: []\n"), "5s", "1m", 1))
				leave(o.temporal)
				away := o.toolCall(t, "call", "lookup")
				require.Equal(t, answered{200, `{"results":[{"toolCallId":"tc_1","name":"lookup","result":"Please ask again."}]}`, "failed", "accepted", "application/json"}, away)
				o.temporal.Heal()
				e := o.final(t, "vapi:call:tool-calls:tc_1")
				require.Equal(t, status, e.Status)
				if status == event.Failed {
					require.Equal(t, store.Unanswered, *e.LastErrorType)
					require.Equal(t, away.body, o.toolCall(t, "call", "lookup").body)
					return
				}
				// The run was started by the relay, without the question.
				require.Equal(t, found, o.toolCall(t, "call", "lookup").body)
				require.EqualValues(t, 1, o.calls.Load())
			})
		}
	}
}

func TestReply_bothAway(t *testing.T) {
	t.Parallel()
	o := startOutage(t, patientRoute("    steps: []\n"))
	o.postgres.Silence()
	o.temporal.Silence()
	require.Equal(t, http.StatusServiceUnavailable, o.toolCall(t, "call", "lookup").status)
	require.Zero(t, o.calls.Load())
}

// Copies that arrive together, or when only the ledger knows of the run, get the one answer; a sender that hangs up stops
// nothing.
func TestReply_copies(t *testing.T) {
	t.Parallel()
	o := startOutage(t, patientRoute("    steps: []\n"))
	ctx, hangUp := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer hangUp()
	_, err := o.tryToolCall(ctx, t, "call", "half")
	require.Error(t, err)
	var asking sync.WaitGroup
	bodies := make([]string, 20)
	for i := range bodies {
		asking.Go(func() { bodies[i] = o.toolCall(t, "call", "half").body })
	}
	asking.Wait()
	o.final(t, "vapi:call:tool-calls:tc_1")
	o.temporal.Refuse() // as if it had forgotten the run: the ledger alone knows
	bodies = append(bodies, o.toolCall(t, "call", "half").body)
	for _, body := range bodies {
		require.Equal(t, `{"results":[{"toolCallId":"tc_1","name":"half","result":"order 1 is on its way"}]}`, body)
	}
	require.EqualValues(t, 1, o.calls.Load())
}

// Steps after the answer run within the same workflow task where they are inline, and yet do not hold it.
func TestReply_stepsAfterIt(t *testing.T) {
	t.Parallel()
	o := startOutage(t, patientRoute("    steps:\n      - {activity: desk.Slow, inline: true}\n"))
	require.Equal(t, "computed", o.toolCall(t, "call", "lookup").how)
	close(o.answered)
	require.Len(t, o.final(t, "vapi:call:tool-calls:tc_1").Steps, 2)
	require.True(t, o.inTime.Load(), "the step was over before the answer arrived")
}
