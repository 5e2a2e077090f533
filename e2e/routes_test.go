package e2e_test

import (
	"net/http"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// quickly is a policy under which a failed attempt is repeated several times a second.
const quickly = `
policies:
  quickly:
    start_to_close_timeout: 2s
    retry_policy: {initial_interval: 100ms, backoff_coefficient: 1, non_retryable_error_types: [InvalidPayload]}
`

// before and after are two versions of an operator's routes.
const (
	before = quickly + `
routes:
  - provider: stripe
    type: checkout.session.*
    steps: [{name: retrieve-the-old-way, activity: stripe.RetrieveCheckout, policy: quickly}]
`
	after = quickly + `
routes:
  - provider: stripe
    type: checkout.session.*
    steps: [{name: retrieve-the-new-way, activity: stripe.RetrieveCheckout, policy: quickly}]
`
)

// Events in flight keep the plan that they began with; new ones get the routes as they stand.
func TestRoutesChangeUnderRunningEvents(t *testing.T) {
	t.Parallel()
	in, api := install(t).withStripeAPI()
	effects := in.watchCheckouts()
	api.outOfOrder.Store(true)
	s := in.routed(before).serve()
	running := []string{s.acceptNew(), s.acceptNew(), s.acceptNew()}
	s.awaitTrying(running...)
	s.drain()

	s = in.routed(after).serve()
	arrived := []string{s.acceptNew(), s.acceptNew(), s.acceptNew()}
	s.awaitTrying(arrived...)
	api.outOfOrder.Store(false)
	s.awaitCompleted(append(running, arrived...)...)
	for _, key := range running {
		require.Equal(t, []string{"retrieve-the-old-way"}, steps(s.show(key)), key)
	}
	for _, key := range arrived {
		require.Equal(t, []string{"retrieve-the-new-way"}, steps(s.show(key)), key)
	}
	effects.recorded(6)
}

func steps(d event.Detail) []string {
	var names []string
	for _, s := range d.Steps {
		names = append(names, s.Step)
	}
	return names
}

// A route that is wrong is a start-up error with file, line and remedy, and so is one of a provider that is off.
func TestWrongRoutes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ yaml, want string }{
		"activity": {"routes:\n  - provider: stripe\n    type: a.b\n    steps: [{activity: stripe.RecordChekout}]\n", "hookflow.yaml:4"},
		"provider": {"routes:\n  - provider: strip\n    type: a.b\n    steps: []\n", "hookflow.yaml:2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := command(t, installWithoutServers(t).routed(c.yaml).env, "serve")
			require.Equal(t, 1, ended.code)
			require.Contains(t, ended.stderr, c.want)
		})
	}
	t.Run("provider that is off", func(t *testing.T) {
		t.Parallel()
		in := installWithoutServers(t).with("VAPI_WEBHOOK_SECRET", "").
			routed("routes:\n  - provider: vapi\n    type: a\n    steps: []\n")
		ended := command(t, in.env, "serve")
		require.Equal(t, 1, ended.code)
		require.Contains(t, ended.stderr, "hookflow.yaml:2")
	})
}

// One process may receive and another work; neither needs the other to be there.
func TestSplitIntoAPIAndWorker(t *testing.T) {
	t.Parallel()
	in, api := install(t).withStripeAPI()
	in = in.routed(before)
	effects := in.watchCheckouts()
	door := in.serve("--only", "api")
	waiting := door.acceptNew()
	door.await(waiting, "dispatched and waiting for a worker", func(d event.Detail) bool {
		return d.Status == event.Pending && d.DispatchedAt != nil
	})

	worker := in.serve("--only", "worker")
	require.Empty(t, worker.webhooks, "a worker takes no webhooks")
	require.Equal(t, http.StatusOK, worker.get("/metrics").status)
	door.awaitCompleted(waiting)

	api.outOfOrder.Store(true)
	running := door.acceptNew()
	door.awaitTrying(running)
	worker.kill()
	arrived := door.acceptNew()
	door.await(arrived, "dispatched", func(d event.Detail) bool { return d.DispatchedAt != nil })
	api.outOfOrder.Store(false)
	require.Equal(t, event.Processing, door.show(running).Status)
	require.Equal(t, event.Pending, door.show(arrived).Status)

	worker = in.serve("--only", "worker")
	door.awaitCompleted(running, arrived)
	effects.recorded(3)
	worker.drain()
	door.drain()
}

// A worker without an API finds what an API without a worker accepted while Temporal knew nothing of it.
func TestWorkerRelaysWhatAKilledDoorLeft(t *testing.T) {
	t.Parallel()
	in := install(t)
	proxy := testkit.NewProxy(t, testkit.TemporalAddress(t))
	proxy.Refuse()
	door := in.with("TEMPORAL_ADDRESS", proxy.Address()).serve("--only", "api")
	key := door.acceptNew()
	door.kill()
	worker := in.serve("--only", "worker")
	worker.awaitCompleted(key)
}
