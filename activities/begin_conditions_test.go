package activities_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"hookflow/event"
	"hookflow/routing"

	"github.com/stretchr/testify/require"
)

const conditional = `
routes:
  - name: whole
    provider: stripe
    type: "*"
    when: |
      payload.data.amount > 1000 && event.account == "acct_1" && event.livemode == true && event.id.startsWith("evt_")
      && headers["user-agent"] == "Stripe/1.0"
    steps: [{activity: stripe.RecordCheckout}]
  - name: form
    provider: twilio
    type: "*"
    when: payload.CallStatus == "busy" && payload.Digits == ["1", "2"]
    steps: [{activity: twilio.RecordCall}]
`

// decide makes Begin take its plans from a file of routes.
func (r *room) decide(file string) *bytes.Buffer {
	r.Helper()
	table, err := routing.Parse("routes.yaml", []byte(file))
	require.NoError(r, err)
	var log bytes.Buffer
	r.mirror.Plan, r.mirror.Log = table.Plan, slog.New(slog.NewTextHandler(&log, nil))
	return &log
}

// A condition sees the event as it was received, whichever way it comes to Begin.
func TestBegin_conditionsSeeTheWholeEvent(t *testing.T) {
	t.Parallel()
	r := enter(t)
	r.decide(conditional)
	live := true
	received := func(id string) event.Event {
		e := arrive("stripe", id, "charge.captured", jsonType, `{"data":{"amount":1500}}`)
		e.Account, e.Livemode, e.Headers = "acct_1", &live, map[string]string{"User-Agent": "Stripe/1.0"}
		return e
	}
	ledger, memory, input := received("evt_ledger"), received("evt_memory"), received("evt_input")
	insert(t, r.store, ledger)
	insert(t, r.store, memory)
	r.store.Remember(memory)
	form := arrive("twilio", "CA1", "call.busy", formType, "CallStatus=busy&Digits=1&Digits=2")
	insert(t, r.store, form)
	for _, in := range []routing.BeginInput{
		{Event: ledger.Ref()}, {Event: memory.Ref()}, {Event: input, Body: event.Pack(input.Body)}, {Event: form.Ref()},
	} {
		in.Run = run("run "+in.Event.EventID, 0)
		result, err := r.begin(in)
		require.NoError(t, err)
		require.False(t, result.Over, in.Event.EventID)
		require.Len(t, result.Plan.Steps, 1, in.Event.EventID)
	}
}

// A condition that cannot be evaluated is no failure: the event goes on, the run's history and the log say why, and
// neither quotes the payload.
func TestBegin_conditionThatCannotBeEvaluated(t *testing.T) {
	t.Parallel()
	r := enter(t)
	log := r.decide("routes:\n  - {name: dynamic, provider: stripe, type: '*', when: 'payload.m[payload.secret] == 1', steps: [{activity: a}]}\n")
	for _, id := range []string{"evt_1", "evt_2"} {
		e := arrive("stripe", id, "x", jsonType, `{"m":{},"secret":"c4nary"}`)
		insert(t, r.store, e)
		result, err := r.begin(routing.BeginInput{Event: e.Ref(), Run: run("run "+id, 0)})
		require.NoError(t, err)
		require.True(t, result.Over)
		require.Equal(t, []string{`route "dynamic" in line 2 did not match: when: no such key`}, result.Plan.Notes)
		row := r.find(e.ID)
		require.Equal(t, event.Completed, row.Status)
		require.Equal(t, event.Unevaluated, *row.Note)
	}
	plain := arrive("stripe", "evt_3", "x", jsonType, `{"m":{"k":1},"secret":"k"}`)
	insert(t, r.store, plain)
	_, err := r.begin(routing.BeginInput{Event: plain.Ref(), Run: run("run evt_3", 0)})
	require.NoError(t, err)
	require.Nil(t, r.find(plain.ID).Note)
	page, err := r.store.List(t.Context(), event.Filter{Note: event.Unevaluated, Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Events, 2)
	require.Equal(t, 1, strings.Count(log.String(), "a condition could not be evaluated"), "once a minute: %s", log)
	require.NotContains(t, log.String(), "c4nary")
}
