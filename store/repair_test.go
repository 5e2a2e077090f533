package store_test

import (
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

// An event that was cancelled before its run began stays so, whatever a dispatcher had in hand.
func TestCancelOpen(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	e := arrive("evt_1")
	insert(t, s, e)
	claimed, err := s.ClaimPending(t.Context(), "stripe", 1, noon, noon.Add(time.Minute))
	require.NoError(t, err)
	open, err := s.FindOpen(t.Context(), e.ID)
	require.NoError(t, err)
	done, err := s.CancelOpen(t.Context(), open, "ann", "cancelled", noon)
	require.NoError(t, err)
	require.True(t, done)
	d, err := s.Find(t.Context(), e.ID)
	require.NoError(t, err)
	require.Equal(t, event.Failed, d.Status)
	require.Equal(t, "cancelled", *d.LastErrorType)
	require.Equal(t, "cancelled by ann", *d.LastError)
	require.Equal(t, noon, *d.FinishedAt)

	acts := of(event.Cancelled, timeline(t, s, e.ID))
	require.Len(t, acts, 1)
	require.Equal(t, "ann", *acts[0].Author)

	// The dispatcher that held the lease goes on: none of its notes moves the row, and its run ends without a step.
	require.NoError(t, s.MarkDispatched(t.Context(), []event.Event{claimed[0].Event}, noon))
	require.NoError(t, s.PostponeDispatch(t.Context(), []store.Postponed{{Event: claimed[0].Event, Next: noon}}, noon))
	require.NoError(t, s.FailDispatch(t.Context(), claimed[0].Event, "refused", noon))
	standing, err := s.BeginRun(t.Context(), e.ID, event.Run{RunID: "late", OriginalRunID: "late"}, store.Beginning{Status: event.Processing}, noon)
	require.NoError(t, err)
	require.False(t, standing.Adopted)
	require.Equal(t, "cancelled", testkit.Query[string](t, url, `SELECT last_error_type FROM webhook_events`))
	claimed, err = s.ClaimPending(t.Context(), "stripe", 1, noon.Add(time.Hour), noon.Add(2*time.Hour))
	require.NoError(t, err)
	require.Empty(t, claimed)

	// A replay takes it up again, under a generation that the late run is not of.
	_, err = s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
	require.NoError(t, err)
	standing, err = s.BeginRun(t.Context(), e.ID, event.Run{RunID: "new", OriginalRunID: "new", Generation: 1}, store.Beginning{Status: event.Processing}, noon)
	require.NoError(t, err)
	require.True(t, standing.Adopted)
	done, err = s.CancelOpen(t.Context(), open, "ann", "cancelled", noon)
	require.NoError(t, err)
	require.False(t, done, "a row that has moved since it was read is left alone")
}

// A row that reconcile gave back to the relay still names the run of before, which must not take the cancelled row back.
func TestCancelForgetsTheRunOfBefore(t *testing.T) {
	t.Parallel()
	s, _ := testkit.Store(t, store.Options{})
	e, run := arrive("evt_1"), event.Run{RunID: "r", OriginalRunID: "r"}
	insert(t, s, e)
	begin(t, s, e, run)
	open, err := s.FindOpen(t.Context(), e.ID)
	require.NoError(t, err)
	_, err = s.Redispatch(t.Context(), open)
	require.NoError(t, err)
	open, err = s.FindOpen(t.Context(), e.ID)
	require.NoError(t, err)
	done, err := s.CancelOpen(t.Context(), open, "ann", "cancelled", noon)
	require.NoError(t, err)
	require.True(t, done)
	standing, err := s.BeginRun(t.Context(), e.ID, run, store.Beginning{Status: event.Processing}, noon)
	require.NoError(t, err)
	require.False(t, standing.Adopted)
	taken, err := s.FinishRun(t.Context(), e.ID, run, store.Ending{Status: event.Completed}, noon)
	require.NoError(t, err)
	require.False(t, taken)
}

func TestDispatchNow(t *testing.T) {
	t.Parallel()
	s, _ := testkit.Store(t, store.Options{})
	e := arrive("evt_1")
	insert(t, s, e)
	require.NoError(t, s.PostponeDispatch(t.Context(), []store.Postponed{{Event: *e, Next: noon.Add(time.Hour), Refusal: "bad"}}, noon))
	claim := func() int {
		claimed, err := s.ClaimPending(t.Context(), "stripe", 1, noon, noon.Add(time.Minute))
		require.NoError(t, err)
		return len(claimed)
	}
	require.Zero(t, claim())
	open, err := s.FindOpen(t.Context(), e.ID)
	require.NoError(t, err)
	waits, err := s.DispatchNow(t.Context(), open, "ann", noon)
	require.NoError(t, err)
	require.True(t, waits)
	require.Equal(t, 1, claim())
	require.NoError(t, s.MarkDispatched(t.Context(), []event.Event{*e}, noon))
	waits, err = s.DispatchNow(t.Context(), open, "ann", noon)
	require.NoError(t, err)
	require.False(t, waits, "a run was started")
	acts := of(event.Retried, timeline(t, s, e.ID))
	require.Len(t, acts, 1)
	require.Equal(t, "ann", *acts[0].Author)
}
