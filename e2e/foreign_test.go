package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

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

// serveTogether starts one process each at the same time, so that neither finds the other's workers, and waits until they serve.
func serveTogether(t *testing.T, all ...*installation) []*server {
	t.Helper()
	for {
		var servers []*server
		for _, in := range all {
			servers = append(servers, in.launch())
		}
		refused := false
		for _, s := range servers {
			until(t, "it serves, or is refused", func() bool { return s.announced() || s.ended() })
			refused = refused || s.ended()
		}
		if !refused {
			return servers
		}
		for _, s := range servers { // one was quicker: both again, once the other's poll is forgotten
			s.kill()
		}
		<-time.After(95 * time.Second)
	}
}

// Two installations that share a namespace and a task queue by mistake take each other's tasks. Each leaves the other's alone,
// spends none of its attempts, and no event fails. A third that starts beside them is refused, and doctor finds them.
func TestTwoInstallationsInOneNamespace(t *testing.T) {
	t.Parallel()
	one := install(t).routed(shapes)
	other := one.neighbour().routed(shapes)
	servers := serveTogether(t, one, other)
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
	third := one.neighbour()
	refused := command(t, third.env, "serve")
	require.NotZero(t, refused.code)
	require.Contains(t, refused.stderr, "HOOKFLOW_TASK_QUEUE")
	require.Contains(t, command(t, one.env, "doctor").stdout, "another installation")
	for _, s := range servers {
		s.drain()
	}
}

// With a task queue each they do not meet, not even in one event that comes to both, and its destination.
func TestTaskQueues(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	routes := shapes + `
  - {provider: stripe, type: checkout.session.expired, steps: [{name: out, forward: {destination: crm}}]}
destinations:
  crm: {url: "` + receiver.URL + `", allow_private: true}
`
	one := install(t).with("HOOKFLOW_FORWARD_SECRET", forwardSecret).routed(routes)
	other := one.neighbour().with("HOOKFLOW_FORWARD_SECRET", forwardSecret).with("HOOKFLOW_TASK_QUEUE", "staging").routed(routes)
	other.env["STRIPE_WEBHOOK_SECRET"] = one.env["STRIPE_WEBHOOK_SECRET"]
	servers := []*server{one.serve(), other.serve()}
	for _, name := range []string{"checkout.session.completed", "checkout.session.expired"} {
		d := one.sample("stripe", name)
		for i, s := range servers {
			s.accept(d)
			got := s.awaitStatus(d.key(), event.Completed)
			require.Len(t, got.Steps, 1)
			require.Equal(t, []string{"", "staging/"}[i]+d.key(), got.WorkflowID)
			require.Equal(t, 1, one.runs(got.WorkflowID))
		}
	}
	until(t, "both have their schedules", func() bool {
		_, err := one.temporal.ScheduleClient().GetHandle(t.Context(), "hookflow-reconcile").Describe(t.Context())
		_, otherErr := one.temporal.ScheduleClient().GetHandle(t.Context(), "staging-reconcile").Describe(t.Context())
		return err == nil && otherErr == nil
	})
	for _, s := range servers {
		s.drain()
	}
}
