package store

import (
	"context"
	"errors"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

// nextGeneration gives a row to the relay as if it had just arrived, for another run.
const nextGeneration = `status = 'pending', generation = e.generation + 1, dispatched_at = NULL, dispatch_attempts = 0,
	next_dispatch_at = NULL, refused_since = NULL, lease_until = NULL, finished_at = NULL`

// The row is locked first and looked for its content after: retention, which deletes content, then waits or is seen.
const (
	lockForReplay = `SELECT status::text FROM webhook_events WHERE id = $1 FOR UPDATE`
	requestReplay = `
WITH moved AS (
	UPDATE webhook_events e SET ` + nextGeneration + `, epoch = e.epoch + $2
	WHERE id = $1 AND EXISTS (SELECT FROM webhook_bodies b WHERE b.id = $1)
	RETURNING id, provider, scheme, event_id, event_type, generation, received_at
), ended AS (` + writeEnds + `
), told AS (
	INSERT INTO event_timeline (event, at, generation, kind, author, detail)
	SELECT id, $3, generation, 'replayed', $4, jsonb_build_object('from', $5::text) FROM moved
)
SELECT id::text, provider, scheme, event_id, event_type, generation, received_at FROM moved`
)

// Replay asks for another generation of a final event and tells the timeline who did, in one transaction, so that no crash
// can split it. It returns the reference, which the relay will find; event.ErrNotFound, event.ErrNotFinal or event.ErrErased without having
// changed anything.
func (s *Store) Replay(ctx context.Context, id string, from event.From, author string, now time.Time) (event.Event, error) {
	var e event.Event
	err := pgx.BeginFunc(ctx, s.runs, func(tx pgx.Tx) error {
		var status event.Status
		err := tx.QueryRow(ctx, lockForReplay, id).Scan(&status)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return event.ErrNotFound
		case err != nil:
			return err
		case !status.Final():
			return event.ErrNotFinal
		}
		err = tx.QueryRow(ctx, requestReplay, id, epochs(from), now, text(author), string(from)).
			Scan(&e.ID, &e.Provider, &e.Scheme, &e.EventID, &e.Type, &e.Generation, &e.ReceivedAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return event.ErrErased
		}
		return err
	})
	return e, err
}

// epochs is by how much a replay raises the epoch. In a new one no step is completed yet.
func epochs(from event.From) int {
	if from == event.FromStart {
		return 1
	}
	return 0
}
