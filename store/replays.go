package store

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

const (
	// selectTime bounds the reading of a set, below the time that /v1 gives a question.
	selectTime = 7 * time.Second
	// sampleSize is how many events a preview shows.
	sampleSize = 5
	// everyRow is a limit that limits nothing.
	everyRow = 1 << 30
)

// replaySet is the final events that a filter means: those that a replay can take.
func replaySet(f event.Filter, columns string) (string, []any) {
	f.Limit, f.After = everyRow, nil
	sql, args := listSQL(f)
	return "SELECT " + columns + " FROM (" + sql + ") e WHERE e.status IN ('completed', 'failed')", args
}

// PreviewReplay returns how many events a replay of f would take, and the newest of them. It returns event.ErrTooBroad
// when Postgres could not tell in time.
func (s *Store) PreviewReplay(ctx context.Context, f event.Filter) (event.ReplayPreview, error) {
	p := event.ReplayPreview{Sample: []event.Record{}}
	counted, args := replaySet(f, "count(*)")
	sampled, _ := replaySet(f, "*")
	batch := &pgx.Batch{}
	batch.Queue(listSettings, strconv.FormatInt(selectTime.Milliseconds(), 10))
	batch.Queue(counted, args...).QueryRow(func(row pgx.Row) error { return row.Scan(&p.Matched) })
	batch.Queue(sampled+" LIMIT "+strconv.Itoa(sampleSize), args...).Query(func(rows pgx.Rows) (err error) {
		p.Sample, err = pgx.CollectRows(rows, scanRecord)
		return err
	})
	return p, tooBroad(s.questions.SendBatch(ctx, batch).Close())
}

const insertReplay = `
INSERT INTO replays (author, begin_from, rate, filter, created_at, paced_at) VALUES ($1, $2, $3, $4::jsonb, $5, $5) RETURNING id::text`

// CreateReplay fixes the set of a bulk replay and returns its record; the set may be empty. It returns event.ErrTooBroad,
// and creates nothing, when Postgres could not find the set in time.
func (s *Store) CreateReplay(ctx context.Context, r event.ReplayRequest, now time.Time) (event.Replay, error) {
	var created event.Replay
	err := pgx.BeginFunc(ctx, s.questions, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, listSettings, strconv.FormatInt(selectTime.Milliseconds(), 10)); err != nil {
			return err
		}
		var id string
		err := tx.QueryRow(ctx, insertReplay, r.Author, string(r.From), rateOf(r.Rate), string(r.Filter), now).Scan(&id)
		if err != nil {
			return err
		}
		set, args := replaySet(r.Match, "row_number() OVER (ORDER BY e.received_at, e.id) AS position, e.id::uuid AS event, e.generation")
		args = append(args, id)
		tag, err := tx.Exec(ctx, "INSERT INTO replay_events (replay, position, event, generation) SELECT $"+strconv.Itoa(len(args))+
			"::uuid, m.position, m.event, m.generation FROM ("+set+") m", args...)
		if err != nil {
			return err
		}
		created, err = scanReplay(tx.QueryRow(ctx, `UPDATE replays r SET matched = $2 WHERE id = $1 RETURNING `+replayColumns, id, tag.RowsAffected()))
		return err
	})
	return created, tooBroad(err)
}

func rateOf(rate float64) *float64 {
	if rate == 0 {
		return nil
	}
	return &rate
}

const replayColumns = `r.id::text, r.state, r.author, r.begin_from, r.rate, r.filter, r.created_at, r.finished_at,
	r.matched, r.position, r.skipped, r.moved, r.completed, r.failed`

// scanReplay reads replayColumns, and what stands behind them into more.
func scanReplay(row pgx.Row, more ...any) (event.Replay, error) {
	var r event.Replay
	var filter []byte
	var position int
	err := row.Scan(append([]any{&r.ID, &r.State, &r.Author, &r.From, &r.Rate, &filter, &r.CreatedAt, &r.FinishedAt,
		&r.Matched, &position, &r.Skipped, &r.Moved, &r.Completed, &r.Failed}, more...)...)
	r.Filter = json.RawMessage(filter)
	r.Remaining, r.Running = r.Matched-position, r.Moved-r.Completed-r.Failed
	r.CreatedAt = r.CreatedAt.UTC()
	if r.FinishedAt != nil {
		*r.FinishedAt = r.FinishedAt.UTC()
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = event.ErrReplayNotFound
	}
	return r, err
}

// FindReplay returns the record of a bulk replay, or event.ErrReplayNotFound.
func (s *Store) FindReplay(ctx context.Context, id string) (event.Replay, error) {
	return scanReplay(s.questions.QueryRow(ctx, `SELECT `+replayColumns+` FROM replays r WHERE id = $1`, id))
}

// ListReplays returns the newest bulk replays, at most limit.
func (s *Store) ListReplays(ctx context.Context, limit int) ([]event.Replay, error) {
	rows, err := s.questions.Query(ctx, `SELECT `+replayColumns+` FROM replays r ORDER BY created_at DESC, id DESC LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (event.Replay, error) { return scanReplay(row) })
}

// A replay that was paused has used up its rate: it does not catch up on what it did not do meanwhile.
const steerReplay = `
UPDATE replays r SET state = $2, finished_at = CASE WHEN $2 = 'stopped' THEN coalesce(r.finished_at, $3) END, paced_at = greatest(r.paced_at, $3)
WHERE id = $1 AND (state IN ('running', 'paused') OR state = $2) RETURNING ` + replayColumns

// SteerReplay pauses (event.ReplayPaused), resumes (event.ReplayRunning) or stops (event.ReplayStopped) a bulk replay and
// returns its record. To ask for the state that it has changes nothing. It returns event.ErrReplayNotFound, or
// event.ErrReplayOver for one that is stopped or completed.
func (s *Store) SteerReplay(ctx context.Context, id string, to event.ReplayState, now time.Time) (event.Replay, error) {
	steered, err := scanReplay(s.questions.QueryRow(ctx, steerReplay, id, string(to), now))
	if !errors.Is(err, event.ErrReplayNotFound) {
		return steered, err
	}
	if steered, err = s.FindReplay(ctx, id); err == nil {
		err = event.ErrReplayOver
	}
	return steered, err
}
