package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// A receiver of plain forwards that accepts connections and never answers holds up nobody: 150 events that wait for it leave room
// for another receiver and for handlers, and spend none of their attempts while they wait for a place.
func TestSilentReceiverHoldsUpNobody(t *testing.T) {
	t.Parallel()
	var now, most, reached atomic.Int64
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		reached.Add(1)
		n := now.Add(1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		defer now.Add(-1)
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	healthy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(healthy.Close)
	s := install(t).with("HOOKFLOW_FORWARD_SECRET", forwardSecret).routed(`
policies:
  twice: {start_to_close_timeout: 10m, retry_policy: {maximum_attempts: 2}}
  patient: {start_to_close_timeout: 10m}
routes:
  - provider: vapi
    type: status-update
    steps: [{name: silent, policy: patient, forward: {url: "` + silent.URL + `", allow_private: true, timeout: 9m}}]
  - provider: vapi
    type: '*'
    steps: [{name: silent, policy: twice, forward: {url: "` + silent.URL + `", allow_private: true, timeout: 9m}}]
  - provider: twilio
    type: '*'
    steps: [{name: healthy, forward: {url: "` + healthy.URL + `", allow_private: true}}]
  - provider: stripe
    type: checkout.session.completed
    steps: [{name: ours, activity: stripe.RecordCheckout}]
`).serve()
	var waiting []*delivery
	for n := range 150 {
		d := s.sample("vapi", []string{"status-update", "end-of-call-report"}[n%2])
		s.accept(d)
		waiting = append(waiting, d)
	}
	until(t, "the silent receiver has its share", func() bool { return now.Load() >= 20 })
	for range 10 {
		for _, d := range []*delivery{s.sample("twilio", "call.completed"), s.checkout()} {
			s.accept(d)
			require.Equal(t, 1, s.awaitStatus(d.key(), event.Completed).Attempts)
		}
	}
	require.LessOrEqual(t, most.Load(), int64(33), "of 100 places")
	require.LessOrEqual(t, reached.Load(), int64(33), "none of its attempts has ended meanwhile")
	for _, d := range waiting {
		require.Zero(t, s.show(d.key()).Attempts)
	}
	s.kill() // else it waits for its attempts
}
