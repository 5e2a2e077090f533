package intake

import (
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

func push(t *testing.T, q *queues, provider, id string) {
	t.Helper()
	require.True(t, q.reserve(provider))
	q.push(queued{Event: event.Event{Provider: provider, EventID: id}})
}

// A burst of one provider stands behind the single events of the others.
func TestQueuesServeProvidersInTurn(t *testing.T) {
	t.Parallel()
	q := newQueues(func(string) bool { return false }, func(int) {})
	for _, id := range []string{"1", "2", "3", "4"} {
		push(t, q, "stripe", id)
	}
	push(t, q, "twilio", "1")
	push(t, q, "vapi", "1")
	var order []string
	for range 6 {
		e, ok := q.pop()
		require.True(t, ok)
		order = append(order, e.Key())
	}
	require.Equal(t, []string{"stripe:1", "twilio:1", "vapi:1", "stripe:2", "stripe:3", "stripe:4"}, order)
	require.True(t, q.empty())
}

// A full queue takes no more of its provider, and all of the others; a released or served place is free again.
func TestQueuesAreBoundedPerProvider(t *testing.T) {
	t.Parallel()
	q := newQueues(func(string) bool { return false }, func(int) {})
	for range queueRoom {
		push(t, q, "stripe", "x")
	}
	require.False(t, q.reserve("stripe"))
	require.True(t, q.reserve("twilio"))
	q.release("twilio")
	_, _ = q.pop()
	require.True(t, q.reserve("stripe"))
	q.release("stripe")
	q.close()
	require.False(t, q.reserve("stripe"), "a stopping process takes nothing more")
	_, ok := q.pop()
	require.False(t, ok)
	require.Len(t, q.rest(), queueRoom-1, "what was queued is given back")
}
