package intake_test

import (
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// Both places may find an event new when the ledger comes back between two of its copies; the sender hears it once.
func TestAcceptedOnceAcrossBothPlaces(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.postgresProxy.Refuse()
	require.Equal(t, event.Accepted, b.accept(t, webhook("evt_1")))
	b.postgresProxy.Heal()
	testkit.Eventually(t, func() bool { ledger, _ := b.Available(); return ledger }, "the ledger is still skipped")
	require.Zero(t, b.rows(t, "true"), "no run has begun, so only Temporal has the event")
	require.Equal(t, event.Duplicate, b.accept(t, webhook("evt_1")))
	require.Equal(t, 1, b.rows(t, "true"))
	testkit.Eventually(t, func() bool { return b.rows(t, "duplicates = 1") == 1 }, "not counted")
}

// Copies that came while Temporal alone had the event are counted once its row is written.
func TestCopiesAreCountedBeforeTheRow(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.postgresProxy.Refuse()
	require.Equal(t, event.Accepted, b.accept(t, webhook("evt_1")))
	for range 3 {
		require.Equal(t, event.Duplicate, b.accept(t, webhook("evt_1")))
	}
	b.postgresProxy.Heal()
	testkit.Eventually(t, func() bool { ledger, _ := b.Available(); return ledger }, "the ledger is still skipped")
	// Another event's counter is written in a flush after the outage, and with it, in vain, that of the first.
	require.Equal(t, event.Accepted, b.accept(t, webhook("evt_2")))
	require.Equal(t, event.Duplicate, b.accept(t, webhook("evt_2")))
	testkit.Eventually(t, func() bool { return b.rows(t, "event_id = 'evt_2' AND duplicates = 1") == 1 }, "not counted")
	require.Equal(t, event.Duplicate, b.accept(t, webhook("evt_1")), "this writes its row")
	testkit.Eventually(t, func() bool { return b.rows(t, "event_id = 'evt_1' AND duplicates = 4") == 1 }, "not counted")
}
