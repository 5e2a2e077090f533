package store_test

import (
	"encoding/json"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

func TestPlansAreWrittenOnce(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	adopt := func(s *store.Store, id, run, plan string) {
		e := arrive(id)
		insert(t, s, e)
		standing, err := s.BeginRun(t.Context(), e.ID, event.Run{RunID: run, OriginalRunID: run},
			store.Beginning{Status: event.Processing, Plan: json.RawMessage(plan)}, noon)
		require.NoError(t, err)
		require.True(t, standing.Adopted)
	}
	plan := func(id string) string {
		d, err := s.Find(t.Context(), event.ID("stripe:"+id))
		require.NoError(t, err)
		require.Equal(t, d.Plan == nil, d.PlanID == nil)
		return string(d.Plan)
	}
	insert(t, s, arrive("evt_waiting"))
	require.Empty(t, plan("evt_waiting"), "no run has begun")

	const one, two = `{"route": "one"}`, `{"route": "two"}`
	adopt(s, "evt_1", "run-1", one)
	adopt(s, "evt_2", "run-2", one)
	adopt(testkit.OpenStore(t, url, store.Options{}), "evt_3", "run-3", one) // another process
	require.Equal(t, 1, testkit.Query[int](t, url, `SELECT count(*) FROM plans`))
	for _, id := range []string{"evt_1", "evt_2", "evt_3"} {
		require.Equal(t, one, plan(id))
	}
	adopt(s, "evt_4", "run-4", two)
	require.Equal(t, two, plan("evt_4"))
	require.Equal(t, one, plan("evt_1"))

	// A run that is not adopted brings no plan with it.
	_, err := s.FinishRun(t.Context(), event.ID("stripe:evt_1"), event.Run{OriginalRunID: "run-1"}, store.Ending{Status: event.Completed}, noon)
	require.NoError(t, err)
	standing, err := s.BeginRun(t.Context(), event.ID("stripe:evt_1"), event.Run{RunID: "run-9", OriginalRunID: "run-9"},
		store.Beginning{Status: event.Processing, Plan: json.RawMessage(`{"route": "nine"}`)}, noon)
	require.NoError(t, err)
	require.False(t, standing.Adopted)
	require.Equal(t, one, plan("evt_1"))
	require.Equal(t, 2, testkit.Query[int](t, url, `SELECT count(*) FROM plans`))
}

// The begin of a reset run takes the end from the row; the timeline keeps it.
func TestBeginKeepsTheEndThatItReplaces(t *testing.T) {
	t.Parallel()
	s, _ := testkit.Store(t, store.Options{})
	e, run := arrive("evt_1"), event.Run{RunID: "run-1", OriginalRunID: "run-1"}
	insert(t, s, e)
	begin(t, s, e, run)
	_, err := s.FinishRun(t.Context(), e.ID, run, store.Ending{Status: event.Failed, Error: "no"}, noon)
	require.NoError(t, err)
	begin(t, s, e, event.Run{RunID: "run-2", OriginalRunID: "run-1"})
	ends := of(event.Ended, timeline(t, s, e.ID))
	require.Len(t, ends, 1)
	require.Equal(t, "no", *ends[0].Error)
}
