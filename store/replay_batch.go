package store

import (
	"context"
	"errors"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

// ReplaysAtWork returns the ids of the bulk replays that have something to move or to wait for, oldest first.
func (s *Store) ReplaysAtWork(ctx context.Context) ([]string, error) {
	rows, err := s.questions.Query(ctx, `SELECT id::text FROM replays WHERE state = 'running' OR moved > completed + failed ORDER BY created_at, id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// A process that finds the row locked leaves the replay to the one that works on it.
const lockReplay = `SELECT ` + replayColumns + `, r.paced_at FROM replays r WHERE id = $1 FOR UPDATE SKIP LOCKED`

const (
	settleReplayed = `
WITH ended AS (
	UPDATE replay_events r SET outcome = e.status::text FROM webhook_events e
	WHERE r.replay = $1 AND r.outcome = 'running' AND e.id = r.event AND e.status IN ('completed', 'failed')
	RETURNING r.outcome
)
SELECT count(*) FILTER (WHERE outcome = 'completed'), count(*) FILTER (WHERE outcome = 'failed') FROM ended`

	countUnbegun = `
SELECT count(*) FROM replay_events r JOIN webhook_events e ON e.id = r.event
WHERE r.replay = $1 AND r.outcome = 'running' AND e.status = 'pending'`

	// As with the replay of one event: the rows are locked first and looked for their content after.
	lockTurn = `
SELECT count(*) FROM (
	SELECT e.id FROM replay_events r JOIN webhook_events e ON e.id = r.event
	WHERE r.replay = $1 AND r.position > $2 AND r.position <= $2 + $3 ORDER BY e.id FOR UPDATE OF e) locked`

	moveTurn = `
WITH turn AS (
	SELECT position, event, generation FROM replay_events WHERE replay = $1 AND position > $2 AND position <= $2 + $3
), moved AS (
	UPDATE webhook_events e SET ` + nextGeneration + `, epoch = e.epoch + $4 FROM turn
	WHERE e.id = turn.event AND e.generation = turn.generation AND e.status IN ('completed', 'failed')
		AND EXISTS (SELECT FROM webhook_bodies b WHERE b.id = e.id)
	RETURNING e.id, e.generation
), ended AS (` + writeEnds + `
), told AS (
	INSERT INTO event_timeline (event, at, generation, kind, author, detail)
	SELECT id, $5, generation, 'replayed', $6, jsonb_build_object('from', $7::text, 'replay', $1::text) FROM moved
), noted AS (
	UPDATE replay_events r SET outcome = CASE WHEN m.id IS NULL THEN 'skipped' ELSE 'running' END
	FROM turn LEFT JOIN moved m ON m.id = turn.event
	WHERE r.replay = $1 AND r.position = turn.position
	RETURNING r.outcome
)
SELECT count(*), count(*) FILTER (WHERE outcome = 'running') FROM noted`

	noteProgress = `
UPDATE replays SET position = $2, skipped = $3, moved = $4, completed = $5, failed = $6, paced_at = $7, state = $8, finished_at = $9
WHERE id = $1`
)

// work is a bulk replay under the lock of its row.
type work struct {
	event.Replay
	position int
	pacedAt  time.Time
}

// AdvanceReplay counts which events of a bulk replay have come to their end, and gives the next of its set to the relay:
// as many as its rate allows by now, so that no more than waiting of its events wait for a start. All of it is one
// transaction with the note of how far it came, so that a crash neither skips an event nor repeats one. It returns how
// many events were moved; 0 when another process works on the replay.
func (s *Store) AdvanceReplay(ctx context.Context, id string, waiting int, now time.Time) (moved int, err error) {
	err = pgx.BeginFunc(ctx, s.questions, func(tx pgx.Tx) error {
		w, err := lockWork(ctx, tx, id)
		if errors.Is(err, event.ErrReplayNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		var completed, failed int
		if err := tx.QueryRow(ctx, settleReplayed, id).Scan(&completed, &failed); err != nil {
			return err
		}
		w.Completed, w.Failed = w.Completed+completed, w.Failed+failed
		began := w.position
		if w.State == event.ReplayRunning && w.position < w.Matched {
			if moved, err = w.moveTurn(ctx, tx, waiting, now); err != nil {
				return err
			}
		}
		over := w.position == w.Matched && w.Moved == w.Completed+w.Failed
		if over && (w.State == event.ReplayRunning || w.State == event.ReplayPaused) {
			w.State, w.FinishedAt = event.ReplayCompleted, &now
		}
		if completed+failed == 0 && w.position == began && w.State != event.ReplayCompleted {
			return nil
		}
		_, err = tx.Exec(ctx, noteProgress, id, w.position, w.Skipped, w.Moved, w.Completed, w.Failed, w.pacedAt, string(w.State), w.FinishedAt)
		return err
	})
	if err != nil {
		return 0, err
	}
	return moved, nil
}

func lockWork(ctx context.Context, tx pgx.Tx, id string) (work, error) {
	var w work
	rows, err := tx.Query(ctx, lockReplay, id)
	if err != nil {
		return w, err
	}
	w, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (work, error) {
		var w work
		var err error
		w.Replay, err = scanReplay(row, &w.pacedAt)
		w.position = w.Matched - w.Remaining
		return w, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = event.ErrReplayNotFound
	}
	return w, err
}

// moveTurn moves the next events and returns how many it moved.
func (w *work) moveTurn(ctx context.Context, tx pgx.Tx, waiting int, now time.Time) (int, error) {
	var unbegun int
	if err := tx.QueryRow(ctx, countUnbegun, w.ID).Scan(&unbegun); err != nil {
		return 0, err
	}
	most := min(waiting-unbegun, w.due(now))
	if most <= 0 {
		return 0, nil
	}
	if _, err := tx.Exec(ctx, lockTurn, w.ID, w.position, most); err != nil {
		return 0, err
	}
	var looked, moved int
	if err := tx.QueryRow(ctx, moveTurn, w.ID, w.position, most, epochs(w.From), now, text(w.Author), string(w.From)).Scan(&looked, &moved); err != nil {
		return 0, err
	}
	w.position, w.Moved, w.Skipped = w.position+looked, w.Moved+moved, w.Skipped+looked-moved
	if w.Rate != nil {
		w.pacedAt = w.paced(now).Add(time.Duration(float64(moved) / *w.Rate * float64(time.Second)))
	}
	return moved, nil
}

// due is how many events the rate allows by now.
func (w *work) due(now time.Time) int {
	if w.Rate == nil {
		return w.Matched
	}
	return int(now.Sub(w.paced(now)).Seconds()**w.Rate + 1e-6)
}

// paced is up to when the rate is used up. What was not used for longer than a second, or for longer than one event takes,
// is lost: a replay that could not work for a while does not catch up in one go.
func (w *work) paced(now time.Time) time.Time {
	kept := max(time.Second, time.Duration(float64(time.Second) / *w.Rate))
	if earliest := now.Add(-kept); w.pacedAt.Before(earliest) {
		return earliest
	}
	return w.pacedAt
}
