package activities

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNoted_eachOnceAMinute(t *testing.T) {
	t.Parallel()
	var n noted
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	require.True(t, n.due("a", noon))
	require.False(t, n.due("a", noon.Add(59*time.Second)))
	require.True(t, n.due("b", noon))
	require.True(t, n.due("a", noon.Add(time.Minute)))
	for i := range 3 * mostNotes {
		n.due(fmt.Sprint(i), noon)
	}
	require.LessOrEqual(t, len(n.last), mostNotes)
}
