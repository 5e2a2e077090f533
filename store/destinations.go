package store

import (
	"context"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

const destinationColumns = `name, configured_at, paused_at, paused_by, pause_reason, failures, opened_at, retry_at, probe_by, last_failure, last_failure_at`

func scanDestination(row pgx.CollectableRow) (event.Destination, error) {
	d, err := pgx.RowToStructByNameLax[event.Destination](row)
	for _, at := range []*time.Time{d.PausedAt, d.OpenedAt, d.RetryAt, d.LastFailureAt} {
		if at != nil {
			*at = at.UTC()
		}
	}
	return d, err
}

// Destinations returns every destination that a process ever had in its configuration, by name.
func (s *Store) Destinations(ctx context.Context) ([]event.Destination, error) {
	rows, err := s.questions.Query(ctx, `SELECT `+destinationColumns+` FROM destinations ORDER BY name`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanDestination)
}

// KnowDestinations notes that a process has these in its configuration now.
func (s *Store) KnowDestinations(ctx context.Context, names []string, now time.Time) error {
	_, err := s.questions.Exec(ctx, `INSERT INTO destinations (name, configured_at) SELECT unnest($1::text[]), $2
		ON CONFLICT (name) DO UPDATE SET configured_at = greatest(destinations.configured_at, excluded.configured_at)`, names, now)
	return err
}

// Verdict is what a process saw of a destination since it last told.
type Verdict struct {
	Answered bool   // at least once
	Failures int    // in a row, since then
	Last     string // what the last of them said
}

// An open circuit listens to the process that makes the decisive attempt only: the last words of attempts that were under
// way when it opened say nothing new.
const noteVerdict = `
UPDATE destinations SET
	failures = CASE WHEN $2 THEN 0 ELSE failures END + $3,
	opened_at = CASE
		WHEN opened_at IS NOT NULL AND $3 = 0 THEN NULL
		WHEN $5 > 0 AND CASE WHEN $2 THEN 0 ELSE failures END + $3 >= $5 THEN coalesce(opened_at, $7)
		WHEN $3 > 0 THEN opened_at END,
	retry_at = CASE
		WHEN $3 > 0 AND (opened_at IS NOT NULL OR $5 > 0 AND CASE WHEN $2 THEN 0 ELSE failures END + $3 >= $5) THEN $6::timestamptz END,
	probe_by = NULL, probe_until = NULL,
	last_failure = CASE WHEN $3 > 0 THEN $4 ELSE last_failure END,
	last_failure_at = CASE WHEN $3 > 0 THEN $7 ELSE last_failure_at END
WHERE name = $1 AND (opened_at IS NULL OR probe_by = $8)`

// NoteVerdict tells what the process by saw of a destination. The circuit opens, until retryAt, when limit failures stand in
// a row (0: never); the decisive attempt of an open one closes it or leaves it open until retryAt.
func (s *Store) NoteVerdict(ctx context.Context, name, by string, v Verdict, limit int, retryAt, now time.Time) error {
	_, err := s.questions.Exec(ctx, noteVerdict, name, v.Answered, v.Failures, text(v.Last), limit, retryAt, now, by)
	return err
}

// TakeProbe gives the process by the decisive attempt of an open circuit until until, unless another process has it, and
// reports whether it did. Who has it may take it again.
func (s *Store) TakeProbe(ctx context.Context, name, by string, until, now time.Time) (bool, error) {
	tag, err := s.questions.Exec(ctx, `UPDATE destinations SET probe_by = $2, probe_until = $3
		WHERE name = $1 AND paused_at IS NULL AND retry_at <= $4 AND (probe_by IS NULL OR probe_by = $2 OR probe_until < $4)`, name, by, until, now)
	return err == nil && tag.RowsAffected() == 1, err
}

// PauseDestination stops the sending to a destination in the name of by. One that is paused keeps its time and author. It
// returns event.ErrNoDestination for an unknown one.
func (s *Store) PauseDestination(ctx context.Context, name, by, reason string, now time.Time) (event.Destination, error) {
	return s.steer(ctx, `UPDATE destinations SET paused_at = coalesce(paused_at, $2),
		paused_by = CASE WHEN paused_at IS NULL THEN $3 ELSE paused_by END,
		pause_reason = coalesce($4, pause_reason) WHERE name = $1 RETURNING `+destinationColumns, name, now, text(by), text(reason))
}

// ResumeDestination takes up the sending again, with a closed circuit. It returns event.ErrNoDestination for an unknown one.
func (s *Store) ResumeDestination(ctx context.Context, name string) (event.Destination, error) {
	return s.steer(ctx, `UPDATE destinations SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, failures = 0,
		opened_at = NULL, retry_at = NULL, probe_by = NULL, probe_until = NULL WHERE name = $1 RETURNING `+destinationColumns, name)
}

func (s *Store) steer(ctx context.Context, sql string, args ...any) (event.Destination, error) {
	rows, err := s.questions.Query(ctx, sql, args...)
	if err != nil {
		return event.Destination{}, err
	}
	found, err := pgx.CollectRows(rows, scanDestination)
	if err != nil {
		return event.Destination{}, err
	}
	if len(found) == 0 {
		return event.Destination{}, event.ErrNoDestination
	}
	return found[0], nil
}
