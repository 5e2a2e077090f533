package e2e_test

import (
	"fmt"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// neighbour is another installation in the same Temporal namespace: its own ledger and secrets.
func (in *installation) neighbour() *installation {
	in.t.Helper()
	other := installWithoutServers(in.t)
	other.database = testkit.Database(in.t)
	other.temporal = in.temporal
	for _, name := range []string{"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"} {
		other.env[name] = in.env[name]
	}
	other.env["DATABASE_URL"] = other.database
	return other
}

// shapes are steps that attempt inline, ordinarily, and with few attempts.
const shapes = `
routes:
  - {provider: stripe, type: checkout.session.completed, steps: [{name: inline, activity: stripe.RecordCheckout, inline: true}]}
  - provider: twilio
    type: '*'
    steps: [{name: ordinary, activity: twilio.RecordCall, retry_policy: {maximum_attempts: 1}}]
  - provider: vapi
    type: '*'
    steps: [{name: ordinary, activity: vapi.RecordCall}]
`

// Two installations that share a namespace and a task queue by mistake take each other's tasks. Each leaves the other's alone,
// spends none of its attempts, and no event fails.
func TestTwoInstallationsInOneNamespace(t *testing.T) {
	t.Parallel()
	one := install(t).routed(shapes)
	other := one.neighbour().routed(shapes)
	servers := []*server{one.serve(), other.serve()}
	for _, s := range servers {
		var all []*delivery
		for range 2 {
			all = append(all, s.sample("stripe", "checkout.session.completed"), s.sample("twilio", "call.completed"), s.sample("vapi", "status-update"))
		}
		for _, d := range all {
			s.accept(d)
		}
		for _, d := range all {
			got := s.awaitStatus(d.key(), event.Completed)
			require.Len(t, got.Steps, 1)
			require.Equal(t, 1, got.Attempts, fmt.Sprintf("%s: %+v", d.key(), got.Steps))
		}
	}
	for _, s := range servers {
		s.drain()
	}
}
