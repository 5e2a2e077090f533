package intake_test

import (
	"fmt"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

func delivery(ids ...string) []event.Event {
	events := make([]event.Event, len(ids))
	for i, id := range ids {
		events[i] = *webhook(id)
	}
	return events
}

func TestDeliveryOfManyIsOneStatement(t *testing.T) {
	t.Parallel()
	b := start(t)
	require.Equal(t, event.Accepted, b.accept(t, webhook("b")))
	events := delivery("a", "b", "c", "a", "chatter")
	events[4].Type, events[4].Chatty = "chatter", true
	outcomes, err := b.AcceptAll(t.Context(), events)
	require.NoError(t, err)
	require.Equal(t, []event.Outcome{event.Accepted, event.Duplicate, event.Accepted, event.Duplicate, event.Ignored}, outcomes)
	require.Equal(t, 3, b.rows(t, "true"))
	// Bodies are written once and never touched, so their transaction is the one that accepted them.
	const transactions = `SELECT count(DISTINCT b.xmin::text)::int FROM webhook_bodies b JOIN webhook_events e USING (id) WHERE e.event_id LIKE $1`
	require.Equal(t, 2, testkit.Query[int](t, b.url, transactions, "_"))

	// More than a statement of single events holds, and none of it lost or divided.
	ids := make([]string, 700)
	for i := range ids {
		ids[i] = fmt.Sprintf("many_%d", i)
	}
	outcomes, err = b.AcceptAll(t.Context(), delivery(ids...))
	require.NoError(t, err)
	for _, outcome := range outcomes {
		require.Equal(t, event.Accepted, outcome)
	}
	require.Equal(t, 700, b.rows(t, "event_id LIKE 'many%'"))
	require.Equal(t, 1, testkit.Query[int](t, b.url, transactions, "many%"))

	// More than a statement may hold is cut, and none of it lost.
	ids = make([]string, 2001)
	for i := range ids {
		ids[i] = fmt.Sprintf("more_%d", i)
	}
	outcomes, err = b.AcceptAll(t.Context(), delivery(ids...))
	require.NoError(t, err)
	require.NotContains(t, outcomes, event.Duplicate)
	require.Equal(t, len(ids), b.rows(t, "event_id LIKE 'more%'"))
	require.Equal(t, 3, testkit.Query[int](t, b.url, transactions, "more%"))

	outcomes, err = b.AcceptAll(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, outcomes)
}

func TestDeliveryOfManyWhileTheLedgerIsAway(t *testing.T) {
	t.Parallel()
	b := startWith(t, 0)
	b.postgresProxy.Refuse()
	events := delivery("a", "b", "a")
	outcomes, err := b.AcceptAll(t.Context(), events)
	require.NoError(t, err)
	counts := map[event.Outcome]int{}
	for _, o := range outcomes {
		counts[o]++
	}
	require.Equal(t, map[event.Outcome]int{event.Accepted: 2, event.Duplicate: 1}, counts)
	require.True(t, b.started(t, &events[0]) && b.started(t, &events[1]))

	b.temporalProxy.Refuse()
	_, err = b.AcceptAll(t.Context(), delivery("c", "d"))
	require.ErrorIs(t, err, event.ErrUnavailable)
}
