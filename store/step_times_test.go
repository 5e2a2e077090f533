package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

// at is a time of that many seconds after noon.
func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// Steps that ran side by side are listed as the plan has them, each with its own times.
func TestStepsHaveTheirOwnTimes(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	e := arrive("evt_1")
	insert(t, s, e)
	_, err := s.BeginRun(t.Context(), e.ID, runOne, store.Beginning{Status: event.Processing,
		Plan: json.RawMessage(`{"steps":[{"name":"slow"},{"name":"quick"},{"name":"an old one"}]}`)}, noon)
	require.NoError(t, err)
	e.Step = "slow" // its first attempt failed, and was noted then
	require.NoError(t, s.RecordFailure(t.Context(), e, store.Failure{Message: "no"}, at(2)))
	end := store.Ending{Status: event.Completed, Steps: []event.StepEnd{
		{Step: "slow", Status: event.Completed, StartedAt: at(1), FinishedAt: at(7)},
		{Step: "quick", Status: event.Completed, StartedAt: at(1), FinishedAt: at(3)},
		{Step: "an old one", Status: event.Completed}, // of a run that began under an earlier version
		{Step: "beside the plan", Status: event.Completed, StartedAt: at(0), FinishedAt: at(1)},
	}}
	type times struct {
		step              string
		started, finished *time.Time
	}
	read := func() (all []times) {
		d, err := s.Find(t.Context(), e.ID)
		require.NoError(t, err)
		for _, step := range d.Steps {
			all = append(all, times{step.Step, step.StartedAt, step.FinishedAt})
		}
		return all
	}
	want := []times{{"slow", new(at(1)), new(at(7))}, {"quick", new(at(1)), new(at(3))},
		{"an old one", nil, new(at(9))}, {"beside the plan", new(at(0)), new(at(1))}}
	for range 2 {
		taken, err := s.FinishRun(t.Context(), e.ID, runOne, end, at(9))
		require.NoError(t, err)
		require.True(t, taken)
		require.Equal(t, want, read())
	}

	// What was changed by hand is mended with the same times; without them the run's end stands in.
	testkit.Exec(t, url, "UPDATE webhook_events SET status = 'pending'")
	testkit.Exec(t, url, "UPDATE event_steps SET status = 'failed', error_type = 'X', finished_at = NULL")
	row, err := s.FindOpen(t.Context(), e.ID)
	require.NoError(t, err)
	_, err = s.Mend(t.Context(), row, end, at(9))
	require.ErrorIs(t, err, store.ErrForgotten, "of an open row")
	testkit.Exec(t, url, "UPDATE webhook_events SET status = 'failed'")
	row.Status = event.Failed
	done, err := s.Mend(t.Context(), row, end, at(9))
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, want, read())
}
