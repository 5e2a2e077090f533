package store

import (
	"context"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

// waitingProviders walks from one provider to the next on the index instead of reading the whole backlog.
const waitingProviders = `
WITH RECURSIVE p AS (
	(SELECT provider FROM webhook_events WHERE status = 'pending' AND dispatched_at IS NULL ORDER BY provider LIMIT 1)
	UNION ALL
	SELECT (SELECT e.provider FROM webhook_events e
		WHERE e.status = 'pending' AND e.dispatched_at IS NULL AND e.provider > p.provider ORDER BY e.provider LIMIT 1)
	FROM p WHERE p.provider IS NOT NULL
)
SELECT provider FROM p WHERE provider IS NOT NULL`

// WaitingProviders returns the providers that have rows which no run was started for.
func (s *Store) WaitingProviders(ctx context.Context) ([]string, error) {
	rows, err := s.door.Query(ctx, waitingProviders)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

const claimPending = `
UPDATE webhook_events SET lease_until = $4 WHERE id IN (
	SELECT id FROM webhook_events
	WHERE status = 'pending' AND dispatched_at IS NULL AND provider = $1
		AND (lease_until IS NULL OR lease_until <= $3) AND (next_dispatch_at IS NULL OR next_dispatch_at <= $3)
	ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING id::text, provider, scheme, event_id, event_type, generation, dispatch_attempts, refused_since`

// Claimed is a row whose lease this process holds.
type Claimed struct {
	event.Event  // a reference: no body, no headers
	Attempts     int
	RefusedSince time.Time // since when Temporal refuses it; the zero time: it does not
}

// ClaimPending takes up to limit rows of provider that wait for a start, oldest first, and leases them until until. The
// lease is committed when it returns: no lock is held while the caller goes to the network.
func (s *Store) ClaimPending(ctx context.Context, provider string, limit int, now, until time.Time) ([]Claimed, error) {
	rows, err := s.door.Query(ctx, claimPending, provider, limit, now, until)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Claimed, error) {
		var c Claimed
		var refused *time.Time
		err := row.Scan(&c.ID, &c.Provider, &c.Scheme, &c.EventID, &c.Type, &c.Generation, &c.Attempts, &refused)
		if refused != nil {
			c.RefusedSince = *refused
		}
		return c, err
	})
}

const markDispatched = `
WITH d AS (
	SELECT * FROM unnest($1::uuid[], $2::integer[]) AS d (id, generation)
), locked AS MATERIALIZED (
	SELECT e.id FROM webhook_events e WHERE e.id IN (SELECT id FROM d) ORDER BY e.id FOR UPDATE
)
UPDATE webhook_events e SET dispatched_at = $3, lease_until = NULL, next_dispatch_at = NULL, refused_since = NULL,
	dispatch_attempts = dispatch_attempts + 1
FROM d JOIN locked USING (id)
WHERE e.id = d.id AND e.generation = d.generation AND e.dispatched_at IS NULL AND e.status = 'pending'`

// MarkDispatched notes that runs of these events were started. Rows whose run has begun meanwhile are left as they are.
func (s *Store) MarkDispatched(ctx context.Context, refs []event.Event, now time.Time) error {
	ids, generations := idsAndGenerations(refs)
	_, err := s.door.Exec(ctx, markDispatched, ids, generations, now)
	return err
}

const postponeDispatch = `
WITH d AS (
	SELECT * FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::text[]) AS d (id, generation, next, error)
), locked AS MATERIALIZED (
	SELECT e.id FROM webhook_events e WHERE e.id IN (SELECT id FROM d) ORDER BY e.id FOR UPDATE
)
UPDATE webhook_events e SET lease_until = NULL, next_dispatch_at = d.next, dispatch_attempts = dispatch_attempts + 1,
	refused_since = CASE WHEN d.error IS NOT NULL THEN coalesce(e.refused_since, $5) END,
	last_error = coalesce(d.error, e.last_error), last_error_type = CASE WHEN d.error IS NULL THEN e.last_error_type ELSE 'DispatchRefused' END
FROM d JOIN locked USING (id)
WHERE e.id = d.id AND e.generation = d.generation AND e.dispatched_at IS NULL AND e.status = 'pending'`

// Postponed is a start that did not happen: when to try again, and what Temporal said where it refused.
type Postponed struct {
	event.Event
	Next    time.Time
	Refusal string
}

// PostponeDispatch gives rows back to the relay for a later start.
func (s *Store) PostponeDispatch(ctx context.Context, postponed []Postponed, now time.Time) error {
	n := len(postponed)
	ids, generations, next, refusals := make([]string, n), make([]int32, n), make([]time.Time, n), make([]*string, n)
	for i, p := range postponed {
		ids[i], generations[i], next[i], refusals[i] = p.ID, int32(p.Generation), p.Next, text(p.Refusal)
	}
	_, err := s.door.Exec(ctx, postponeDispatch, ids, generations, next, refusals, now)
	return err
}

const failDispatch = `
UPDATE webhook_events SET status = 'failed', last_error = $3, last_error_type = 'DispatchRefused', finished_at = $4,
	lease_until = NULL, next_dispatch_at = NULL, refused_since = NULL
WHERE id = $1 AND generation = $2 AND status = 'pending' AND dispatched_at IS NULL`

// FailDispatch ends an event that Temporal refuses to run.
func (s *Store) FailDispatch(ctx context.Context, ref event.Event, reason string, now time.Time) error {
	_, err := s.door.Exec(ctx, failDispatch, ref.ID, ref.Generation, reason, now)
	return err
}

func idsAndGenerations(refs []event.Event) ([]string, []int32) {
	ids, generations := make([]string, len(refs)), make([]int32, len(refs))
	for i, r := range refs {
		ids[i], generations[i] = r.ID, int32(r.Generation)
	}
	return ids, generations
}
