package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
)

const recordColumns = `e.id::text, e.provider, e.scheme, e.event_id, e.event_type, e.account, e.livemode, e.status::text,
	e.generation, e.epoch, e.workflow_id, e.run_id, e.original_run_id, e.attempts, e.last_error, e.last_error_type,
	e.occurred_at, e.received_at, e.dispatched_at, e.dispatch_attempts, e.next_dispatch_at, e.lease_until,
	e.started_at, e.finished_at, e.duplicates, e.last_duplicate_at, e.body_masked`

// List returns a page of the ledger, newest first by (received_at, id).
func (s *Store) List(ctx context.Context, f event.Filter) (event.Page, error) {
	sql, args := listSQL(f)
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return event.Page{}, err
	}
	found, err := pgx.CollectRows(rows, scanRecord)
	if err != nil {
		return event.Page{}, err
	}
	page := event.Page{Events: found}
	if len(found) > f.Limit {
		page.Events = found[:f.Limit]
		last := page.Events[f.Limit-1]
		page.Next = &event.Cursor{ReceivedAt: last.ReceivedAt, ID: last.ID}
	}
	return page, nil
}

// listSQL asks for one row more than the limit, to know whether there is a next page.
func listSQL(f event.Filter) (string, []any) {
	var where []string
	var args []any
	and := func(condition string, values ...any) {
		places := make([]any, len(values))
		for i, v := range values {
			args = append(args, v)
			places[i] = fmt.Sprintf("$%d", len(args))
		}
		where = append(where, fmt.Sprintf(condition, places...))
	}
	from := "webhook_events e"
	if f.Contains != nil {
		from += " JOIN webhook_payloads p USING (id)"
		and("p.payload @> %s::jsonb", string(f.Contains))
	}
	if f.Provider != "" {
		and("e.provider = %s", f.Provider)
	}
	if f.Type != "" {
		and("e.event_type LIKE %s", likePattern(f.Type))
	}
	if f.Status != "" {
		// Written out, so that the partial indexes by status apply to prepared statements too.
		where = append(where, "e.status = '"+string(knownStatus(f.Status))+"'")
	}
	if f.Account != "" {
		and("e.account = %s", f.Account)
	}
	if !f.Since.IsZero() {
		and("e.received_at >= %s", f.Since)
	}
	if !f.Until.IsZero() {
		and("e.received_at < %s", f.Until)
	}
	if f.After != nil {
		and("(e.received_at, e.id) < (%s, %s::uuid)", f.After.ReceivedAt, f.After.ID)
	}
	condition := ""
	if len(where) > 0 {
		condition = " WHERE " + strings.Join(where, " AND ")
	}
	return "SELECT " + recordColumns + " FROM " + from + condition +
		fmt.Sprintf(" ORDER BY e.received_at DESC, e.id DESC LIMIT %d", f.Limit+1), args
}

// knownStatus keeps anything but the four words out of the statement.
func knownStatus(s event.Status) event.Status {
	for _, known := range event.Statuses {
		if s == known {
			return known
		}
	}
	return event.Pending
}

// likePattern turns a glob into LIKE: * is %, ? is _, all else is literal.
func likePattern(glob string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, `*`, `%`, `?`, `_`).Replace(glob)
}

func scanRecord(row pgx.CollectableRow) (event.Record, error) {
	var r event.Record
	err := row.Scan(recordFields(&r)...)
	inUTC(&r)
	return r, err
}

func recordFields(r *event.Record) []any {
	return []any{&r.ID, &r.Provider, &r.Scheme, &r.EventID, &r.EventType, &r.Account, &r.Livemode, &r.Status,
		&r.Generation, &r.Epoch, &r.WorkflowID, &r.RunID, &r.OriginalRunID, &r.Attempts, &r.LastError, &r.LastErrorType,
		&r.OccurredAt, &r.ReceivedAt, &r.DispatchedAt, &r.DispatchAttempts, &r.NextDispatchAt, &r.LeaseUntil,
		&r.StartedAt, &r.FinishedAt, &r.Duplicates, &r.LastDuplicateAt, &r.BodyMasked}
}

func inUTC(r *event.Record) {
	r.ReceivedAt = r.ReceivedAt.UTC()
	for _, t := range []*time.Time{r.OccurredAt, r.DispatchedAt, r.NextDispatchAt, r.LeaseUntil, r.StartedAt, r.FinishedAt, r.LastDuplicateAt} {
		if t != nil {
			*t = t.UTC()
		}
	}
}

const findEvent = `SELECT ` + recordColumns + `, b.headers, b.content_type, b.body, p.payload
FROM webhook_events e LEFT JOIN webhook_bodies b USING (id) LEFT JOIN webhook_payloads p USING (id) WHERE e.id = $1`

const findSteps = `SELECT step, epoch, status::text, attempts, error, error_type, started_at, finished_at, result
FROM event_steps WHERE event = $1 ORDER BY epoch, coalesce(started_at, finished_at), step`

// Find returns everything the ledger knows about the event with this uuid, or event.ErrNotFound.
func (s *Store) Find(ctx context.Context, id string) (event.Detail, error) {
	var d event.Detail
	var headers, payload []byte
	row := s.pool.QueryRow(ctx, findEvent, id)
	err := row.Scan(append(recordFields(&d.Record), &headers, &d.ContentType, &d.Body, &payload)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, event.ErrNotFound
	}
	if err != nil {
		return d, err
	}
	inUTC(&d.Record)
	d.Payload = payload
	if headers != nil {
		if err := json.Unmarshal(headers, &d.Headers); err != nil {
			return d, err
		}
	}
	rows, err := s.pool.Query(ctx, findSteps, id)
	if err != nil {
		return d, err
	}
	d.Steps, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (event.StepRecord, error) {
		var r event.StepRecord
		var result []byte
		err := row.Scan(&r.Step, &r.Epoch, &r.Status, &r.Attempts, &r.Error, &r.ErrorType, &r.StartedAt, &r.FinishedAt, &result)
		r.Result = result
		return r, err
	})
	return d, err
}
