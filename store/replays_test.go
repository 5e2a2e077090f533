package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

func TestReplayFromStartIsANewEpoch(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	e := arrive("evt_1")
	insert(t, s, e)
	run := func(generation int) event.Run {
		return event.Run{RunID: "r", OriginalRunID: "r", Generation: generation}
	}
	finished(run(0))(t, s, e)
	begun := func(generation int) store.Standing {
		standing, err := s.BeginRun(t.Context(), e.ID, run(generation), store.Beginning{Status: event.Processing}, noon)
		require.NoError(t, err)
		require.True(t, standing.Adopted)
		return standing
	}
	_, err := s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
	require.NoError(t, err)
	standing := begun(1)
	require.Equal(t, []string{"a"}, standing.Done)
	require.Zero(t, standing.Epoch)
	finished(run(1))(t, s, e)

	_, err = s.Replay(t.Context(), e.ID, event.FromStart, "ann", noon)
	require.NoError(t, err)
	standing = begun(2)
	require.Empty(t, standing.Done, "no step of the new epoch is completed")
	require.Equal(t, 1, standing.Epoch)
	taken, err := s.FinishRun(t.Context(), e.ID, run(2), store.Ending{Status: event.Failed, Error: "no", Epoch: 1,
		Steps: []event.StepEnd{{Step: "a", Status: event.Completed}, {Step: "b", Status: event.Failed}}}, noon)
	require.NoError(t, err)
	require.True(t, taken)

	_, err = s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
	require.NoError(t, err)
	standing = begun(3)
	require.Equal(t, []string{"a"}, standing.Done, "what was completed in this epoch is not repeated")
	require.Equal(t, 1, standing.Epoch)
	require.Equal(t, 3, testkit.Query[int](t, url, `SELECT count(*) FROM event_steps`), "the steps of both epochs are kept")
	acts := of(event.Replayed, timeline(t, s, e.ID))
	require.Len(t, acts, 3)
	require.Equal(t, "ann", *acts[1].Author)
	require.JSONEq(t, `{"from":"start"}`, string(acts[1].Detail))
	require.Equal(t, []int{1, 2, 3}, []int{acts[0].Generation, acts[1].Generation, acts[2].Generation})
}

// failedEvents inserts events that failed, a second apart.
func failedEvents(t *testing.T, s *store.Store, n int) []*event.Event {
	t.Helper()
	var events []*event.Event
	for i := range n {
		e := arrive(fmt.Sprintf("evt_%03d", i))
		e.ReceivedAt = noon.Add(time.Duration(i) * time.Second)
		insert(t, s, e)
		end(t, s, e, 0, event.Failed)
		events = append(events, e)
	}
	return events
}

// end runs a generation of an event to its end.
func end(t *testing.T, s *store.Store, e *event.Event, generation int, status event.Status) {
	t.Helper()
	run := event.Run{RunID: fmt.Sprint("run-", generation), OriginalRunID: fmt.Sprint("run-", generation), Generation: generation}
	begin(t, s, e, run)
	taken, err := s.FinishRun(t.Context(), e.ID, run, store.Ending{Status: status, Error: "no"}, noon)
	require.NoError(t, err)
	require.True(t, taken)
}

func createReplay(t *testing.T, s *store.Store, f event.Filter, rate float64) event.Replay {
	t.Helper()
	r, err := s.CreateReplay(t.Context(), event.ReplayRequest{Author: "ann", From: event.FromFailure, Rate: rate, Match: f, Filter: []byte(`{"status":"failed"}`)}, noon)
	require.NoError(t, err)
	return r
}

func advance(t *testing.T, s *store.Store, r event.Replay, waiting int, now time.Time) int {
	t.Helper()
	moved, err := s.AdvanceReplay(t.Context(), r.ID, waiting, now)
	require.NoError(t, err)
	return moved
}

func progress(t *testing.T, s *store.Store, r event.Replay) event.Replay {
	t.Helper()
	found, err := s.FindReplay(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, found.Matched, found.Remaining+found.Skipped+found.Running+found.Completed+found.Failed)
	return found
}

func TestReplaySetIsFixed(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	events := failedEvents(t, s, 6)
	completed, open := arrive("evt_completed"), arrive("evt_open")
	insert(t, s, completed)
	end(t, s, completed, 0, event.Completed)
	insert(t, s, open)

	preview, err := s.PreviewReplay(t.Context(), event.Filter{Status: event.Failed})
	require.NoError(t, err)
	require.Equal(t, 6, preview.Matched)
	require.Len(t, preview.Sample, 5)
	require.Equal(t, "evt_005", preview.Sample[0].EventID, "the newest")
	preview, err = s.PreviewReplay(t.Context(), event.Filter{Type: "checkout.*", Account: "acct_1", Contains: []byte(`{"n":1}`)})
	require.NoError(t, err)
	require.Equal(t, 7, preview.Matched, "every final event; the open one is not")
	preview, err = s.PreviewReplay(t.Context(), event.Filter{Error: "n", Type: "checkout.session.completed"})
	require.NoError(t, err)
	require.Equal(t, 7, preview.Matched)
	preview, err = s.PreviewReplay(t.Context(), event.Filter{ErrorType: "Outage"})
	require.NoError(t, err)
	require.Zero(t, preview.Matched)

	r := createReplay(t, s, event.Filter{Status: event.Failed, Since: noon.Add(time.Second)}, 0)
	require.Equal(t, event.ReplayRunning, r.State)
	require.Equal(t, 5, r.Matched)
	require.Equal(t, 5, r.Remaining)
	require.Equal(t, "ann", r.Author)
	require.Nil(t, r.Rate)
	require.JSONEq(t, `{"status":"failed"}`, string(r.Filter))

	// What happens after the set was fixed: one fails too late for it, one is replayed by hand, one loses its content.
	insert(t, s, arrive("evt_late"))
	end(t, s, arrive("evt_late"), 0, event.Failed)
	_, err = s.Replay(t.Context(), events[2].ID, event.FromFailure, "bob", noon)
	require.NoError(t, err)
	end(t, s, events[2], 1, event.Failed)
	testkit.Exec(t, url, `DELETE FROM webhook_bodies WHERE id = $1`, events[3].ID)

	require.Equal(t, 3, advance(t, s, r, 100, noon))
	got := progress(t, s, r)
	require.Equal(t, 2, got.Skipped)
	require.Equal(t, 3, got.Running)
	require.Zero(t, got.Remaining)
	require.Equal(t, 3, testkit.Query[int](t, url, `SELECT count(*) FROM webhook_events WHERE status = 'pending' AND generation = 1`))
	acts := of(event.Replayed, timeline(t, s, events[1].ID))
	require.Len(t, acts, 1)
	require.Equal(t, "ann", *acts[0].Author)
	require.JSONEq(t, `{"from":"failure","replay":"`+r.ID+`"}`, string(acts[0].Detail))
	require.Len(t, of(event.Ended, timeline(t, s, events[1].ID)), 1, "how it had ended is kept")
	require.Empty(t, of(event.Replayed, timeline(t, s, events[3].ID)), "a skipped one has no such moment")
	require.Equal(t, "failed", testkit.Query[string](t, url, `SELECT status::text FROM webhook_events WHERE id = $1`, events[2].ID))

	end(t, s, events[1], 1, event.Completed)
	end(t, s, events[4], 1, event.Failed)
	require.Zero(t, advance(t, s, r, 100, noon), "what failed again is not replayed again")
	got = progress(t, s, r)
	require.Equal(t, []int{1, 1, 1}, []int{got.Completed, got.Failed, got.Running})
	require.Equal(t, event.ReplayRunning, got.State)
	end(t, s, events[5], 1, event.Completed)
	advance(t, s, r, 100, noon.Add(time.Minute))
	got = progress(t, s, r)
	require.Equal(t, event.ReplayCompleted, got.State)
	require.Equal(t, noon.Add(time.Minute), *got.FinishedAt)
	require.Equal(t, []int{2, 1, 0, 3}, []int{got.Completed, got.Failed, got.Running, got.Moved})
	_, err = s.SteerReplay(t.Context(), r.ID, event.ReplayStopped, noon)
	require.ErrorIs(t, err, event.ErrReplayOver)
	working, err := s.ReplaysAtWork(t.Context())
	require.NoError(t, err)
	require.Empty(t, working)
}

func TestReplayPace(t *testing.T) {
	t.Parallel()
	s, _ := testkit.Store(t, store.Options{})
	events := failedEvents(t, s, 30)
	r := createReplay(t, s, event.Filter{Status: event.Failed}, 4)
	require.Equal(t, 4.0, *r.Rate)
	at := func(ms int) int { return advance(t, s, r, 100, noon.Add(time.Duration(ms)*time.Millisecond)) }
	require.Zero(t, at(0))
	require.Equal(t, 2, at(500))
	require.Zero(t, at(600), "four a second are one every 250 ms")
	require.Equal(t, 1, at(750))
	require.Equal(t, 4, at(10_000), "what was not used is lost beyond a second")
	require.Zero(t, at(9_000), "a clock that lags moves nothing")
	require.Equal(t, 1, at(10_250))
	require.Zero(t, advance(t, s, r, 8, noon.Add(12*time.Second)), "8 wait for a start already")
	require.Equal(t, 2, advance(t, s, r, 10, noon.Add(12*time.Second)))
	begin(t, s, events[0], event.Run{RunID: "again", OriginalRunID: "again", Generation: 1})
	require.Equal(t, 1, advance(t, s, r, 10, noon.Add(14*time.Second)), "one has begun")

	slow := createReplay(t, s, event.Filter{Status: event.Failed}, 0.1)
	require.Zero(t, advance(t, s, slow, 100, noon.Add(9*time.Second)))
	require.Equal(t, 1, advance(t, s, slow, 100, noon.Add(10*time.Second)))
	require.Zero(t, advance(t, s, slow, 100, noon.Add(19*time.Second)))
	require.Equal(t, 1, advance(t, s, slow, 100, noon.Add(20*time.Second)))
}

func TestReplayIsSteered(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	events := failedEvents(t, s, 10)
	r := createReplay(t, s, event.Filter{Status: event.Failed}, 2)
	steer := func(to event.ReplayState, now time.Time) event.Replay {
		got, err := s.SteerReplay(t.Context(), r.ID, to, now)
		require.NoError(t, err)
		require.Equal(t, to, got.State)
		return got
	}
	require.Equal(t, 2, advance(t, s, r, 100, noon.Add(time.Second)))
	steer(event.ReplayPaused, noon.Add(time.Second))
	steer(event.ReplayPaused, noon.Add(time.Second))
	end(t, s, events[0], 1, event.Completed)
	require.Zero(t, advance(t, s, r, 100, noon.Add(time.Minute)))
	require.Equal(t, 1, progress(t, s, r).Completed, "a paused replay still hears of what it moved")
	steer(event.ReplayRunning, noon.Add(time.Hour))
	require.Zero(t, advance(t, s, r, 100, noon.Add(time.Hour)), "the time of the pause is not caught up")
	require.Equal(t, 2, advance(t, s, r, 100, noon.Add(time.Hour+time.Second)))
	stopped := steer(event.ReplayStopped, noon.Add(2*time.Hour))
	require.Equal(t, noon.Add(2*time.Hour), *stopped.FinishedAt)
	again := steer(event.ReplayStopped, noon.Add(3*time.Hour))
	require.Equal(t, stopped.FinishedAt, again.FinishedAt)
	require.Zero(t, advance(t, s, r, 100, noon.Add(3*time.Hour)))
	_, err := s.SteerReplay(t.Context(), r.ID, event.ReplayRunning, noon)
	require.ErrorIs(t, err, event.ErrReplayOver)
	for _, e := range events[1:4] {
		end(t, s, e, 1, event.Failed)
	}
	advance(t, s, r, 100, noon.Add(3*time.Hour))
	got := progress(t, s, r)
	require.Equal(t, event.ReplayStopped, got.State)
	require.Equal(t, []int{6, 1, 3, 0}, []int{got.Remaining, got.Completed, got.Failed, got.Running})
	require.Equal(t, 6, testkit.Query[int](t, url, `SELECT count(*) FROM webhook_events WHERE generation = 0`))

	_, err = s.FindReplay(t.Context(), event.ID("none"))
	require.ErrorIs(t, err, event.ErrReplayNotFound)
	_, err = s.SteerReplay(t.Context(), event.ID("none"), event.ReplayPaused, noon)
	require.ErrorIs(t, err, event.ErrReplayNotFound)
	none := createReplay(t, s, event.Filter{Provider: "nobody"}, 0)
	require.Zero(t, advance(t, s, none, 100, noon))
	require.Equal(t, event.ReplayCompleted, progress(t, s, none).State, "an empty set is done at once")
	listed, err := s.ListReplays(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, listed, 2)
}

// Processes that advance one replay at once neither skip an event nor move one twice.
func TestReplayAdvancedAtOnce(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	failedEvents(t, s, 60)
	r := createReplay(t, s, event.Filter{Status: event.Failed}, 10)
	var working sync.WaitGroup
	for range 4 {
		working.Go(func() {
			for i := range 20 {
				_, err := s.AdvanceReplay(t.Context(), r.ID, 100, noon.Add(time.Duration(i)*500*time.Millisecond))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
	for i := range 20 {
		advance(t, s, r, 100, noon.Add(time.Hour+time.Duration(i)*time.Second))
	}
	got := progress(t, s, r)
	require.Equal(t, 60, got.Moved)
	require.Equal(t, 60, testkit.Query[int](t, url, `SELECT count(*) FROM webhook_events WHERE generation = 1 AND status = 'pending'`))
}
