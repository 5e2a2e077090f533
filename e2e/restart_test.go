package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// stream is senders that post one event after the other, and post again what got no answer, as providers do. The server
// behind it may go and come back elsewhere.
type stream struct {
	t        *testing.T
	webhooks atomic.Pointer[string]
	answered atomic.Int32
	outcomes sync.Map // key → outcome of the answer
	posting  sync.WaitGroup
}

func (in *installation) stream(s *server, events, senders int) *stream {
	in.t.Helper()
	st := &stream{t: in.t}
	st.to(s)
	todo := make(chan *delivery, events)
	for range events {
		todo <- in.checkout()
	}
	close(todo)
	for range senders {
		st.posting.Go(func() {
			for d := range todo {
				st.deliver(d)
			}
		})
	}
	return st
}

// to leads the senders to a server.
func (st *stream) to(s *server) { st.webhooks.Store(&s.webhooks) }

func (st *stream) deliver(d *delivery) {
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for st.t.Context().Err() == nil {
		if got, err := d.try(st.t.Context(), *st.webhooks.Load()); err == nil {
			st.outcomes.Store(d.key(), describe(got))
			st.answered.Add(1)
			return
		}
		<-pause.C
	}
}

// reached waits until n events were answered.
func (st *stream) reached(n int) {
	st.t.Helper()
	until(st.t, fmt.Sprintf("%d events are answered", n), func() bool { return int(st.answered.Load()) >= n })
}

// keys waits for the last answer and returns the keys of all events, none of which may have been refused.
func (st *stream) keys() []string {
	st.t.Helper()
	st.posting.Wait()
	var keys []string
	st.outcomes.Range(func(key, outcome any) bool {
		keys = append(keys, key.(string))
		require.Contains(st.t, []any{"200 accepted", "200 duplicate"}, outcome)
		return true
	})
	return keys
}

// requireEachOnce requires that the events, and no others, were completed by one run, one step and one effect each.
func requireEachOnce(t *testing.T, in *installation, effects checkouts, keys []string) {
	t.Helper()
	n := len(keys)
	until(t, fmt.Sprintf("%d events are completed", n), func() bool { return in.rows("status = 'completed'") == n })
	require.Equal(t, n, in.rows("true"))
	require.Equal(t, n, in.rows("provider || ':' || event_id = ANY('{"+join(keys)+"}')"))
	require.Equal(t, n, testkit.Query[int](t, in.database, "SELECT count(*)::int FROM event_steps WHERE status = 'completed'"))
	require.Equal(t, n, testkit.Query[int](t, in.database, "SELECT count(*)::int FROM event_steps"))
	effects.recorded(n)
	until(t, "the runs are visible as completed", func() bool { return in.count(eventRuns+` AND ExecutionStatus = "Completed"`) == n })
	require.Equal(t, n, in.count(eventRuns), "one run each")
}

// Servers that are stopped and killed while events arrive lose nothing that they acknowledged and repeat nothing.
func TestRestartsWhileEventsArrive(t *testing.T) {
	t.Parallel()
	in := install(t)
	effects := in.watchCheckouts()
	const events = 240
	s := in.serve()
	senders := in.stream(s, events, 4)
	for i, how := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL} {
		senders.reached((i + 1) * events / 4)
		if how == syscall.SIGKILL {
			s.kill()
		} else {
			s.drain()
		}
		s = in.serve()
		senders.to(s)
	}
	keys := senders.keys()
	require.Len(t, keys, events)
	requireEachOnce(t, in, effects, keys)
	s.drain()
}

// A second server takes over what one that was killed had accepted and not begun.
func TestServersSideBySide(t *testing.T) {
	t.Parallel()
	in := install(t)
	effects := in.watchCheckouts()
	first, second := in.serve(), in.serve()
	d := in.checkout()
	outcomes := map[string]int{}
	for _, s := range []*server{first, second, first, second} {
		outcomes[describe(s.post(d))]++
	}
	require.Equal(t, map[string]int{"200 accepted": 1, "200 duplicate": 3}, outcomes)
	keys := []string{d.key()}
	for range 30 {
		keys = append(keys, first.acceptNew(), second.acceptNew())
	}
	first.kill()
	_, err := d.try(t.Context(), first.webhooks)
	require.Error(t, err)
	require.Equal(t, http.StatusOK, second.post(d).status)
	requireEachOnce(t, in, effects, keys)
}
