package store

import (
	"context"
	"time"

	"hookflow/event"
)

// writeAct tells the timeline what an operator did to the rows of the CTE moved.
const writeAct = `INSERT INTO event_timeline (event, at, generation, kind, author) SELECT id, $3, $2, $4, $5 FROM moved`

const dispatchNow = `
WITH moved AS (
	UPDATE webhook_events SET next_dispatch_at = NULL
	WHERE id = $1 AND generation = $2 AND status = 'pending' AND dispatched_at IS NULL
	RETURNING id
) ` + writeAct

// DispatchNow lets the relay start a row that waits for a later start, and tells the timeline. It reports whether the row
// still waits for one.
func (s *Store) DispatchNow(ctx context.Context, o OpenRow, author string, now time.Time) (bool, error) {
	tag, err := s.questions.Exec(ctx, dispatchNow, o.ID, o.Generation, now, string(event.Retried), text(author))
	return err == nil && tag.RowsAffected() == 1, err
}

// Without an original run, no run of this generation is known: the one that a dispatcher may be starting at this moment
// finds a final row that another run ended, and ends without a step.
const cancelOpen = `
WITH moved AS (
	UPDATE webhook_events SET status = 'failed', last_error = concat('cancelled by ', $5::text), last_error_type = $7, finished_at = $3,
		original_run_id = NULL, lease_until = NULL, next_dispatch_at = NULL, refused_since = NULL
	WHERE id = $1 AND generation = $2 AND status = $6::webhook_status
	RETURNING id
) ` + writeAct

// CancelOpen ends an event that has no run and tells the timeline, unless its row has moved since it was read. It reports
// whether it did.
func (s *Store) CancelOpen(ctx context.Context, o OpenRow, author, errorType string, now time.Time) (bool, error) {
	tag, err := s.questions.Exec(ctx, cancelOpen, o.ID, o.Generation, now, string(event.Cancelled), text(author), string(o.Status), errorType)
	return err == nil && tag.RowsAffected() == 1, err
}
