package store_test

import (
	"fmt"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

// The content of old final events goes, row by row in the order of the ledger; rows and open events stay.
func TestEraseExpired(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	run := event.Run{RunID: "r", OriginalRunID: "r"}
	for i := range 10 {
		e := arrive(fmt.Sprintf("evt_%d", i))
		e.ReceivedAt = noon.Add(time.Duration(i) * time.Hour)
		insert(t, s, e)
		if i != 3 { // still open
			finished(run)(t, s, e)
		}
	}
	cutoff := noon.Add(7*time.Hour + time.Minute) // 0 to 7 are old
	total, at := 0, store.Place{}
	for {
		looked, erased, next, err := s.EraseExpired(t.Context(), at, cutoff, 3)
		require.NoError(t, err)
		require.LessOrEqual(t, erased, 3)
		total, at = total+erased, next
		if looked < 3 {
			break
		}
	}
	require.Equal(t, 7, total)
	require.Equal(t, 10, testkit.Query[int](t, url, `SELECT count(*) FROM webhook_events`))
	require.Equal(t, 3, testkit.Query[int](t, url, `SELECT count(*) FROM webhook_bodies`))
	require.Equal(t, 2, testkit.Query[int](t, url, `SELECT count(*) FROM webhook_payloads`))
	_, err := s.Replay(t.Context(), event.ID("stripe:evt_0"), event.FromFailure, "ann", noon)
	require.ErrorIs(t, err, event.ErrErased)
	_, err = s.ReadEvent(t.Context(), event.ID("stripe:evt_3"))
	require.NoError(t, err, "an open event keeps its body")
}
