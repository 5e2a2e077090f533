package activities_test

import (
	"strings"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"
	"hookflow/store"
	"hookflow/telemetry"

	"github.com/stretchr/testify/require"
)

// inTheMiddle is a room with one event whose run has begun.
func inTheMiddle(t *testing.T) (*room, event.Event) {
	t.Helper()
	r, e := enter(t), stripeEvent()
	insert(t, r.store, e)
	_, err := r.begin(routing.BeginInput{Event: e.Ref(), Run: run("run-1", 0)})
	require.NoError(t, err)
	return r, e
}

func failing(e event.Event, by event.Run) routing.FinishInput {
	return routing.FinishInput{Event: e.Ref(), Run: by, Status: event.Failed, Error: "no such account", ErrorType: "Refused", Failed: "b",
		Steps: []event.StepEnd{
			{Step: "a", Status: event.Completed, Result: []byte(`{"n":9007199254740993}`)},
			{Step: "b", Status: event.Failed, Error: "no such account", ErrorType: "Refused"},
		}}
}

func completing(e event.Event, by event.Run) routing.FinishInput {
	return routing.FinishInput{Event: e.Ref(), Run: by, Status: event.Completed, Steps: []event.StepEnd{
		{Step: "a", Status: event.Completed}, {Step: "b", Status: event.Completed}}}
}

// The row and its steps are one statement: nobody sees one without the other.
func TestFinish_isOneStatement(t *testing.T) {
	t.Parallel()
	r, e := inTheMiddle(t)
	var counted testkit.Statements
	r.mirror.Store = testkit.OpenStore(t, r.url, store.Options{Tracer: &counted})
	r.finish(failing(e, run("run-1", 0)))
	require.Len(t, counted.Take(), 1)

	d := r.find(e.ID)
	require.Equal(t, event.Failed, d.Status)
	require.Equal(t, "no such account", *d.LastError)
	require.Equal(t, "Refused", *d.LastErrorType)
	require.Equal(t, noon, *d.FinishedAt)
	require.Len(t, d.Steps, 2)
	require.Equal(t, event.Completed, d.Steps[0].Status)
	require.JSONEq(t, `{"n":9007199254740993}`, string(d.Steps[0].Result))
	require.Equal(t, event.Failed, d.Steps[1].Status)
	require.Equal(t, "Refused", *d.Steps[1].ErrorType)
	require.Nil(t, d.Steps[1].Result)
}

// The first answer may be lost with the connection: the second call changes nothing and reports the same.
func TestFinish_repeated(t *testing.T) {
	t.Parallel()
	r, e := inTheMiddle(t)
	e.Step = "b"
	for range 2 {
		require.NoError(t, r.store.RecordFailure(t.Context(), &e, store.Failure{Message: "no such account", ErrorType: "Refused"}, noon))
	}
	r.finish(failing(e, run("run-1", 0)))
	before := r.find(e.ID)
	r.finish(failing(e, run("run-1", 0)))
	require.Equal(t, before, r.find(e.ID))
	require.Equal(t, 3, before.Attempts, "one of a, two of b")
	_, remembered := r.store.Remembered(e.ID)
	require.False(t, remembered)
}

func TestFinish_whoseRow(t *testing.T) {
	t.Parallel()
	reset := event.Run{RunID: "run-9", OriginalRunID: "run-1"}
	for _, c := range []struct {
		name  string
		given func(*room, event.Event)
		end   func(event.Event) routing.FinishInput
		want  event.Status
		taken bool
	}{
		{"from failed to completed after a reset", func(r *room, e event.Event) { r.finish(failing(e, run("run-1", 0))) },
			func(e event.Event) routing.FinishInput { return completing(e, reset) }, event.Completed, true},
		{"from completed to failed after a reset", func(r *room, e event.Event) { r.finish(completing(e, run("run-1", 0))) },
			func(e event.Event) routing.FinishInput { return failing(e, reset) }, event.Failed, true},
		{"another run of the generation", func(r *room, e event.Event) { r.finish(completing(e, run("run-1", 0))) },
			func(e event.Event) routing.FinishInput { return failing(e, run("run-2", 0)) }, event.Completed, false},
		{"an older generation", func(r *room, e event.Event) {
			r.finish(completing(e, run("run-1", 0)))
			_, err := r.store.Replay(r.Context(), e.ID, event.FromFailure, "ann", noon)
			require.NoError(r, err)
		}, func(e event.Event) routing.FinishInput { return failing(e, run("run-1", 0)) }, event.Pending, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, e := inTheMiddle(t)
			c.given(r, e)
			said, steps := len(r.failures), r.find(e.ID).Steps
			r.finish(c.end(e))
			d := r.find(e.ID)
			require.Equal(t, c.want, d.Status)
			if c.taken {
				require.NotEqual(t, c.want == event.Failed, d.LastError == nil, "the error is the last end's")
				return
			}
			require.Equal(t, steps, d.Steps, "no step of another run's")
			require.Len(t, r.failures, said, "nobody hears of an end that was not taken")
		})
	}
}

// Sentry drops an event whose id it knows, so a repeated Finish reports once; a replay that fails again reports again.
func TestFinish_reportsOncePerRunAndGeneration(t *testing.T) {
	t.Parallel()
	r, e := inTheMiddle(t)
	r.finish(failing(e, run("run-1", 0)))
	r.finish(failing(e, run("run-1", 0)))
	want := telemetry.Failure{
		EventID: telemetry.FailureID("run-1", 0), Provider: "stripe", Type: "thing.happened", Step: "b",
		ErrorType: "Refused", Message: "no such account", WorkflowID: "stripe:evt_1",
	}
	require.Equal(t, []telemetry.Failure{want, want}, r.failures)

	_, err := r.store.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
	require.NoError(t, err)
	again := run("run-2", 1)
	_, err = r.begin(routing.BeginInput{Event: e.Ref(), Run: again})
	require.NoError(t, err)
	r.finish(failing(e, again))
	require.Len(t, r.failures, 3)
	require.NotEqual(t, want.EventID, r.failures[2].EventID)
	require.NotEqual(t, telemetry.FailureID("run-1", 0), telemetry.FailureID("run-1", 1))

	r.mirror.Failed = nil
	r.finish(failing(e, again)) // with nobody to tell
}

// A step that Once completed with its effect stays completed, whatever the run's own end says of it.
func TestFinish_leavesWhatOnceCompleted(t *testing.T) {
	t.Parallel()
	r, e := inTheMiddle(t)
	e.Step = "b"
	_, err := once(r.store).Tx(t.Context(), &e, nothing)
	require.NoError(t, err)
	r.finish(failing(e, run("run-1", 0)))
	d := r.find(e.ID)
	require.Equal(t, event.Failed, d.Status)
	require.Equal(t, "b", d.Steps[1].Step)
	require.Equal(t, event.Completed, d.Steps[1].Status)
	require.Nil(t, d.Steps[1].Error)
}

// Whatever a handler says or returns, its run ends: an end that the ledger cannot hold would be repeated for ever.
func TestFinish_oddErrorsAndResults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ said, result, wantSaid, wantResult string }{
		"NUL":                  {"no\x00pe", `{"a\u0000":"x\u0000y"}`, "no\uFFFDpe", `{"a\ufffd":"x\ufffdy"}`},
		"half of a pair":       {"nope", `{"a":"\ud800"}`, "nope", `{"a":"\ufffd"}`},
		"a number too large":   {"nope", `{"n":1e400000}`, "nope", ""},
		"a very long message":  {strings.Repeat("é", 5_000), `1`, strings.Repeat("é", 1_024), `1`},
		"cut within a letter":  {"x" + strings.Repeat("é", 5_000), `1`, "x" + strings.Repeat("é", 1_023) + "\uFFFD", `1`},
		"a number as it comes": {"nope", `9007199254740993`, "nope", `9007199254740993`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, e := inTheMiddle(t)
			end := failing(e, run("run-1", 0))
			end.Error, end.Steps[1].Error, end.Steps[0].Result = c.said, c.said, []byte(c.result)
			r.finish(end)
			d := r.find(e.ID)
			require.Equal(t, event.Failed, d.Status)
			require.Equal(t, c.wantSaid, *d.LastError)
			require.Equal(t, c.wantSaid, *d.Steps[1].Error)
			if c.wantResult == "" {
				require.Empty(t, string(d.Steps[0].Result))
				return
			}
			require.Equal(t, numbers(t, []byte(c.wantResult)), numbers(t, d.Steps[0].Result))
		})
	}
}
