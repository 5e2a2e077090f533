package store

import (
	"context"
	"errors"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

const (
	lockForErasure = `SELECT id::text, provider, event_id, workflow_id, generation, status::text FROM webhook_events WHERE id = $1 FOR UPDATE`
	knownRuns      = `
SELECT coalesce(array_agg(DISTINCT run), '{}') FROM (
	SELECT unnest(ARRAY[run_id, original_run_id]) AS run FROM webhook_events WHERE id = $1
	UNION ALL SELECT detail ->> 'run_id' FROM event_timeline WHERE event = $1 AND kind = 'ended'
) r WHERE run IS NOT NULL`
	// An erasure that is repeated and finds nothing is not told twice.
	tellErasure = `
INSERT INTO event_timeline (event, at, generation, kind, author)
SELECT $1, $2, $3, 'erased', $4
WHERE $5 OR NOT EXISTS (SELECT FROM event_timeline WHERE event = $1 AND kind = 'erased')`
)

// Erase deletes the content of a final event wherever the ledger holds it, and tells the timeline who asked, in one
// transaction. The row stays, and with it the uniqueness. It returns event.ErrNotFound or event.ErrNotFinal without having
// changed anything. It is safe to repeat.
func (s *Store) Erase(ctx context.Context, id, author string, now time.Time) (event.Erasure, error) {
	var e event.Erasure
	err := pgx.BeginFunc(ctx, s.questions, func(tx pgx.Tx) error {
		var provider, eventID string
		var status event.Status
		var generation int
		err := tx.QueryRow(ctx, lockForErasure, id).Scan(&e.ID, &provider, &eventID, &e.WorkflowID, &generation, &status)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return event.ErrNotFound
		case err != nil:
			return err
		case !status.Final():
			return event.ErrNotFinal
		}
		e.Key = event.Key(provider, eventID)
		if err := tx.QueryRow(ctx, knownRuns, id).Scan(&e.RunIDs); err != nil {
			return err
		}
		for _, h := range holdings {
			sql := h.sql()
			if sql == "" {
				continue
			}
			erased, err := tx.Exec(ctx, sql, id)
			if err != nil {
				return err
			}
			e.Content = e.Content || h.whole && erased.RowsAffected() > 0
		}
		_, err = tx.Exec(ctx, tellErasure, id, now, generation, author, e.Content)
		return err
	})
	if err == nil {
		s.Forget(id)
	}
	return e, err
}
