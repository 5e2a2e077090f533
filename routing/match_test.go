package routing

import (
	"strings"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPlan_firstMatchWins(t *testing.T) {
	t.Parallel()
	table := parsed(t, `
routes:
  - {name: narrow, provider: stripe, type: checkout.session.completed, steps: [{activity: a}]}
  - {name: nothing, provider: stripe, type: [checkout.*, charge.refunded], steps: []}
  - {provider: stripe, type: "*", steps: [{activity: b}, {activity: a, name: again}]}
`)
	for _, test := range []struct {
		provider, eventType, route string
		steps                      int
		routed                     bool
	}{
		{"stripe", "checkout.session.completed", "narrow", 1, true},
		{"stripe", "checkout.session.expired", "nothing", 0, true},
		{"stripe", "charge.refunded", "nothing", 0, true},
		{"stripe", "charge.failed", "stripe *", 2, true},
		{"twilio", "checkout.session.completed", "", 0, false},
		{"", "", "", 0, false},
	} {
		plan := planOf(table, test.provider, test.eventType)
		require.Equal(t, test.route, plan.Route, test.eventType)
		require.Len(t, plan.Steps, test.steps, test.eventType)
		require.Equal(t, test.routed, table.Routed(test.provider, test.eventType), test.eventType)
	}
	require.Equal(t, []string{"a", "b"}, table.Activities())
}

func TestPlan_belongsToTheCaller(t *testing.T) {
	t.Parallel()
	table := parsed(t, "routes: [{provider: a, type: x, steps: [{activity: b, retry_policy: {non_retryable_error_types: [E]}}]}]")
	before := planOf(table, "a", "x")
	changed := planOf(table, "a", "x")
	changed.Steps[0].Done = true
	changed.Steps[0].Options.RetryPolicy.NonRetryableErrorTypes[0] = "other"
	require.Equal(t, before, planOf(table, "a", "x"))
}

func TestCheck(t *testing.T) {
	t.Parallel()
	table := parsed(t, `routes:
  - provider: strip
    type: x
    steps:
      - name: first
        activity: stripe.RecordChekout
  - {provider: vapi, type: x, steps: [{activity: stripe.RecordCheckout}]}
`)
	known := Known{
		Providers:  map[string]bool{"stripe": true, "vapi": false, "twilio": true},
		Activities: []string{"twilio.RecordCall", "stripe.RecordCheckout"},
	}
	require.EqualError(t, table.Check(known), strings.Join([]string{
		`routes.yaml:2: there is no provider "strip"; write: stripe`,
		`routes.yaml:6: there is no activity "stripe.RecordChekout"; write: stripe.RecordCheckout`,
		`routes.yaml:7: provider vapi is off, since it has no secret; write: its secret into the environment, or leave the route out`,
	}, "\n"))

	known.Providers = map[string]bool{"strip": true, "vapi": true}
	known.Activities = append(known.Activities, "stripe.RecordChekout")
	require.NoError(t, table.Check(known))
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "abc", 0}, {"ABC", "abc", 0},
		{"kitten", "sitting", 3}, {"databse", "database", 1},
	} {
		require.Equal(t, test.want, distance(test.a, test.b), "%q %q", test.a, test.b)
	}
}

func TestDistance_isAMetric(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching(`[a-c]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		require.Equal(t, a == b, distance(a, b) == 0)
		require.Equal(t, distance(a, b), distance(b, a))
		require.LessOrEqual(t, distance(a, c), distance(a, b)+distance(b, c))
	})
}

// planOf is the plan of an event of which nothing else is known.
func planOf(t *Table, provider, eventType string) Plan {
	return t.Plan(&event.Event{Provider: provider, Type: eventType}, nil)
}
