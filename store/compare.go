package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

// End is how Temporal says that a run of an event ended.
type End struct {
	EventID, RunID string
	Generation     int
	Status         event.Status
}

// A row differs from its run when its status does, or when the steps of its plan do not bear the status out: of a completed
// event each is there and completed, and it has no error; of a failed one there is a failed step with the event's error,
// unless the run could not begin.
const differing = `
SELECT ` + openColumns + ` FROM webhook_events e
JOIN unnest($1::uuid[], $2::text[], $3::int[], $4::webhook_status[]) AS r (event, run, run_generation, run_status)
	ON e.id = r.event AND e.run_id = r.run AND e.generation = r.run_generation
LEFT JOIN LATERAL (SELECT plan -> 'steps' FROM plans WHERE plans.id = e.plan_id) AS p (steps) ON true
CROSS JOIN LATERAL (
	SELECT count(*) AS known, count(*) FILTER (WHERE s.status = 'completed') AS completed,
		coalesce(bool_or(s.status = 'failed' AND s.error_type IS NOT DISTINCT FROM e.last_error_type), false) AS failed
	FROM event_steps s WHERE s.event = e.id AND s.epoch = e.epoch
		AND (p.steps IS NULL OR s.step IN (SELECT planned ->> 'name' FROM jsonb_array_elements(p.steps) planned))
) n
WHERE e.original_run_id IS NOT NULL AND (
	e.status <> r.run_status
	OR e.status = 'completed' AND (n.completed < n.known OR n.completed < jsonb_array_length(p.steps) OR e.last_error IS NOT NULL)
	OR e.status = 'failed' AND NOT n.failed AND n.known > 0 AND coalesce(e.last_error_type, '') <> ALL ($5::text[])
)`

// Differing returns those rows that are not as their runs ended. Rows that another run or generation holds are not among
// them. unbegun are the error types of runs that could not begin.
func (s *Store) Differing(ctx context.Context, ends []End, unbegun []string) ([]OpenRow, error) {
	ids, runs := make([]string, len(ends)), make([]string, len(ends))
	generations, statuses := make([]int, len(ends)), make([]string, len(ends))
	for i, end := range ends {
		ids[i], runs[i], generations[i], statuses[i] = end.EventID, end.RunID, end.Generation, string(end.Status)
	}
	rows, err := s.questions.Query(ctx, differing, ids, runs, generations, statuses, unbegun)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanOpen)
}

// ErrForgotten says that the ledger has not kept the steps that a run completed.
var ErrForgotten = errors.New("the ledger has forgotten completed steps")

const (
	lockToMend = `
SELECT (SELECT count(*) FROM jsonb_to_recordset($4::jsonb) AS o (step text, status text)
	WHERE o.status = 'completed' AND NOT EXISTS (SELECT FROM event_steps s
		WHERE s.event = e.id AND s.step = o.step AND s.epoch = $5 AND s.status = 'completed'))
FROM webhook_events e WHERE id = $1 AND generation = $2 AND status = $3::webhook_status FOR UPDATE`
	mendSteps = `
INSERT INTO event_steps AS s (event, step, epoch, status, attempts, error, error_type, started_at, finished_at, result)
SELECT $1, o.step, $2, o.status::webhook_status, 1, o.error, o.error_type, o.started_at, coalesce(o.finished_at, $3), o.result
FROM jsonb_to_recordset($4::jsonb) AS o (step text, status text, error text, error_type text,
	started_at timestamptz, finished_at timestamptz, result jsonb)
ON CONFLICT (event, step, epoch) DO UPDATE SET
	status = excluded.status, error = excluded.error, error_type = excluded.error_type,
	started_at = least(s.started_at, excluded.started_at), finished_at = coalesce(s.finished_at, excluded.finished_at), result = coalesce(s.result, excluded.result),
	attempts = greatest(s.attempts, 1)
WHERE (s.status, s.error_type) IS DISTINCT FROM (excluded.status, excluded.error_type)`
	mendRow = `
UPDATE webhook_events SET status = $2::webhook_status, last_error = $3, last_error_type = $4, finished_at = coalesce(finished_at, $5),
	lease_until = NULL, next_dispatch_at = NULL, dispatched_at = coalesce(dispatched_at, $5)
WHERE id = $1 AND (status, last_error, last_error_type) IS DISTINCT FROM ($2::webhook_status, $3, $4)`
)

// Mend gives a row the end that its run had at a time, unless it has moved since it was read, and reports whether that
// changed anything.
// Of a row that is not final it returns ErrForgotten when completed steps are not in the ledger: nothing says then
// that their effects are. Of a final row the end itself says so.
func (s *Store) Mend(ctx context.Context, o OpenRow, end Ending, at time.Time) (bool, error) {
	steps, err := json.Marshal(end.Steps)
	if err != nil || end.Steps == nil {
		steps = []byte("[]")
	}
	var changed int64
	err = pgx.BeginFunc(ctx, s.questions, func(tx pgx.Tx) error {
		var forgotten int
		if err := tx.QueryRow(ctx, lockToMend, o.ID, o.Generation, string(o.Status), string(steps), end.Epoch).Scan(&forgotten); err != nil {
			return err
		}
		if forgotten > 0 && !o.Status.Final() {
			return ErrForgotten
		}
		ofSteps, err := tx.Exec(ctx, mendSteps, o.ID, end.Epoch, at, string(steps))
		if err != nil {
			return err
		}
		ofRow, err := tx.Exec(ctx, mendRow, o.ID, string(end.Status), text(end.Error), text(end.ErrorType), at)
		changed = ofSteps.RowsAffected() + ofRow.RowsAffected()
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil && changed > 0, err
}
