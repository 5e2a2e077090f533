package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// version is an operator's file of routes whose steps bear its name.
func version(name string) string {
	return fmt.Sprintf(`
routes:
  - name: %[1]s
    provider: stripe
    type: checkout.session.*
    when: payload.data.object.object == "checkout.session"
    steps:
      - parallel:
          - {name: %[1]s-one, activity: stripe.RecordCheckout, inline: true}
          - {name: %[1]s-two, activity: stripe.RecordCheckout}
      - {name: %[1]s-three, activity: stripe.RecordCheckout, inline: true}
`, name)
}

// routesServer is a server whose routes an operator changes while it runs.
type routesServer struct {
	*server
	reloads int // so far
}

// reload writes the file, sends SIGHUP and waits until the server says what came of it.
func (s *routesServer) reload(text, says string) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(s.env["HOOKFLOW_CONFIG"], []byte(text), 0o600))
	require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGHUP))
	s.reloads++
	until(s.t, says, func() bool {
		return strings.Count(s.stderr.String(), "the routes were read again and are") == s.reloads
	})
	require.Contains(s.t, s.stderr.String(), says)
}

// Routes change while events arrive: each goes wholly through the old ones or wholly through the new ones, and none is
// lost. A file that is wrong changes nothing.
func TestReloadUnderArrivingEvents(t *testing.T) {
	t.Parallel()
	in := install(t).routed(version("v0"))
	s := &routesServer{server: in.serve()}
	st := &stream{t: t}
	st.to(s.server)
	todo := make(chan *delivery, 100)
	for range 2 {
		st.posting.Go(func() {
			pace := time.NewTicker(10 * time.Millisecond) // so that the file changes between them
			defer pace.Stop()
			for d := range todo {
				st.deliver(d)
				<-pace.C
			}
		})
	}
	probes := map[string]string{s.acceptNew(): "v0"}
	s.awaitCompleted(keysOf(probes)...)
	for _, name := range []string{"v1", "v2", "v3", "v4"} {
		before := int(st.answered.Load())
		for range 16 {
			todo <- in.checkout()
		}
		st.reached(before + 4)
		s.reload(version(name), "the routes were read again and are in force")
		probes[s.acceptNew()] = name
		s.reload("routes:\n  - {provider: stripe, type: x, steps: [], stps: []}\n", `a route has no key`)
		probes[s.acceptNew()] = name
		s.awaitCompleted(keysOf(probes)...) // before the next version: their runs have begun
	}
	close(todo)
	keys := append(st.keys(), keysOf(probes)...)

	n := len(keys)
	until(t, fmt.Sprintf("%d events are completed", n), func() bool { return in.rows("status = 'completed'") == n })
	require.Equal(t, n, in.rows("true"))
	require.Equal(t, n, in.rows("provider || ':' || event_id = ANY('{"+join(keys)+"}')"))
	require.Equal(t, n, testkit.Query[int](t, in.database, `SELECT count(*)::int FROM (
		SELECT event FROM event_steps WHERE status = 'completed' GROUP BY event
		HAVING count(*) = 3 AND count(DISTINCT split_part(step, '-', 1)) = 1) AS whole`), "three steps of one version each")
	require.Equal(t, 3*n, testkit.Query[int](t, in.database, "SELECT count(*)::int FROM event_steps"))
	require.Equal(t, 5, testkit.Query[int](t, in.database, "SELECT count(DISTINCT split_part(step, '-', 1))::int FROM event_steps"), "each version took some")
	for key, name := range probes {
		require.ElementsMatch(t, []string{name + "-one", name + "-two", name + "-three"}, steps(s.show(key)), key)
	}
	s.drain()
	t.Logf("%d events under %d reloads", n, s.reloads)
}

func keysOf(probes map[string]string) []string {
	var keys []string
	for key := range probes {
		keys = append(keys, key)
	}
	return keys
}
