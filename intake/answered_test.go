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
