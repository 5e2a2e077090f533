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

// of returns the moments of a kind.
func of(kind event.Kind, line []event.Moment) []event.Moment {
	var found []event.Moment
	for _, m := range line {
		if m.Kind == kind {
			found = append(found, m)
		}
	}
	return found
}

func timeline(t *testing.T, s *store.Store, id string) []event.Moment {
	t.Helper()
	d, err := s.Find(t.Context(), id)
	require.NoError(t, err)
	return d.Timeline
}

// A step without a limit of attempts may fail for days.
func TestFailedAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	e := arrive("evt_1")
	insert(t, s, e)
	begin(t, s, e, event.Run{RunID: "run-1", OriginalRunID: "run-1"})
	fail := func(step string, generation, times int) {
		e.Step, e.Generation = step, generation
		for n := range times {
			require.NoError(t, s.RecordFailure(t.Context(), e, store.Failure{
				Message: "no", ErrorType: "Refused", Took: 1500 * time.Millisecond, Detail: json.RawMessage(`{"status":503}`),
			}, noon.Add(time.Duration(n)*time.Second)))
		}
	}
	fail("a", 0, 57)
	fail("b", 0, 3)
	fail("a", 1, 21)
	line := timeline(t, s, e.ID)
	attempts := map[string][]int{}
	for _, m := range of(event.AttemptFailed, line) {
		key := *m.Step + string(rune('0'+m.Generation))
		attempts[key] = append(attempts[key], *m.Attempt)
	}
	require.Equal(t, map[string][]int{
		"a0": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57},
		"a1": {58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78},
		"b0": {1, 2, 3},
	}, attempts)
	left := of(event.AttemptsLeftOut, line)
	require.Len(t, left, 2)
	require.ElementsMatch(t, []string{`{"count":37}`, `{"count":1}`}, []string{string(left[0].Detail), string(left[1].Detail)})
	first := of(event.AttemptFailed, line)[0]
	require.Equal(t, "no", *first.Error)
	require.Equal(t, "Refused", *first.ErrorType)
	require.EqualValues(t, 1500, *first.DurationMS)
	require.JSONEq(t, `{"status":503}`, string(first.Detail))
	require.Equal(t, 60, testkit.Query[int](t, url, `SELECT attempts FROM webhook_events`), "of this generation")
}

// Nothing is written while all goes well.
func TestTimelineOfAGoodDay(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	e, run := arrive("evt_1"), event.Run{RunID: "run-1", OriginalRunID: "run-1"}
	insert(t, s, e)
	begin(t, s, e, run)
	done := store.Ending{Status: event.Completed, Steps: []event.StepEnd{{Step: "a", Status: event.Completed}}}
	for range 2 {
		_, err := s.FinishRun(t.Context(), e.ID, run, done, noon.Add(time.Second))
		require.NoError(t, err)
	}
	require.Zero(t, testkit.Query[int](t, url, `SELECT count(*) FROM event_timeline`))
	var kinds []event.Kind
	for _, m := range timeline(t, s, e.ID) {
		kinds = append(kinds, m.Kind)
	}
	require.Equal(t, []event.Kind{event.Received, event.Dispatched, event.Started, event.Ended}, kinds)
}

// An operator resets a failed run in Temporal, and it completes: that it had failed is not forgotten.
func TestAnEndThatIsChangedStays(t *testing.T) {
	t.Parallel()
	s, _ := testkit.Store(t, store.Options{})
	e, run := arrive("evt_1"), event.Run{RunID: "run-1", OriginalRunID: "run-1"}
	insert(t, s, e)
	begin(t, s, e, run)
	for i, end := range []store.Ending{{Status: event.Failed, Error: "no", ErrorType: "Refused"}, {Status: event.Completed}} {
		taken, err := s.FinishRun(t.Context(), e.ID, run, end, noon.Add(time.Duration(i+1)*time.Minute))
		require.NoError(t, err)
		require.True(t, taken)
	}
	ends := of(event.Ended, timeline(t, s, e.ID))
	require.Len(t, ends, 2)
	require.Equal(t, "no", *ends[0].Error)
	require.EqualValues(t, 60_000, *ends[0].DurationMS)
	require.Contains(t, string(ends[0].Detail), `"failed"`)
	require.Contains(t, string(ends[1].Detail), `"completed"`)
}

func TestWriteMoments(t *testing.T) {
	t.Parallel()
	s, _ := testkit.Store(t, store.Options{})
	e, ann := arrive("evt_1"), "ann"
	insert(t, s, e)
	moment := event.Moment{At: noon.Add(time.Hour), Generation: 1, Kind: event.Replayed, Author: &ann, Detail: json.RawMessage(`{"from": "start"}`)}
	require.NoError(t, s.WriteMoments(t.Context(), e.ID, moment))
	require.Equal(t, []event.Moment{moment}, of(event.Replayed, timeline(t, s, e.ID)))
}
