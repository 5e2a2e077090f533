package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// A retry of a step that waits for a paused destination says so.
func TestRetryOfWhatWaitsForADestination(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	s := install(t).with("HOOKFLOW_FORWARD_SECRET", forwardSecret).routed(`
destinations:
  crm: {url: "` + receiver.URL + `", allow_private: true}
routes:
  - {provider: stripe, type: '*', steps: [{name: out, forward: {destination: crm}}]}
`).serve()
	require.Zero(t, command(t, s.env, "destinations", "pause", "crm", "--url", s.ops).code)
	d := s.checkout()
	s.accept(d)
	until(t, "the retry says why", func() bool {
		if s.show(d.key()).Status == event.Completed { // taken before the pause
			d = s.checkout()
			s.accept(d)
		}
		got := s.act(d.key(), "retry")
		return got.status == http.StatusConflict && strings.Contains(decode[struct{ Detail string }](t, got.body).Detail,
			"No attempt can be made now: the next attempt waits in its task queue: destination crm is paused by tester since ")
	})
	require.Zero(t, command(t, s.env, "destinations", "resume", "crm", "--url", s.ops).code)
	s.awaitCompleted(d.key())
	s.drain()
}
