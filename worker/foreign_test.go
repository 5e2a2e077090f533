package worker

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLedgerOf(t *testing.T) {
	t.Parallel()
	const ledger = "c7a9ff67-21d9-4a09-b13e-61b517d48496"
	require.Equal(t, ledger, LedgerOf(identity(ledger)))
	for _, other := range []string{"5483@vm@", "5483@vm@hookflow", "python@host@worker-1", "", ledger + "@x"} {
		require.Empty(t, LedgerOf(other), other)
	}
}
