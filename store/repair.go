package store

import (
	"context"
	"time"
)

const dispatchNow = `
UPDATE webhook_events SET next_dispatch_at = NULL
WHERE id = $1 AND generation = $2 AND status = 'pending' AND dispatched_at IS NULL`

// DispatchNow lets the relay start a row that waits for a later start, and reports whether the row still waits for one.
func (s *Store) DispatchNow(ctx context.Context, o OpenRow) (bool, error) {
	tag, err := s.questions.Exec(ctx, dispatchNow, o.ID, o.Generation)
	return err == nil && tag.RowsAffected() == 1, err
}

// Without an original run, no run of this generation is known: the one that a dispatcher may be starting at this moment
// finds a final row that another run ended, and ends without a step.
const cancelOpen = `
UPDATE webhook_events SET status = 'failed', last_error = 'cancelled by ' || $4, last_error_type = $5, finished_at = $6,
	original_run_id = NULL, lease_until = NULL, next_dispatch_at = NULL, refused_since = NULL
WHERE id = $1 AND generation = $2 AND status = $3::webhook_status`

// CancelOpen ends an event that has no run, unless its row has moved since it was read. It reports whether it did.
func (s *Store) CancelOpen(ctx context.Context, o OpenRow, author, errorType string, now time.Time) (bool, error) {
	tag, err := s.questions.Exec(ctx, cancelOpen, o.ID, o.Generation, string(o.Status), author, errorType, now)
	return err == nil && tag.RowsAffected() == 1, err
}
