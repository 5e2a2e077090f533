package store

import (
	"context"
	"errors"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

// OpenRow is a row that is not final, as reconcile sees it.
type OpenRow struct {
	event.Event // a reference
	Status      event.Status
	WorkflowID  string
	RunID       string
	ReceivedAt  time.Time
}

const openColumns = `id::text, provider, scheme, event_id, event_type, generation, status::text, workflow_id, coalesce(run_id, ''), received_at`

func scanOpen(row pgx.CollectableRow) (OpenRow, error) {
	var o OpenRow
	err := row.Scan(&o.ID, &o.Provider, &o.Scheme, &o.EventID, &o.Type, &o.Generation, &o.Status, &o.WorkflowID, &o.RunID, &o.ReceivedAt)
	return o, err
}

// StaleOpen returns rows that a run was started for before before, and that are not final: oldest first, those after the
// place (received, id), at most limit.
func (s *Store) StaleOpen(ctx context.Context, before, received time.Time, id string, limit int) ([]OpenRow, error) {
	if id == "" {
		id = "00000000-0000-0000-0000-000000000000"
	}
	rows, err := s.pool.Query(ctx, `SELECT `+openColumns+` FROM webhook_events
		WHERE status IN ('pending', 'processing') AND dispatched_at < $1 AND (received_at, id) > ($2, $3::uuid)
		ORDER BY received_at, id LIMIT $4`, before, received, id, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanOpen)
}

// FindOpen returns the row of an event when it is not final, event.ErrNotFound otherwise.
func (s *Store) FindOpen(ctx context.Context, id string) (OpenRow, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+openColumns+` FROM webhook_events
		WHERE id = $1 AND status IN ('pending', 'processing')`, id)
	if err != nil {
		return OpenRow{}, err
	}
	o, err := pgx.CollectExactlyOneRow(rows, scanOpen)
	if errors.Is(err, pgx.ErrNoRows) {
		return o, event.ErrNotFound
	}
	return o, err
}

// Redispatch gives a row back to the relay with the same generation, unless it has moved since it was read. It reports
// whether it did.
func (s *Store) Redispatch(ctx context.Context, o OpenRow) (bool, error) {
	tag, err := s.pool.Exec(ctx, `UPDATE webhook_events SET status = 'pending', dispatched_at = NULL, lease_until = NULL, next_dispatch_at = NULL
		WHERE id = $1 AND generation = $2 AND status = $3::webhook_status`, o.ID, o.Generation, string(o.Status))
	return err == nil && tag.RowsAffected() == 1, err
}

// Settle ends a row whose run ended without writing it, unless it has moved since it was read. It reports whether it did.
func (s *Store) Settle(ctx context.Context, o OpenRow, runID string, to event.Status, message, errorType string, now time.Time) (bool, error) {
	tag, err := s.pool.Exec(ctx, `UPDATE webhook_events SET status = $4::webhook_status, run_id = $5,
		original_run_id = coalesce(original_run_id, $5), last_error = $6, last_error_type = $7, finished_at = $8
		WHERE id = $1 AND generation = $2 AND status = $3::webhook_status`,
		o.ID, o.Generation, string(o.Status), string(to), runID, text(message), text(errorType), now)
	return err == nil && tag.RowsAffected() == 1, err
}
