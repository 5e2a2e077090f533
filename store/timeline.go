package store

import (
	"context"
	"encoding/json"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

// Only the details that are listed here are known to hold no content, so that one of a new kind is erased until it is.
var timelineHolding = holding{
	table: "event_timeline", rows: "event = $1", content: []string{"error", "detail"},
	becomes: map[string]string{"detail": "CASE WHEN kind IN ('ended', 'replayed') THEN detail END"},
	kept:    []string{"id", "event", "at", "generation", "kind", "step", "attempt", "error_type", "duration_ms", "author"},
}

const writeMoment = `
INSERT INTO event_timeline (event, at, generation, kind, step, attempt, error, error_type, duration_ms, author, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb)`

// QueueMoment adds the writing of a moment of the event with this uuid to b, so that it takes effect with the statements
// beside it.
func QueueMoment(b *pgx.Batch, id string, m event.Moment) {
	b.Queue(writeMoment, id, m.At, m.Generation, string(m.Kind), m.Step, m.Attempt, pointed(m.Error), pointed(m.ErrorType),
		m.DurationMS, pointed(m.Author), jsonText(m.Detail))
}

// WriteMoments adds to the timeline of the event with this uuid, in one round trip.
func (s *Store) WriteMoments(ctx context.Context, id string, moments ...event.Moment) error {
	batch := &pgx.Batch{}
	for _, m := range moments {
		QueueMoment(batch, id, m)
	}
	return s.runs.SendBatch(ctx, batch).Close()
}

// writeEnds is the body of a CTE that keeps how the generations of the rows ended that the CTE moved is about to give a
// new one, or another end. In a statement of its own it sees the rows as they were before the statement.
const writeEnds = `
	INSERT INTO event_timeline (event, at, generation, kind, error, error_type, duration_ms, detail)
	SELECT e.id, e.finished_at, e.generation, 'ended', e.last_error, e.last_error_type,
		CASE WHEN e.dispatched_at IS NOT NULL THEN greatest(0, extract(epoch FROM e.finished_at - e.started_at) * 1000)::bigint END,
		jsonb_strip_nulls(jsonb_build_object('status', e.status, 'run_id', e.run_id, 'attempts', e.attempts,
			'dispatched_at', e.dispatched_at, 'started_at', CASE WHEN e.dispatched_at IS NOT NULL THEN e.started_at END))
	FROM webhook_events e
	WHERE e.id IN (SELECT id FROM moved) AND e.status IN ('completed', 'failed') AND e.finished_at IS NOT NULL`

// The failed attempts that are kept of a step in a generation: the first, and the last.
const (
	firstAttempts = 10
	lastAttempts  = 10
)

// Failure is a failed attempt of a step.
type Failure struct {
	Message, ErrorType string
	Took               time.Duration
	Detail             json.RawMessage // nil, or what the timeline keeps beside the message
}

// The oldest of the last attempts makes room for the newest.
const recordFailure = `
WITH step AS (
	INSERT INTO event_steps AS s (event, step, epoch, status, attempts, error, error_type, started_at)
	VALUES ($1, $2, $3, 'processing', 1, $4, $5, $6)
	ON CONFLICT (event, step, epoch) DO UPDATE SET attempts = s.attempts + 1, error = $4, error_type = $5
	WHERE s.status <> 'completed'
	RETURNING attempts
), kept AS (
	SELECT id FROM event_timeline WHERE event = $1 AND generation = $7 AND step = $2 AND kind = 'attempt_failed'
), forgotten AS (
	DELETE FROM event_timeline WHERE id = (SELECT id FROM kept ORDER BY id OFFSET $10 LIMIT 1)
		AND (SELECT count(*) FROM kept) >= $11
), told AS (
	INSERT INTO event_timeline (event, at, generation, kind, step, attempt, error, error_type, duration_ms, detail)
	SELECT $1, $6, $7, 'attempt_failed', $2, attempts, $4, $5, $8, $9::jsonb FROM step
)
UPDATE webhook_events SET attempts = attempts + 1, last_error = $4, last_error_type = $5
WHERE id = $1 AND generation = $7 AND status IN ('pending', 'processing')`

// RecordFailure notes a failed attempt of a step on the row, on the step and on the timeline, in one statement.
func (s *Store) RecordFailure(ctx context.Context, e *event.Event, f Failure, now time.Time) error {
	_, err := s.runs.Exec(ctx, recordFailure, e.ID, e.Step, e.Epoch, f.Message, f.ErrorType, now, e.Generation,
		f.Took.Milliseconds(), jsonText(f.Detail), firstAttempts, firstAttempts+lastAttempts)
	return err
}

const readTimeline = `SELECT at, generation, kind, step, attempt, error, error_type, duration_ms, author, detail
FROM event_timeline WHERE event = $1 ORDER BY id`

func scanMoment(row pgx.CollectableRow) (event.Moment, error) {
	var m event.Moment
	var detail []byte
	err := row.Scan(&m.At, &m.Generation, &m.Kind, &m.Step, &m.Attempt, &m.Error, &m.ErrorType, &m.DurationMS, &m.Author, &detail)
	m.At, m.Detail = m.At.UTC(), detail
	return m, err
}

// pointed is text for a text that may not be there.
func pointed(s *string) *string {
	if s == nil {
		return nil
	}
	return text(*s)
}
