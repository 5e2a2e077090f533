package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

// Standing is how a row stood when a run asked to begin, and whether the run was adopted.
type Standing struct {
	Status        event.Status
	Generation    int
	OriginalRunID string
	Adopted       bool
	Epoch         int
	Done          []string // steps completed in this epoch
}

// Beginning is what a run brings when it begins.
type Beginning struct {
	Status  event.Status    // processing, or completed when there is nothing to do
	Payload json.RawMessage // decoded; nil where there is none that jsonb can hold
	Plan    json.RawMessage // what the run does; nil leaves the row's as it is
	Note    event.Note      // "" for none
}

// A run is adopted unless its generation is older than the row's, or the row is final and was ended by another run of
// the same generation.
const beginRun = `
WITH cur AS MATERIALIZED (
	SELECT id, status, generation, epoch, original_run_id FROM webhook_events WHERE id = $1 FOR UPDATE
), adopted AS (
	UPDATE webhook_events e SET
		status = $5::webhook_status, generation = $2, run_id = $3, original_run_id = $4,
		dispatched_at = coalesce(e.dispatched_at, $6), lease_until = NULL, next_dispatch_at = NULL,
		started_at = CASE WHEN e.original_run_id = $4 AND e.generation = $2 THEN coalesce(e.started_at, $6) ELSE $6 END,
		finished_at = CASE WHEN $5 = 'completed' THEN $6 END,
		last_error = CASE WHEN $5 = 'completed' THEN NULL ELSE e.last_error END,
		last_error_type = CASE WHEN $5 = 'completed' THEN NULL ELSE e.last_error_type END,
		plan_id = coalesce($8::uuid, e.plan_id), note = $10
	FROM cur
	WHERE e.id = cur.id AND cur.generation <= $2
		AND NOT (cur.status IN ('completed', 'failed') AND cur.generation = $2 AND cur.original_run_id IS DISTINCT FROM $4)
	RETURNING e.id
), content AS (
	INSERT INTO webhook_payloads (id, payload) SELECT id, $7::jsonb FROM adopted WHERE $7::jsonb IS NOT NULL ON CONFLICT DO NOTHING
), plan AS (
	INSERT INTO plans (id, plan) SELECT $8, $9::jsonb FROM adopted WHERE $9::jsonb IS NOT NULL ON CONFLICT DO NOTHING
), moved AS (
	SELECT id FROM adopted JOIN cur USING (id) WHERE cur.status IN ('completed', 'failed')
), ended AS (` + writeEnds + `
)
SELECT cur.status::text, cur.generation, coalesce(cur.original_run_id, ''), adopted.id IS NOT NULL, cur.epoch,
	(SELECT coalesce(array_agg(s.step), '{}') FROM event_steps s
		WHERE s.event = $1 AND s.epoch = cur.epoch AND s.status = 'completed')
FROM cur LEFT JOIN adopted ON true`

// BeginRun adopts the run for its row, moves the row to the given status, writes payload and plan where they are not there
// yet, and returns how the row stood. It returns event.ErrNotFound without a row. It is safe to repeat.
func (s *Store) BeginRun(ctx context.Context, id string, run event.Run, b Beginning, now time.Time) (Standing, error) {
	var st Standing
	var plan, unwritten *string
	if b.Plan != nil {
		made := planID(b.Plan)
		if plan = &made; !s.plans.known(made) {
			unwritten = jsonText(b.Plan)
		}
	}
	err := s.runs.QueryRow(ctx, beginRun, id, run.Generation, run.RunID, run.OriginalRunID, string(b.Status), now, jsonText(b.Payload), plan, unwritten, text(string(b.Note))).
		Scan(&st.Status, &st.Generation, &st.OriginalRunID, &st.Adopted, &st.Epoch, &st.Done)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return st, event.ErrNotFound
	case err == nil && st.Adopted && unwritten != nil:
		s.plans.note(*plan)
	}
	return st, err
}

// Ending is how a run ended.
type Ending struct {
	Status    event.Status
	Error     string
	ErrorType string
	Epoch     int
	Steps     []event.StepEnd
}

// A step that Once completed in its effect's own transaction is left as it is. Runs that began under an earlier version do
// not say when their steps ended: Finish's time stands for it then. An end that is changed (the run was reset)
// stays on the timeline.
const finishRun = `
WITH moved AS (
	SELECT id FROM webhook_events WHERE id = $1 AND generation = $2 AND original_run_id = $3 AND status <> $4::webhook_status
), ended AS (` + writeEnds + `
), steps AS (
	INSERT INTO event_steps AS s (event, step, epoch, status, attempts, error, error_type, started_at, finished_at, result)
	SELECT $1, o.step, $8, o.status::webhook_status, 1, o.error, o.error_type, o.started_at, coalesce(o.finished_at, $7), o.result
	FROM jsonb_to_recordset($9::jsonb) AS o (step text, status text, error text, error_type text,
		started_at timestamptz, finished_at timestamptz, result jsonb)
	WHERE EXISTS (SELECT FROM webhook_events WHERE id = $1 AND generation = $2 AND original_run_id = $3)
	ON CONFLICT (event, step, epoch) DO UPDATE SET
		status = excluded.status, error = excluded.error, error_type = excluded.error_type,
		started_at = least(s.started_at, excluded.started_at), finished_at = excluded.finished_at,
		result = coalesce(excluded.result, s.result),
		attempts = s.attempts + CASE WHEN excluded.status = 'completed' THEN 1 ELSE 0 END
	WHERE s.status <> 'completed'
	RETURNING step, attempts
)
UPDATE webhook_events SET status = $4::webhook_status, last_error = $5, last_error_type = $6, finished_at = $7,
	attempts = (SELECT coalesce(sum(attempts), 0) FROM steps)
		+ (SELECT coalesce(sum(s.attempts), 0) FROM event_steps s
			WHERE s.event = $1 AND s.epoch = $8 AND s.step NOT IN (SELECT step FROM steps))
WHERE id = $1 AND generation = $2 AND original_run_id = $3`

// FinishRun writes the end of a run with its steps in one statement and reports whether the row took it: a row that
// another generation or another run holds does not. It is safe to repeat, and goes from final to final after a reset.
func (s *Store) FinishRun(ctx context.Context, id string, run event.Run, end Ending, now time.Time) (bool, error) {
	steps, err := json.Marshal(end.Steps)
	if err != nil || end.Steps == nil {
		steps = []byte("[]")
	}
	tag, err := s.runs.Exec(ctx, finishRun, id, run.Generation, run.OriginalRunID, string(end.Status),
		text(end.Error), text(end.ErrorType), now, end.Epoch, string(steps))
	return err == nil && tag.RowsAffected() == 1, err
}

const failBegin = `
UPDATE webhook_events SET status = 'failed', generation = $2, run_id = $3, original_run_id = $4, last_error = $5, last_error_type = $6,
	dispatched_at = coalesce(dispatched_at, $7), started_at = coalesce(started_at, $7), finished_at = $7,
	lease_until = NULL, next_dispatch_at = NULL
WHERE id = $1 AND generation <= $2 AND status IN ('pending', 'processing')`

// FailBegin ends an event whose run cannot begin, and reports whether the row took it.
func (s *Store) FailBegin(ctx context.Context, id string, run event.Run, message, errorType string, now time.Time) (bool, error) {
	tag, err := s.runs.Exec(ctx, failBegin, id, run.Generation, run.RunID, run.OriginalRunID, message, errorType, now)
	return err == nil && tag.RowsAffected() == 1, err
}
