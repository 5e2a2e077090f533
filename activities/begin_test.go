package activities_test

import (
	"encoding/json"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"

	"github.com/stretchr/testify/require"
)

const thing = `{"id":"evt_1"}`

func stripeEvent() event.Event { return arrive("stripe", "evt_1", "thing.happened", jsonType, thing) }

// Without a row and with the body in the input, Begin writes both: the ledger was away when the event came.
func TestBegin_bodyInsideTheInput(t *testing.T) {
	t.Parallel()
	r, e := enter(t), stripeEvent()
	live := true
	e.Account, e.Livemode, e.Headers, e.OccurredAt = "acct_1", &live, map[string]string{"User-Agent": "Stripe/1.0"}, noon
	in := routing.BeginInput{Event: e, Body: event.Pack(e.Body), Run: run("run-1", 0)}
	for range 2 { // safe to repeat
		result, err := r.begin(in)
		require.NoError(t, err)
		require.Equal(t, routing.BeginResult{Plan: routedPlan()}, result)
	}
	d := r.find(e.ID)
	require.Equal(t, event.Processing, d.Status)
	require.Equal(t, "run-1", *d.RunID)
	require.Equal(t, thing, string(d.Body))
	require.JSONEq(t, thing, string(d.Payload))
	require.Equal(t, e.Headers, d.Headers)
	require.Equal(t, "acct_1", *d.Account)
	require.True(t, *d.Livemode)
	require.Equal(t, noon, *d.OccurredAt)
	require.Equal(t, noon, d.ReceivedAt)
	require.Equal(t, []string{e.ID, e.ID}, r.begun)
	require.JSONEq(t, `{"route":"a route","steps":[{"name":"a","activity":"thing.Handle","options":{}}]}`, string(d.Plan))

	t.Run("an empty body is a body", func(t *testing.T) {
		empty := arrive("stripe", "evt_empty", "thing.happened", "", "")
		_, err := r.begin(routing.BeginInput{Event: empty, Body: event.Pack(nil), Run: run("run-e", 0)})
		require.NoError(t, err)
		require.Empty(t, r.find(empty.ID).Body)
	})
	t.Run("a body that is not packed", func(t *testing.T) {
		_, err := r.begin(routing.BeginInput{Event: arrive("stripe", "evt_bad", "t", jsonType, ""), Body: []byte("{}"), Run: run("run-b", 0)})
		requireFinal(t, err, routing.LedgerRowMissing)
	})
}

// A lost commit answer: the row was written after all, and the event came a second way.
func TestBegin_bodyInsideTheInputAndARow(t *testing.T) {
	t.Parallel()
	r, e := enter(t), stripeEvent()
	insert(t, r.store, e)
	result, err := r.begin(routing.BeginInput{Event: e, Body: event.Pack(e.Body), Run: run("run-1", 0)})
	require.NoError(t, err)
	require.False(t, result.Over)
	require.Equal(t, 1, testkit.Query[int](t, r.url, `SELECT count(*) FROM webhook_events`))
	require.Equal(t, event.Processing, r.find(e.ID).Status)
}

func TestBegin_rowMissing(t *testing.T) {
	t.Parallel()
	r, e := enter(t), stripeEvent()
	_, err := r.begin(routing.BeginInput{Event: e.Ref(), Run: run("run-1", 0)})
	requireFinal(t, err, routing.LedgerRowMissing)
	require.ErrorContains(t, err, "stripe:evt_1 is neither in the ledger nor in the run's input")
	require.Zero(t, testkit.Query[int](t, r.url, `SELECT count(*) FROM webhook_events`))

	insert(t, r.store, e)
	testkit.Exec(t, r.url, `DELETE FROM webhook_bodies`)
	_, err = r.begin(routing.BeginInput{Event: e.Ref(), Run: run("run-1", 0)})
	requireFinal(t, err, routing.ContentErased)
}

// The routes may lose the answer between the question and Begin: what was told is a step of the plan all the same.
func TestBegin_answeredBefore(t *testing.T) {
	t.Parallel()
	told := routing.Step{Name: "answer", Activity: "desk.LookUp", Reply: true}
	own := routing.Step{Name: "own", Activity: "desk.LookUp", Reply: true}
	named := routing.Step{Name: "answer", Activity: "thing.Handle"}
	changed := told
	changed.Name = "answer-told"
	for name, c := range map[string]struct{ plan, want []routing.Step }{
		"no route is left":          {nil, []routing.Step{told}},
		"only steps":                {routedPlan().Steps, append([]routing.Step{told}, routedPlan().Steps...)},
		"another step of that name": {[]routing.Step{named}, []routing.Step{changed, named}},
		"a reply of its own":        {[]routing.Step{own}, []routing.Step{own}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, e := enter(t), stripeEvent()
			insert(t, r.store, e)
			r.mirror.Plan = func(*event.Event, json.RawMessage) routing.Plan { return routing.Plan{Steps: c.plan} }
			result, err := r.begin(routing.BeginInput{Event: e.Ref(), Run: run("run-1", 0), Answered: &told})
			require.NoError(t, err)
			require.False(t, result.Over)
			require.Equal(t, c.want, result.Plan.Steps)
			require.Equal(t, event.Processing, r.find(e.ID).Status)
		})
	}
}

// The other lines of "Which run is this".
func TestBegin_whichRun(t *testing.T) {
	t.Parallel()
	ended := func(r *room, e event.Event) {
		_, err := r.begin(routing.BeginInput{Event: e.Ref(), Run: run("run-1", 0)})
		require.NoError(r, err)
		r.finish(routing.FinishInput{Event: e.Ref(), Run: run("run-1", 0), Status: event.Completed,
			Steps: []event.StepEnd{{Step: "a", Status: event.Completed}}})
	}
	replayed := func(r *room, e event.Event) {
		ended(r, e)
		_, err := r.store.Replay(r.Context(), e.ID, event.FromFailure, "ann", noon)
		require.NoError(r, err)
	}
	done := routedPlan()
	done.Steps[0].Done = true
	for _, c := range []struct {
		name   string
		given  func(*room, event.Event)
		run    event.Run
		want   routing.BeginResult
		status event.Status
		ours   bool // the row is the run's afterwards
	}{
		{"a pending row is adopted", func(*room, event.Event) {}, run("run-1", 0),
			routing.BeginResult{Plan: routedPlan()}, event.Processing, true},
		{"the input's generation is older", replayed, run("run-2", 0),
			routing.BeginResult{Over: true, Why: "a newer generation runs"}, event.Pending, false},
		{"final, same generation, other original run", ended, run("run-2", 0),
			routing.BeginResult{Over: true, Why: "another run of this generation ended as completed"}, event.Completed, false},
		{"final, same generation, a reset run: its done steps are known", ended, event.Run{RunID: "run-2", OriginalRunID: "run-1"},
			routing.BeginResult{Plan: done}, event.Processing, true},
		{"the run of a replay skips what is done", replayed, run("run-2", 1),
			routing.BeginResult{Plan: done}, event.Processing, true},
		{"another run of a generation that is not final", func(r *room, e event.Event) {
			_, err := r.begin(routing.BeginInput{Event: e.Ref(), Run: run("run-1", 0)})
			require.NoError(r, err)
		}, run("run-2", 0), routing.BeginResult{Plan: routedPlan()}, event.Processing, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, e := enter(t), stripeEvent()
			insert(t, r.store, e)
			c.given(r, e)
			result, err := r.begin(routing.BeginInput{Event: e.Ref(), Run: c.run})
			require.NoError(t, err)
			require.Equal(t, c.want, result)
			d := r.find(e.ID)
			require.Equal(t, c.status, d.Status)
			require.Equal(t, c.ours, *d.RunID == c.run.RunID)
		})
	}
}

func TestBegin_noRoute(t *testing.T) {
	t.Parallel()
	r, e := enter(t), arrive("stripe", "evt_1", "unrouted", jsonType, thing)
	insert(t, r.store, e)
	result, err := r.begin(routing.BeginInput{Event: e.Ref(), Run: run("run-1", 0)})
	require.NoError(t, err)
	require.Equal(t, routing.BeginResult{Over: true, Why: "no route"}, result)
	d := r.find(e.ID)
	require.Equal(t, event.Completed, d.Status)
	require.Equal(t, noon, *d.FinishedAt)
	require.JSONEq(t, thing, string(d.Payload))
	require.Empty(t, d.Steps)
	_, remembered := r.store.Remembered(e.ID)
	require.False(t, remembered, "a body that nothing will read is not kept in memory")

	result, err = r.begin(routing.BeginInput{Event: e.Ref(), Run: run("run-1", 0)})
	require.NoError(t, err)
	require.Equal(t, "no route", result.Why, "safe to repeat")
}

// What the row says of the event wins over the reference: routes are matched on the stored type.
func TestBegin_readsTheLedger(t *testing.T) {
	t.Parallel()
	r, e := enter(t), stripeEvent()
	insert(t, r.store, e)
	ref := e.Ref()
	ref.Type = "unrouted"
	result, err := r.begin(routing.BeginInput{Event: ref, Run: run("run-1", 0)})
	require.NoError(t, err)
	require.Equal(t, "a route", result.Plan.Route)
	kept, ok := r.store.Remembered(e.ID)
	require.True(t, ok, "the step that follows needs no read")
	require.Equal(t, thing, string(kept.Body))
}
