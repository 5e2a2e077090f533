package store_test

import (
	"fmt"
	"slices"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

// The writes of a status arrive in whatever order a slow network makes of them, each of them twice: a final row stays
// final, and says in the end what the run said.
func TestStatusWritesInEveryOrder(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	for number, order := range orders([]string{"dispatched", "attempt failed", "reconciled", "finished"}) {
		e := arrive(fmt.Sprintf("evt_%d", number))
		insert(t, s, e)
		begin(t, s, e, runOne)
		open, err := s.FindOpen(t.Context(), e.ID)
		require.NoError(t, err)
		final := false
		for _, write := range append(slices.Clone(order), order...) {
			var err error
			switch write {
			case "dispatched":
				err = s.MarkDispatched(t.Context(), []event.Event{e.Ref()}, noon)
			case "attempt failed":
				attempt := *e
				attempt.Step = "a"
				err = s.RecordFailure(t.Context(), &attempt, store.Failure{Message: "no", ErrorType: "No"}, noon)
			case "reconciled": // by who read the row before it was final
				_, err = s.Settle(t.Context(), open, runOne, event.Failed, "terminated", "terminated", noon)
			case "finished":
				_, err = s.FinishRun(t.Context(), e.ID, runOne, well, noon)
			}
			require.NoError(t, err)
			now := event.Status(testkit.Query[string](t, url, "SELECT status::text FROM webhook_events WHERE id = $1", e.ID))
			require.True(t, !final || now.Final(), "%v: %s after %s", order, now, write)
			final = now.Final()
		}
		require.Equal(t, "completed ", testkit.Query[string](t, url, "SELECT concat(status, ' ', last_error_type) FROM webhook_events WHERE id = $1", e.ID), "%v", order)
	}
}

// orders are all orders of some words.
func orders(words []string) [][]string {
	if len(words) == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for i, first := range words {
		rest := append(slices.Clone(words[:i]), words[i+1:]...)
		for _, others := range orders(rest) {
			all = append(all, append([]string{first}, others...))
		}
	}
	return all
}
