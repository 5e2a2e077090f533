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
	// OriginalRunID is that of the run which began last; a reset run keeps it. "" before the first.
	OriginalRunID string
	ReceivedAt    time.Time
}

const openColumns = `id::text, provider, scheme, event_id, event_type, generation, status::text, workflow_id,
	coalesce(original_run_id, ''), received_at`

func scanOpen(row pgx.CollectableRow) (OpenRow, error) {
	var o OpenRow
	err := row.Scan(openFields(&o)...)
	return o, err
}

func openFields(o *OpenRow) []any {
	return []any{&o.ID, &o.Provider, &o.Scheme, &o.EventID, &o.Type, &o.Generation, &o.Status, &o.WorkflowID, &o.OriginalRunID, &o.ReceivedAt}
}

// StaleOpen returns rows that a run was started for before before, and that are not final: oldest first, those after a
// place, at most limit.
func (s *Store) StaleOpen(ctx context.Context, before time.Time, after Place, limit int) ([]OpenRow, error) {
	if after.ID == "" {
		after.ID = firstID
	}
	rows, err := s.questions.Query(ctx, `SELECT `+openColumns+` FROM webhook_events
		WHERE status IN ('pending', 'processing') AND dispatched_at < $1 AND (received_at, id) > ($2, $3::uuid)
		ORDER BY received_at, id LIMIT $4`, before, after.ReceivedAt, after.ID, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanOpen)
}

// FindOpen returns the row of an event when it is not final, event.ErrNotFound otherwise.
func (s *Store) FindOpen(ctx context.Context, id string) (OpenRow, error) {
	rows, err := s.questions.Query(ctx, `SELECT `+openColumns+` FROM webhook_events
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

// EndedRow is a final row with the run that ended it.
type EndedRow struct {
	OpenRow
	RunID      string
	FinishedAt *time.Time
}

// Ended returns those of the events that are final and were ended by a run.
func (s *Store) Ended(ctx context.Context, ids []string) ([]EndedRow, error) {
	rows, err := s.questions.Query(ctx, `SELECT `+openColumns+`, run_id, finished_at FROM webhook_events
		WHERE id = ANY($1::uuid[]) AND status IN ('completed', 'failed') AND original_run_id IS NOT NULL AND run_id IS NOT NULL`, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (EndedRow, error) {
		var e EndedRow
		err := row.Scan(append(openFields(&e.OpenRow), &e.RunID, &e.FinishedAt)...)
		return e, err
	})
}

const reopenRow = `
WITH moved AS (
	UPDATE webhook_events SET status = 'processing', run_id = $5, finished_at = NULL
	WHERE id = $1 AND generation = $2 AND status = $3::webhook_status AND finished_at IS NOT DISTINCT FROM $4
	RETURNING id
), ended AS (` + writeEnds + `
)
SELECT count(*) FROM moved`

// Reopen opens a final row for a run that was reset, unless the row has moved since it was read: each end has a time of
// its own. It reports whether it did.
func (s *Store) Reopen(ctx context.Context, e EndedRow, runID string) (bool, error) {
	var moved int
	err := s.questions.QueryRow(ctx, reopenRow, e.ID, e.Generation, string(e.Status), e.FinishedAt, runID).Scan(&moved)
	return moved == 1, err
}

// Redispatch gives a row back to the relay with the same generation, unless it has moved since it was read. It reports
// whether it did.
func (s *Store) Redispatch(ctx context.Context, o OpenRow) (bool, error) {
	tag, err := s.questions.Exec(ctx, `UPDATE webhook_events SET status = 'pending', dispatched_at = NULL, lease_until = NULL, next_dispatch_at = NULL
		WHERE id = $1 AND generation = $2 AND status = $3::webhook_status`, o.ID, o.Generation, string(o.Status))
	return err == nil && tag.RowsAffected() == 1, err
}

const regenerate = `
WITH moved AS (
	UPDATE webhook_events SET status = 'pending', generation = generation + 1,
		dispatched_at = NULL, dispatch_attempts = 0, lease_until = NULL, next_dispatch_at = NULL, refused_since = NULL
	WHERE id = $1 AND generation = $2 AND status = $3::webhook_status
	RETURNING id, generation
)
INSERT INTO event_timeline (event, at, generation, kind, detail)
SELECT id, $4, generation, 'replayed', '{"reason": "its run had completed and the ledger had forgotten it"}' FROM moved`

// Regenerate gives a row back to the relay with a new generation, unless it has moved since it was read, and reports
// whether it did.
func (s *Store) Regenerate(ctx context.Context, o OpenRow, now time.Time) (bool, error) {
	tag, err := s.questions.Exec(ctx, regenerate, o.ID, o.Generation, string(o.Status), now)
	return err == nil && tag.RowsAffected() == 1, err
}

// Known reports whether the ledger has a row of this id.
func (s *Store) Known(ctx context.Context, id string) (bool, error) {
	var known bool
	err := s.questions.QueryRow(ctx, `SELECT EXISTS (SELECT FROM webhook_events WHERE id = $1)`, id).Scan(&known)
	return known, err
}

// Settle ends a row whose run ended without writing it, unless it has moved since it was read. It reports whether it did.
func (s *Store) Settle(ctx context.Context, o OpenRow, run event.Run, to event.Status, message, errorType string, now time.Time) (bool, error) {
	tag, err := s.questions.Exec(ctx, `UPDATE webhook_events SET status = $4::webhook_status, run_id = $5,
		original_run_id = $9, last_error = $6, last_error_type = $7, finished_at = $8
		WHERE id = $1 AND generation = $2 AND status = $3::webhook_status`,
		o.ID, o.Generation, string(o.Status), string(to), text(run.RunID), text(message), text(errorType), now, text(run.OriginalRunID))
	return err == nil && tag.RowsAffected() == 1, err
}

const eraseExpired = `
WITH old AS (
	SELECT id, received_at FROM webhook_events
	WHERE (received_at, id) > ($1, $2::uuid) AND received_at < $3
	ORDER BY received_at, id LIMIT $4
), final AS (
	-- Locked, so that no replay begins meanwhile; one that has begun keeps its content.
	SELECT e.id FROM webhook_events e JOIN old USING (id)
	WHERE e.status IN ('completed', 'failed') AND coalesce(e.finished_at, e.received_at) < $3
	FOR UPDATE OF e SKIP LOCKED
), bodies AS (
	DELETE FROM webhook_bodies WHERE id IN (SELECT id FROM final)
	RETURNING id
), payloads AS (
	DELETE FROM webhook_payloads WHERE id IN (SELECT id FROM final)
)
SELECT (SELECT count(*) FROM old), (SELECT count(*) FROM bodies), last.received_at, last.id::text
FROM old last ORDER BY last.received_at DESC, last.id DESC LIMIT 1`

// firstID comes before every id.
const firstID = "00000000-0000-0000-0000-000000000000"

// Place is a place in the order of the ledger, oldest first.
type Place struct {
	ReceivedAt time.Time `json:"received_at"`
	ID         string    `json:"id,omitempty"`
}

// EraseExpired deletes the content of events that were final before before, in the order of the ledger from after on, for
// limit rows at most. A step may have run for days: what failed at the end of it is kept as long as what failed at once. It returns how many rows it looked at, how many bodies it deleted, and where to go on. Rows stay.
func (s *Store) EraseExpired(ctx context.Context, after Place, before time.Time, limit int) (looked, erased int, next Place, err error) {
	if after.ID == "" {
		after.ID = firstID
	}
	next = after
	err = s.questions.QueryRow(ctx, eraseExpired, after.ReceivedAt, after.ID, before, limit).
		Scan(&looked, &erased, &next.ReceivedAt, &next.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, 0, after, nil
	}
	return looked, erased, next, err
}

// OpenEvents is how many events are not final. Waiting ones wait for a start; running ones have a run that began. Since is the
// time of the oldest, the zero time where there is none.
type OpenEvents struct {
	Waiting, Running           int
	WaitingSince, RunningSince time.Time
}

// countOpen leaves replays out of the age of what waits: an event of last week that is replayed has not waited for a week.
const countOpen = `
SELECT count(*) FILTER (WHERE status = 'pending' AND dispatched_at IS NULL), count(*) FILTER (WHERE status = 'processing'),
	min(received_at) FILTER (WHERE status = 'pending' AND dispatched_at IS NULL AND generation = 0),
	min(started_at) FILTER (WHERE status = 'processing')
FROM webhook_events WHERE status IN ('pending', 'processing')`

// CountOpen counts the events that are not final.
func (s *Store) CountOpen(ctx context.Context) (OpenEvents, error) {
	var o OpenEvents
	var waiting, running *time.Time
	err := s.questions.QueryRow(ctx, countOpen).Scan(&o.Waiting, &o.Running, &waiting, &running)
	if waiting != nil {
		o.WaitingSince = *waiting
	}
	if running != nil {
		o.RunningSince = *running
	}
	return o, err
}

// DeleteReplays deletes the bulk replays that ended before a time, with what became of each event, and returns how many.
func (s *Store) DeleteReplays(ctx context.Context, before time.Time) (int, error) {
	tag, err := s.questions.Exec(ctx, `DELETE FROM replays WHERE finished_at < $1 AND state IN ('stopped', 'completed') AND moved <= completed + failed`, before)
	return int(tag.RowsAffected()), err
}
