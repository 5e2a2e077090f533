package routing

import (
	"encoding/json"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	table := parsed(t, composed)
	live := true
	verdicts := func(looks []Look) (all []Verdict) {
		for _, look := range looks {
			all = append(all, look.Verdict)
		}
		return all
	}
	e := &event.Event{Provider: "stripe", Type: "charge.captured", Livemode: &live}
	require.Equal(t, []Look{
		{Route: "live", Line: 13, Verdict: Matched, Why: "the type is charge.*, and when is true: event.livemode == true"},
		{Route: "large", Line: 22, Verdict: NotMatched, Why: "the type is not charge.refunded or dispute.*"},
		{Route: "all", Line: 29, Verdict: Matched, Why: "the type is charge.captured"},
		{Route: "others", Line: 33, Verdict: NotReached, Why: "the route in line 29 took the event and does not say continue: true"},
	}, table.Explain(e, nil))

	e = &event.Event{Provider: "stripe", Type: "charge.refunded"}
	require.Equal(t, []Verdict{NotMatched, Unknown, NotMatched, Matched}, verdicts(table.Explain(e, nil)))
	require.Equal(t, "when is false: event.livemode == true", table.Explain(e, nil)[0].Why)
	require.Equal(t, []Verdict{NotMatched, Matched, NotMatched, Matched}, verdicts(table.Explain(e, json.RawMessage(`{"amount":5000}`))))
	require.Equal(t, "when: no such key: amount: payload.amount > 1000", table.Explain(e, json.RawMessage(`{}`))[1].Why)
	require.Empty(t, table.Explain(&event.Event{Provider: "vapi", Type: "hang"}, nil))

	require.Equal(t, []string{"stripe"}, table.Providers())
	require.Equal(t, 4, table.Len())
}

// What is explained is what is done.
func TestExplain_agreesWithPlan(t *testing.T) {
	t.Parallel()
	table := parsed(t, composed)
	rapid.Check(t, func(t *rapid.T) {
		live := rapid.Bool().Draw(t, "live")
		e := &event.Event{Provider: "stripe", Livemode: &live, Type: rapid.SampledFrom([]string{
			"charge.refunded", "charge.captured", "dispute.created", "charge.x", "invoice.paid"}).Draw(t, "type")}
		payload := json.RawMessage(rapid.SampledFrom([]string{`{"amount":1}`, `{"amount":1001}`, `{}`, `[]`}).Draw(t, "payload"))
		var names string
		for _, look := range table.Explain(e, payload) {
			if look.Verdict == Matched && names != "" {
				names += ", "
			}
			if look.Verdict == Matched {
				names += look.Route
			}
		}
		require.Equal(t, table.Plan(e, payload).Route, names)
	})
}
