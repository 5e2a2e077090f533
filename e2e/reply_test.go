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

const forwardSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// A worker is killed while it computes an answer. Temporal notices after the ten seconds of a workflow task, and another
// worker answers the sender, who has been waiting all the while.
func TestReplyOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	asked, calls := make(chan struct{}, 10), atomic.Int32{}
	desk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		if calls.Add(1) == 1 {
			<-r.Context().Done() // until its worker is gone
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `["order 7 is on its way"]`)
	}))
	t.Cleanup(desk.Close)
	in := install(t).with("HOOKFLOW_FORWARD_SECRET", forwardSecret).routed(`
routes:
  - provider: vapi
    type: tool-calls
    reply:
      forward: {url: "` + desk.URL + `", allow_private: true, timeout: 25s}
      name: desk
      deadline: 28s
      fallback: nothing is known
    steps: []
`)
	door := in.serve("--only", "api")
	worker := in.serve("--only", "worker")
	d := in.sample("vapi", "tool-calls")
	answered := make(chan *reply, 1)
	go func() { answered <- door.post(d) }()
	<-asked
	worker.kill()
	in.serve("--only", "worker")
	got := <-answered
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, "computed", got.header.Get("Hookflow-Answer"))
	require.Contains(t, string(got.body), "order 7 is on its way")
	require.Equal(t, 1, door.awaitStatus(d.key(), event.Completed).Attempts, "what died with its worker was no failure")
	again := door.post(d)
	require.Equal(t, "duplicate", again.header.Get("Hookflow-Outcome"))
	require.Equal(t, string(got.body), string(again.body), "byte for byte")
	require.EqualValues(t, 2, calls.Load(), "one attempt died with its worker")
}
