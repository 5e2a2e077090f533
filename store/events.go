package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Arrival is an event on its way into the ledger.
type Arrival struct {
	*event.Event
	// LeaseUntil keeps the relay away from a row that the process which wrote it is about to dispatch; zero leaves it
	// to the relay at once.
	LeaseUntil time.Time
	// NextDispatch keeps the relay away from a row whose run the door starts itself, with a question, for as long as
	// somebody waits for the answer; zero for all others.
	NextDispatch time.Time
}

// The order of the rows is the caller's, and must be the same in every writer: two that insert the same keys in opposite
// order wait for each other.
const insertEvents = `
WITH arrived AS (
	SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::text[],
		$9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::boolean[], $13::integer[], $14::text[], $15::text[], $16::bytea[],
		$17::timestamptz[])
	AS a (id, provider, scheme, event_id, event_type, account, livemode, workflow_id,
		occurred_at, received_at, lease_until, body_masked, generation, headers, content_type, body, next_dispatch_at)
), inserted AS (
	INSERT INTO webhook_events (id, provider, scheme, event_id, event_type, account, livemode, workflow_id,
		occurred_at, received_at, lease_until, body_masked, generation, next_dispatch_at)
	SELECT id, provider, scheme, event_id, event_type, account, livemode, workflow_id,
		occurred_at, received_at, lease_until, body_masked, generation, next_dispatch_at FROM arrived
	ON CONFLICT DO NOTHING
	RETURNING id
), bodies AS (
	INSERT INTO webhook_bodies (id, headers, content_type, body)
	SELECT id, headers::jsonb, content_type, body FROM arrived JOIN inserted USING (id)
)
SELECT id FROM inserted`

// InsertEvents writes the rows and bodies of arrivals in one statement and returns the ids that were new; the others
// were known. Arrivals must be sorted by key and hold no key twice. Nothing is written when an error is returned,
// unless the connection was lost under the statement: then nobody knows.
func (s *Store) InsertEvents(ctx context.Context, arrivals []Arrival) (map[string]bool, error) {
	n := len(arrivals)
	ids, names, schemes := make([]string, n), make([]string, n), make([]string, n)
	eventIDs, types, accounts := make([]string, n), make([]string, n), make([]*string, n)
	livemodes, workflowIDs, occurred := make([]*bool, n), make([]string, n), make([]*time.Time, n)
	received, leases, masked := make([]time.Time, n), make([]*time.Time, n), make([]bool, n)
	generations, headers, contentTypes := make([]int32, n), make([]string, n), make([]string, n)
	bodies, nexts := make([][]byte, n), make([]*time.Time, n)
	for i, a := range arrivals {
		kept, err := json.Marshal(a.Headers)
		if err != nil || a.Headers == nil {
			kept = []byte("{}")
		}
		ids[i], names[i], schemes[i] = a.ID, a.Provider, a.Scheme
		eventIDs[i], types[i], accounts[i] = a.EventID, a.Type, text(a.Account)
		livemodes[i], workflowIDs[i], occurred[i] = a.Livemode, a.WorkflowID(), when(a.OccurredAt)
		received[i], leases[i], masked[i] = a.ReceivedAt, when(a.LeaseUntil), a.BodyMasked
		nexts[i] = when(a.NextDispatch)
		generations[i], headers[i], contentTypes[i] = int32(a.Generation), string(kept), a.ContentType
		if bodies[i] = a.Body; a.Body == nil {
			bodies[i] = []byte{}
		}
	}
	rows, err := s.door.Query(ctx, insertEvents, array(ids), array(names), array(schemes), array(eventIDs), array(types),
		array(accounts), array(livemodes), array(workflowIDs), array(occurred), array(received), array(leases), array(masked),
		array(generations), array(headers), array(contentTypes), array(bodies), array(nexts))
	if err != nil {
		return nil, err
	}
	fresh := make(map[string]bool, n)
	var id string
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error { fresh[id] = true; return nil })
	return fresh, err
}

// array is s as the driver writes it without reflection on each element.
func array[T any](s []T) pgtype.FlatArray[T] { return s }

// Statements that change many rows lock them in the order of their ids first: two that lock the same rows in opposite
// order wait for each other.
const countDuplicates = `
WITH d AS (
	SELECT * FROM unnest($1::uuid[], $2::integer[]) AS d (id, n)
), locked AS MATERIALIZED (
	SELECT e.id FROM webhook_events e WHERE e.id IN (SELECT id FROM d) ORDER BY e.id FOR UPDATE
)
UPDATE webhook_events e SET duplicates = e.duplicates + d.n, last_duplicate_at = greatest(e.last_duplicate_at, $3)
FROM d JOIN locked USING (id) WHERE e.id = d.id
RETURNING e.id::text`

// CountDuplicates adds to the duplicate counters of rows, by id, and returns the ids that have no row (yet).
func (s *Store) CountDuplicates(ctx context.Context, counts map[string]int, now time.Time) (missing []string, err error) {
	ids, ns := make([]string, 0, len(counts)), make([]int32, 0, len(counts))
	for id, n := range counts {
		ids, ns = append(ids, id), append(ns, int32(n))
	}
	rows, err := s.door.Query(ctx, countDuplicates, ids, ns, now)
	if err != nil {
		return nil, err
	}
	var id string
	counted := make(map[string]bool, len(ids))
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error { counted[id] = true; return nil })
	return slices.DeleteFunc(ids, func(id string) bool { return counted[id] }), err
}

const readEvent = `
SELECT e.id::text, e.provider, e.scheme, e.event_id, e.event_type, coalesce(e.account, ''), e.livemode,
	e.occurred_at, e.received_at, e.body_masked, e.generation, b.headers, coalesce(b.content_type, ''), b.body
FROM webhook_events e LEFT JOIN webhook_bodies b USING (id) WHERE e.id = $1`

// ReadEvent returns the event with its body. It returns event.ErrNotFound without a row, event.ErrErased for a row whose
// content was erased.
func (s *Store) ReadEvent(ctx context.Context, id string) (event.Event, error) {
	var e event.Event
	var occurred *time.Time
	var headers []byte
	err := s.runs.QueryRow(ctx, readEvent, id).Scan(&e.ID, &e.Provider, &e.Scheme, &e.EventID, &e.Type, &e.Account, &e.Livemode,
		&occurred, &e.ReceivedAt, &e.BodyMasked, &e.Generation, &headers, &e.ContentType, &e.Body)
	switch {
	case err == pgx.ErrNoRows:
		return e, event.ErrNotFound
	case err != nil:
		return e, err
	case headers == nil:
		return e, event.ErrErased
	}
	if occurred != nil {
		e.OccurredAt = occurred.UTC()
	}
	e.ReceivedAt = e.ReceivedAt.UTC()
	return e, json.Unmarshal(headers, &e.Headers)
}
