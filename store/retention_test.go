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

// Retention counts from the end of an event: what failed after days is there to be replayed as long as what failed at once.
func TestEraseExpired_countsFromTheEnd(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	for _, id := range []string{"quick", "slow"} {
		e := arrive("evt_" + id)
		insert(t, s, e)
		finished(event.Run{RunID: "r", OriginalRunID: "r"})(t, s, e)
	}
	testkit.Exec(t, url, `UPDATE webhook_events SET finished_at = received_at + interval '72 hours' WHERE event_id = 'evt_slow'`)
	for _, c := range []struct{ hours, left int }{{71, 1}, {73, 0}} {
		_, _, _, err := s.EraseExpired(t.Context(), store.Place{}, noon.Add(time.Duration(c.hours)*time.Hour), 10)
		require.NoError(t, err)
		require.Equal(t, c.left, testkit.Query[int](t, url, `SELECT count(*)::int FROM webhook_bodies`))
	}
}

// What became of the events of a bulk replay goes with it, once it is over and old.
func TestDeleteReplays(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	const insertReplay = `INSERT INTO replays (state, author, begin_from, filter, created_at, finished_at, paced_at, moved, completed) VALUES ($1, 'ann', 'failure', '{}', $2, $3, $2, $4, $5)`
	old := noon.Add(-time.Hour)
	testkit.Exec(t, url, insertReplay, "completed", old, old, 1, 1)
	testkit.Exec(t, url, insertReplay, "completed", old, noon.Add(time.Hour), 1, 1)
	testkit.Exec(t, url, insertReplay, "running", old, nil, 1, 0)
	testkit.Exec(t, url, insertReplay, "stopped", old, old, 2, 1) // events of it still run
	testkit.Exec(t, url, `INSERT INTO replay_events (replay, position, event, generation) SELECT id, 1, gen_random_uuid(), 0 FROM replays`)
	deleted, err := s.DeleteReplays(t.Context(), noon)
	require.NoError(t, err)
	require.Equal(t, 1, deleted)
	require.Equal(t, 3, testkit.Query[int](t, url, `SELECT count(*)::int FROM replay_events`))
}
