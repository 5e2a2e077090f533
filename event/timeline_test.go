package event

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func to[T any](v T) *T { return &v }

// told writes a timeline as a line per moment.
func told(moments []Moment) []string {
	var lines []string
	for _, m := range moments {
		line := fmt.Sprintf("%d %d %s", int(m.At.Sub(noon).Seconds()), m.Generation, m.Kind)
		if m.Step != nil {
			line += " " + *m.Step
		}
		if m.Attempt != nil {
			line += fmt.Sprintf(" #%d", *m.Attempt)
		}
		if m.DurationMS != nil {
			line += fmt.Sprintf(" %dms", *m.DurationMS)
		}
		if m.Kind == Duplicated || m.Kind == AttemptsLeftOut {
			var c Count
			if json.Unmarshal(m.Detail, &c) == nil {
				line += fmt.Sprintf(" x%d", c.Count)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func failed(second, generation int, step string, attempt int) Moment {
	return Moment{At: at(second), Generation: generation, Kind: AttemptFailed, Step: &step, Attempt: &attempt}
}

func TestTimelineOfTheRowAlone(t *testing.T) {
	t.Parallel()
	waiting := Record{Status: Pending, ReceivedAt: noon}
	require.Equal(t, []string{"0 0 received"}, told(Timeline(waiting, nil)))

	done := Record{Status: Completed, ReceivedAt: noon, DispatchedAt: to(at(1)), StartedAt: to(at(2)), FinishedAt: to(at(4)),
		Duplicates: 3, LastDuplicateAt: to(at(3)), RunID: to("run-1"), Attempts: 1}
	line := Timeline(done, nil)
	require.Equal(t, []string{"0 0 received", "1 0 dispatched", "2 0 started", "3 0 duplicate x3", "4 0 ended 2000ms"}, told(line))
	require.JSONEq(t, `{"status":"completed","run_id":"run-1","attempts":1,"dispatched_at":"2026-01-01T12:00:01Z","started_at":"2026-01-01T12:00:02Z"}`,
		string(line[4].Detail))
}

// A replay resets the row: what the row then still says of the run before is not the new one's.
func TestTimelineOfAReplay(t *testing.T) {
	t.Parallel()
	written := []Moment{
		{At: at(9), Generation: 1, Kind: Replayed, Author: to("ann")},
		{At: at(5), Kind: Ended, Error: to("no"), Detail: detail(End{Status: Failed, DispatchedAt: to(at(1)), StartedAt: to(at(2))})},
		failed(3, 0, "a", 1), failed(4, 0, "a", 2),
	}
	before := []string{"0 0 received", "1 0 dispatched", "2 0 started", "3 0 attempt_failed a #1", "4 0 attempt_failed a #2", "5 0 ended", "9 1 replayed"}
	waiting := Record{Status: Pending, Generation: 1, ReceivedAt: noon, StartedAt: to(at(2))}
	require.Equal(t, before, told(Timeline(waiting, written)))

	refused := Record{Status: Failed, Generation: 1, ReceivedAt: noon, StartedAt: to(at(2)), FinishedAt: to(at(20))}
	require.Equal(t, append(before[:7:7], "20 1 ended"), told(Timeline(refused, written)), "Temporal refused to start it")

	running := Record{Status: Processing, Generation: 1, ReceivedAt: noon, DispatchedAt: to(at(10)), StartedAt: to(at(10))}
	require.Equal(t, append(before[:7:7], "10 1 dispatched", "10 1 started"), told(Timeline(running, written)))
}

func TestTimelineSaysWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	row := Record{Status: Processing, ReceivedAt: noon}
	require.Equal(t, []string{
		"0 0 received", "1 0 attempt_failed a #1", "2 0 attempt_failed a #2", "5 0 attempt_failed b #9",
		"7 0 attempts_left_out a x40", "7 0 attempt_failed a #43", "8 1 attempt_failed a #50",
	}, told(Timeline(row, []Moment{
		failed(7, 0, "a", 43), failed(1, 0, "a", 1), failed(2, 0, "a", 2), failed(5, 0, "b", 9), failed(8, 1, "a", 50),
	})), "another step or generation has gaps of its own")
}
