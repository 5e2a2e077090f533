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

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// arrive returns an event of stripe as the door hands it on.
func arrive(id string) *event.Event {
	live := true
	e := &event.Event{
		Provider: "stripe", Scheme: "stripe", EventID: id, Type: "checkout.session.completed", Account: "acct_1", Livemode: &live,
		OccurredAt: noon.Add(-time.Second), ReceivedAt: noon, Headers: map[string]string{"User-Agent": "Stripe/1.0"},
		ContentType: "application/json", Body: []byte(`{"id":"` + id + `","n":1}`),
	}
	e.ID = event.ID(e.Key())
	return e
}

func insert(t *testing.T, s *store.Store, e *event.Event) bool {
	t.Helper()
	fresh, err := s.InsertEvents(t.Context(), []store.Arrival{{Event: e}})
	require.NoError(t, err)
	return fresh[e.ID]
}

func TestInsertEvents(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	one, two := arrive("evt_1"), arrive("evt_2")
	two.Body, two.Headers, two.Account, two.Livemode, two.OccurredAt = nil, nil, "", nil, time.Time{}

	fresh, err := s.InsertEvents(t.Context(), []store.Arrival{{Event: one, LeaseUntil: noon.Add(time.Minute)}, {Event: two}})
	require.NoError(t, err)
	require.Equal(t, map[string]bool{one.ID: true, two.ID: true}, fresh)
	fresh, err = s.InsertEvents(t.Context(), []store.Arrival{{Event: one}, {Event: arrive("evt_3")}})
	require.NoError(t, err)
	require.Equal(t, map[string]bool{event.ID("stripe:evt_3"): true}, fresh, "the known one is not new")

	read, err := s.ReadEvent(t.Context(), one.ID)
	require.NoError(t, err)
	require.Equal(t, *one, read)
	read, err = s.ReadEvent(t.Context(), two.ID)
	require.NoError(t, err)
	require.Empty(t, read.Body)
	require.True(t, read.OccurredAt.IsZero())
	_, err = s.ReadEvent(t.Context(), event.ID("none"))
	require.ErrorIs(t, err, event.ErrNotFound)

	missing, err := s.CountDuplicates(t.Context(), map[string]int{one.ID: 3, event.ID("stripe:evt_nowhere"): 1}, noon)
	require.NoError(t, err)
	require.Equal(t, []string{event.ID("stripe:evt_nowhere")}, missing)
	require.Equal(t, 3, testkit.Query[int](t, url, `SELECT duplicates FROM webhook_events WHERE id = $1`, one.ID))
}

func TestBeginRun(t *testing.T) {
	t.Parallel()
	first := event.Run{RunID: "run-1", OriginalRunID: "run-1"}
	for _, c := range []struct {
		name  string
		given func(t *testing.T, s *store.Store, e *event.Event)
		run   event.Run
		want  store.Standing
	}{
		{"a pending row is adopted", func(*testing.T, *store.Store, *event.Event) {}, first,
			store.Standing{Status: event.Pending, Adopted: true, Done: []string{}}},
		{"begin again is adopted again", func(t *testing.T, s *store.Store, e *event.Event) { begin(t, s, e, first) }, first,
			store.Standing{Status: event.Processing, OriginalRunID: "run-1", Adopted: true, Done: []string{}}},
		{"another run of the same generation adopts a row that is not final",
			func(t *testing.T, s *store.Store, e *event.Event) { begin(t, s, e, first) },
			event.Run{RunID: "run-2", OriginalRunID: "run-2"},
			store.Standing{Status: event.Processing, OriginalRunID: "run-1", Adopted: true, Done: []string{}}},
		{"a final row is not adopted by another run of its generation", finished(first),
			event.Run{RunID: "run-2", OriginalRunID: "run-2"},
			store.Standing{Status: event.Completed, OriginalRunID: "run-1", Done: []string{"a"}}},
		{"a reset run keeps its original id and is adopted", finished(first),
			event.Run{RunID: "run-2", OriginalRunID: "run-1"},
			store.Standing{Status: event.Completed, OriginalRunID: "run-1", Adopted: true, Done: []string{"a"}}},
		{"an older generation is not adopted", func(t *testing.T, s *store.Store, e *event.Event) {
			finished(first)(t, s, e)
			_, err := s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
			require.NoError(t, err)
		}, first, store.Standing{Status: event.Pending, Generation: 1, OriginalRunID: "run-1", Done: []string{"a"}}},
		{"a newer generation is adopted over a final row (a restored ledger)", finished(first),
			event.Run{RunID: "run-9", OriginalRunID: "run-9", Generation: 1},
			store.Standing{Status: event.Completed, OriginalRunID: "run-1", Adopted: true, Done: []string{"a"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, url := testkit.Store(t, store.Options{})
			e := arrive("evt_1")
			require.True(t, insert(t, s, e))
			c.given(t, s, e)
			got, err := s.BeginRun(t.Context(), e.ID, c.run, store.Beginning{Status: event.Processing, Payload: []byte(`{"n":1}`)}, noon)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			if c.want.Adopted {
				require.Equal(t, c.run.RunID, testkit.Query[string](t, url, `SELECT run_id FROM webhook_events`))
				require.Equal(t, c.run.Generation, testkit.Query[int](t, url, `SELECT generation FROM webhook_events`))
				require.Equal(t, "processing", testkit.Query[string](t, url, `SELECT status::text FROM webhook_events`))
			}
		})
	}
	t.Run("without a row", func(t *testing.T) {
		t.Parallel()
		s, _ := testkit.Store(t, store.Options{})
		_, err := s.BeginRun(t.Context(), event.ID("none"), first, store.Beginning{Status: event.Processing}, noon)
		require.ErrorIs(t, err, event.ErrNotFound)
	})
}

func begin(t *testing.T, s *store.Store, e *event.Event, run event.Run) {
	t.Helper()
	_, err := s.BeginRun(t.Context(), e.ID, run, store.Beginning{Status: event.Processing, Payload: []byte(`{"n":1}`)}, noon)
	require.NoError(t, err)
}

func finished(run event.Run) func(*testing.T, *store.Store, *event.Event) {
	return func(t *testing.T, s *store.Store, e *event.Event) {
		begin(t, s, e, run)
		taken, err := s.FinishRun(t.Context(), e.ID, run, store.Ending{
			Status: event.Completed, Steps: []event.StepEnd{{Step: "a", Status: event.Completed, Result: []byte(`{"ok":true}`)}},
		}, noon)
		require.NoError(t, err)
		require.True(t, taken)
	}
}

func TestFinishRun(t *testing.T) {
	t.Parallel()
	first := event.Run{RunID: "run-1", OriginalRunID: "run-1"}
	failed := store.Ending{Status: event.Failed, Error: "no", ErrorType: "Refused",
		Steps: []event.StepEnd{{Step: "a", Status: event.Failed, Error: "no", ErrorType: "Refused"}}}
	s, url := testkit.Store(t, store.Options{})
	e := arrive("evt_1")
	insert(t, s, e)
	begin(t, s, e, first)
	e.Step = "a"
	for range 3 {
		require.NoError(t, s.RecordFailure(t.Context(), e, store.Failure{Message: "no", ErrorType: "Refused"}, noon))
	}
	finish := func(run event.Run, end store.Ending) bool {
		taken, err := s.FinishRun(t.Context(), e.ID, run, end, noon)
		require.NoError(t, err)
		return taken
	}
	require.True(t, finish(first, failed))
	require.True(t, finish(first, failed), "Finish is safe to repeat")
	d, err := s.Find(t.Context(), e.ID)
	require.NoError(t, err)
	require.Equal(t, event.Failed, d.Status)
	require.Equal(t, 3, d.Attempts, "each failed attempt counts once, however often Finish is repeated")
	require.Equal(t, "Refused", *d.LastErrorType)
	require.Equal(t, event.Failed, d.Steps[0].Status)

	require.False(t, finish(event.Run{RunID: "run-2", OriginalRunID: "run-2"}, failed), "another run of the generation")
	reset := event.Run{RunID: "run-3", OriginalRunID: "run-1"}
	require.True(t, finish(reset, store.Ending{Status: event.Completed, Steps: []event.StepEnd{{Step: "a", Status: event.Completed}}}),
		"from final to final after a reset")
	require.Equal(t, "completed", testkit.Query[string](t, url, `SELECT status::text FROM webhook_events`))

	_, err = s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
	require.NoError(t, err)
	require.False(t, finish(first, failed), "an older generation")
	require.Equal(t, "pending", testkit.Query[string](t, url, `SELECT status::text FROM webhook_events`))
}

func TestReplay(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	e := arrive("evt_1")
	_, err := s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
	require.ErrorIs(t, err, event.ErrNotFound)
	insert(t, s, e)
	_, err = s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
	require.ErrorIs(t, err, event.ErrNotFinal)
	finished(event.Run{RunID: "r", OriginalRunID: "r"})(t, s, e)
	ref, err := s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
	require.NoError(t, err)
	require.Equal(t, 1, ref.Generation)
	claimed, err := s.ClaimPending(t.Context(), "stripe", 10, noon, noon.Add(time.Minute))
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	require.Equal(t, 1, claimed[0].Generation)

	finished(event.Run{RunID: "r2", OriginalRunID: "r2", Generation: 1})(t, s, e)
	testkit.Exec(t, url, `DELETE FROM webhook_bodies`)
	_, err = s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
	require.ErrorIs(t, err, event.ErrErased)
}

func TestClaimPending(t *testing.T) {
	t.Parallel()
	s, _ := testkit.Store(t, store.Options{})
	for i := range 5 {
		e := arrive(fmt.Sprintf("evt_%d", i))
		e.ReceivedAt = noon.Add(time.Duration(i) * time.Second)
		insert(t, s, e)
	}
	providers, err := s.WaitingProviders(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"stripe"}, providers)
	claim := func(now time.Time) []store.Claimed {
		claimed, err := s.ClaimPending(t.Context(), "stripe", 3, now, now.Add(time.Minute))
		require.NoError(t, err)
		return claimed
	}
	require.Len(t, claim(noon), 3)
	second := claim(noon)
	require.Len(t, second, 2, "a leased row is another's")
	require.Empty(t, claim(noon))
	require.Len(t, claim(noon.Add(2*time.Minute)), 3, "an ended lease is free")

	require.NoError(t, s.MarkDispatched(t.Context(), []event.Event{second[0].Event}, noon))
	require.NoError(t, s.PostponeDispatch(t.Context(), []store.Postponed{{Event: second[1].Event, Next: noon.Add(time.Hour), Refusal: "bad"}}, noon))
	d, err := s.Find(t.Context(), second[1].ID)
	require.NoError(t, err)
	require.Equal(t, "DispatchRefused", *d.LastErrorType)
	require.Equal(t, 1, d.DispatchAttempts)
	require.Len(t, claim(noon.Add(30*time.Minute)), 3, "neither the dispatched nor the postponed row")
	require.NoError(t, s.FailDispatch(t.Context(), second[1].Event, "bad", noon))
	d, err = s.Find(t.Context(), second[1].ID)
	require.NoError(t, err)
	require.Equal(t, event.Failed, d.Status)
}
