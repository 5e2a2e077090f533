package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

// The first answer is the one that the sender was told; a replay from the start may compute another.
const readAnswer = `
SELECT e.status IN ('completed', 'failed'), s.result
FROM webhook_events e
LEFT JOIN LATERAL (
	SELECT result FROM event_steps
	WHERE event = e.id AND status = 'completed' AND jsonb_typeof(result -> 'answer') = 'object'
	ORDER BY epoch LIMIT 1
) s ON true
WHERE e.id = $1`

// Answer returns the answer that a run of the event computed, nil where the ledger knows of none, and whether the event is
// final. It returns event.ErrNotFound without a row.
func (s *Store) Answer(ctx context.Context, id string) (answer *event.Answer, final bool, err error) {
	var result []byte
	err = s.door.QueryRow(ctx, readAnswer, id).Scan(&final, &result)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, false, event.ErrNotFound
	case err != nil || result == nil:
		return nil, final, err
	}
	var reply event.Reply
	err = json.Unmarshal(result, &reply)
	return reply.Answer, final, err
}

// Unanswered is the error type of an event whose sender was told the fallback because no run could be asked, and which its
// route does not want to be handled later.
const Unanswered = "Unanswered"

const endUnanswered = `
UPDATE webhook_events SET status = 'failed', finished_at = $2, next_dispatch_at = NULL, lease_until = NULL,
	last_error = 'its sender was told the fallback while Temporal was away', last_error_type = '` + Unanswered + `'
WHERE id = $1 AND status = 'pending' AND generation = 0 AND dispatched_at IS NULL`

// EndUnanswered ends an event that was only to be answered. A row whose run has begun is left alone.
func (s *Store) EndUnanswered(ctx context.Context, id string, now time.Time) error {
	_, err := s.door.Exec(ctx, endUnanswered, id, now)
	return err
}
