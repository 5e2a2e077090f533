package store_test

import (
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

// ended brings an event to the end of its run, with one step.
func ended(t *testing.T, s *store.Store, id string, end store.Ending) *event.Event {
	t.Helper()
	e := arrive(id)
	require.True(t, insert(t, s, e))
	begin(t, s, e, runOne)
	taken, err := s.FinishRun(t.Context(), e.ID, runOne, end, noon)
	require.NoError(t, err)
	require.True(t, taken)
	return e
}

var (
	runOne = event.Run{RunID: "run-1", OriginalRunID: "run-1"}
	well   = store.Ending{Status: event.Completed, Steps: []event.StepEnd{{Step: "a", Status: event.Completed}}}
	badly  = store.Ending{Status: event.Failed, Error: "no", ErrorType: "No", Steps: []event.StepEnd{{Step: "a", Status: event.Failed, Error: "no", ErrorType: "No"}}}
)

// asEnded is what a row and its steps say of the end.
func asEnded(t *testing.T, url string) string {
	t.Helper()
	return testkit.Query[string](t, url, `SELECT concat_ws(' ', e.status, e.generation, e.last_error, e.last_error_type, s.step, s.status, s.error_type)
		FROM webhook_events e LEFT JOIN event_steps s ON s.event = e.id`)
}

// Whatever is changed by hand is seen and put back; what is as its run ended, or is another run's, is left alone.
func TestDifferingRowsAreMended(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		end     store.Ending
		change  string
		differs bool
	}{
		{well, "webhook_events SET attempts = 9", false},
		{badly, "webhook_events SET attempts = 9", false},
		{well, "webhook_events SET status = 'pending', generation = 1", false},      // replayed
		{well, "webhook_events SET status = 'processing', run_id = 'run-2'", false}, // reset
		{badly, "webhook_events SET last_error_type = 'Unbegun'", false},
		{well, "webhook_events SET status = 'pending', finished_at = NULL", true},
		{badly, "webhook_events SET status = 'processing'", true},
		{well, "webhook_events SET status = 'failed', last_error = 'x', last_error_type = 'X'", true},
		{badly, "webhook_events SET status = 'completed'", true},
		{badly, "webhook_events SET last_error_type = 'X'", true},
		{well, "webhook_events SET last_error = 'x'", true},
		{well, "event_steps SET status = 'processing'", true},
		{well, "event_steps SET status = 'failed', error_type = 'X'", true},
		{badly, "event_steps SET status = 'completed'", true},
	} {
		t.Run(string(c.end.Status)+" "+c.change, func(t *testing.T) {
			t.Parallel()
			s, url := testkit.Store(t, store.Options{})
			e := ended(t, s, "evt_1", c.end)
			before := asEnded(t, url)
			testkit.Exec(t, url, "UPDATE "+c.change)
			found, err := s.Differing(t.Context(), []store.End{{EventID: e.ID, RunID: "run-1", Status: c.end.Status}}, []string{"Unbegun"})
			require.NoError(t, err)
			if !c.differs {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			done, err := s.Mend(t.Context(), found[0], c.end, noon)
			require.NoError(t, err)
			require.True(t, done)
			require.Equal(t, before, asEnded(t, url))
			found[0].Status = c.end.Status
			done, err = s.Mend(t.Context(), found[0], c.end, noon)
			require.NoError(t, err)
			require.False(t, done, "nothing to do")
		})
	}
}

// A row that moved since it was read is left alone; of an open row, completed steps that are gone are for the caller.
func TestMendGivesWay(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	e := ended(t, s, "evt_1", well)
	testkit.Exec(t, url, "UPDATE webhook_events SET status = 'pending'")
	row, err := s.FindOpen(t.Context(), e.ID)
	require.NoError(t, err)
	testkit.Exec(t, url, "DELETE FROM event_steps")
	_, err = s.Mend(t.Context(), row, well, noon)
	require.ErrorIs(t, err, store.ErrForgotten)
	testkit.Exec(t, url, "UPDATE webhook_events SET generation = 1")
	done, err := s.Mend(t.Context(), row, well, noon)
	require.NoError(t, err)
	require.False(t, done)
	require.Equal(t, "pending", testkit.Query[string](t, url, "SELECT status::text FROM webhook_events"))
}
