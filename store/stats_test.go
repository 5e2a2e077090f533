package store_test

import (
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

func TestCount(t *testing.T) {
	t.Parallel()
	s, _, rows := ledger(t, 240) // one second for each four of them
	hour := event.Filter{Since: noon, Until: noon.Add(time.Hour)}
	count := func(c event.Counting) []event.Bucket {
		found, err := s.Count(t.Context(), c)
		require.NoError(t, err)
		return found
	}
	require.Equal(t, []event.Bucket{{Start: noon, Count: 240}}, count(event.Counting{Match: hour}))

	total := 0
	for _, b := range count(event.Counting{Match: hour, By: []string{"status", "provider"}}) {
		require.Nil(t, b.Type)
		require.Equal(t, len(expected(rows, event.Filter{Provider: *b.Provider, Status: *b.Status})), b.Count)
		total += b.Count
	}
	require.Equal(t, 240, total)

	narrow := hour
	narrow.Provider, narrow.Type, narrow.Error = "stripe", "c*", "e"
	total = 0
	for _, b := range count(event.Counting{Match: narrow, By: []string{"type"}, Bucket: time.Minute}) {
		total += b.Count
	}
	require.Equal(t, len(expected(rows, narrow)), total)
	require.Positive(t, total)

	require.Empty(t, count(event.Counting{Match: event.Filter{Since: noon.Add(-time.Hour), Until: noon}}))
}

// Buckets begin at whole multiples of their width, wherever the range does.
func TestCountInBuckets(t *testing.T) {
	t.Parallel()
	s, _ := testkit.Store(t, store.Options{})
	for id, minute := range map[string]int{"evt_1": -1, "evt_2": 0, "evt_3": 59, "evt_4": 60, "evt_5": 150} {
		e := arrive(id)
		e.ReceivedAt = noon.Add(time.Duration(minute) * time.Minute)
		insert(t, s, e)
	}
	match := event.Filter{Since: noon.Add(-30 * time.Minute), Until: noon.Add(150 * time.Minute)}
	for width, want := range map[time.Duration][]event.Bucket{
		time.Hour:      {{Start: noon.Add(-time.Hour), Count: 1}, {Start: noon, Count: 2}, {Start: noon.Add(time.Hour), Count: 1}},
		24 * time.Hour: {{Start: noon.Add(-12 * time.Hour), Count: 4}},
	} {
		found, err := s.Count(t.Context(), event.Counting{Match: match, Bucket: width})
		require.NoError(t, err)
		require.Equal(t, want, found, "the range's end is not in it")
	}
}
