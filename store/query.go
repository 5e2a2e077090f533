package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const recordColumns = `e.id::text, e.provider, e.scheme, e.event_id, e.event_type, e.account, e.livemode, e.status::text,
	e.generation, e.epoch, e.workflow_id, e.run_id, e.original_run_id, e.attempts, e.last_error, e.last_error_type,
	e.occurred_at, e.received_at, e.dispatched_at, e.dispatch_attempts, e.next_dispatch_at, e.refused_since, e.lease_until,
	e.started_at, e.finished_at, e.duplicates, e.last_duplicate_at, e.body_masked, e.plan_id::text, e.note`

// listTime bounds a listing. What cannot be answered within it is told to narrow itself.
const listTime = 2 * time.Second

// A listing is planned for its own values: types and accounts are as uneven as they come.
const listSettings = `SELECT set_config('statement_timeout', $1, true), set_config('plan_cache_mode', 'force_custom_plan', true)`

func queueListSettings(b *pgx.Batch) {
	b.Queue(listSettings, strconv.FormatInt(listTime.Milliseconds(), 10))
}

// List returns a page of the ledger by (received_at, id), the newest first unless f asks for the oldest. It returns event.ErrTooBroad when Postgres could
// not find the page within two seconds.
func (s *Store) List(ctx context.Context, f event.Filter) (event.Page, error) {
	sql, args := listSQL(f)
	batch := &pgx.Batch{}
	queueListSettings(batch)
	var found []event.Record
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, scanRecord)
		return err
	})
	if err := s.questions.SendBatch(ctx, batch).Close(); err != nil {
		return event.Page{}, tooBroad(err)
	}
	page := event.Page{Events: found}
	if len(found) > f.Limit {
		page.Events = found[:f.Limit]
		last := page.Events[f.Limit-1]
		page.Next = &event.Cursor{ReceivedAt: last.ReceivedAt, ID: last.ID}
	}
	return page, nil
}

// codeQueryCanceled is what a statement that ran into its time-out ends with.
const codeQueryCanceled = "57014"

// tooBroad turns the end of a statement that ran into its time-out into event.ErrTooBroad.
func tooBroad(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == codeQueryCanceled {
		return event.ErrTooBroad
	}
	return err
}

// conditions gathers the filter of a listing with its arguments.
type conditions struct {
	where []string
	args  []any
}

// value adds an argument and returns its place in the statement.
func (c *conditions) value(v any) string {
	c.args = append(c.args, v)
	return fmt.Sprintf("$%d", len(c.args))
}

// and adds a condition, with a %s for each value.
func (c *conditions) and(condition string, values ...any) {
	places := make([]any, len(values))
	for i, v := range values {
		places[i] = c.value(v)
	}
	c.where = append(c.where, fmt.Sprintf(condition, places...))
}

func (c *conditions) sql() string {
	if len(c.where) == 0 {
		return "true"
	}
	return strings.Join(c.where, " AND ")
}

// narrowed gathers the conditions of f on the row, but for the type, the payload and the place.
func narrowed(f event.Filter) *conditions {
	c := &conditions{}
	if f.Provider != "" {
		c.and("e.provider = %s", f.Provider)
	}
	if f.Status != "" {
		// Written out, so that the partial indexes by status apply.
		c.where = append(c.where, "e.status = '"+string(knownStatus(f.Status))+"'")
	}
	if f.Account != "" {
		c.and("e.account = %s", f.Account)
	}
	if f.Note != "" {
		c.and("e.note = %s", string(f.Note)) // which implies the predicate of the partial index
	}
	if f.ErrorType != "" {
		c.and("e.last_error_type = %s", f.ErrorType)
	}
	if f.Error != "" {
		// Not LIKE, in which a percent sign would mean something. What lower knows of letters beyond ASCII is the locale's.
		c.and("strpos(lower(e.last_error), lower(%s)) > 0", f.Error)
		if f.Status == "" && f.ErrorType == "" {
			// So that the partial index applies. Beside a status Postgres would take it for another, independent rarity.
			c.where = append(c.where, "e.last_error IS NOT NULL")
		}
	}
	if !f.Since.IsZero() {
		c.and("e.received_at >= %s", f.Since)
	}
	if !f.Until.IsZero() {
		c.and("e.received_at < %s", f.Until)
	}
	return c
}

// listSQL asks for one row more than the limit, to know whether there is a next page.
func listSQL(f event.Filter) (string, []any) {
	c := narrowed(f)
	beyond, direction := "<", "DESC"
	if f.Oldest {
		beyond, direction = ">", "ASC"
	}
	if f.After != nil {
		c.and("(e.received_at, e.id) "+beyond+" (%s, %s::uuid)", f.After.ReceivedAt, f.After.ID)
	}
	order := fmt.Sprintf(" ORDER BY e.received_at %[1]s, e.id %[1]s LIMIT %[2]d", direction, f.Limit+1)
	switch {
	case f.Contains != nil:
		return listContaining(f, c, order)
	case strings.ContainsAny(f.Type, "*?"):
		return listOfTypes(f, c, order)
	case f.Type != "":
		c.and("e.event_type = %s", f.Type)
	}
	return "SELECT " + recordColumns + " FROM webhook_events e WHERE " + c.sql() + order, c.args
}

// listContaining finds the payloads first: the index on them is the only one that helps.
func listContaining(f event.Filter, c *conditions, order string) (string, []any) {
	if f.Type != "" {
		c.and("e.event_type LIKE %s", likePattern(f.Type))
	}
	where := c.sql()
	c.and("%s::jsonb", string(f.Contains))
	return "WITH hit AS MATERIALIZED (SELECT id FROM webhook_payloads WHERE payload @> " + c.where[len(c.where)-1] + ") " +
		"SELECT " + recordColumns + " FROM hit JOIN webhook_events e USING (id) WHERE " + where + order, c.args
}

// listOfTypes finds the types that a glob means, of which there are some hundreds at most, by walking from one to the
// next on the index, and then takes the first rows of each.
func listOfTypes(f event.Filter, c *conditions, order string) (string, []any) {
	where := c.sql()
	c.and("%s", likePattern(f.Type))
	pattern := c.where[len(c.where)-1]
	c.and("%s", literalPrefix(f.Type))
	prefix := c.where[len(c.where)-1]
	return `WITH RECURSIVE types AS (
	(SELECT event_type FROM webhook_events WHERE event_type ~>=~ ` + prefix + ` ORDER BY event_type USING ~<~ LIMIT 1)
	UNION ALL
	SELECT (SELECT n.event_type FROM webhook_events n WHERE n.event_type ~>~ types.event_type ORDER BY n.event_type USING ~<~ LIMIT 1)
	FROM types WHERE types.event_type IS NOT NULL AND starts_with(types.event_type, ` + prefix + `)
)
SELECT ` + recordColumns + ` FROM types CROSS JOIN LATERAL (
	SELECT * FROM webhook_events e WHERE e.event_type = types.event_type AND ` + where + order + `) e
WHERE types.event_type LIKE ` + pattern + order, c.args
}

// literalPrefix is what every type that a glob means begins with.
func literalPrefix(glob string) string {
	if i := strings.IndexAny(glob, "*?"); i >= 0 {
		return glob[:i]
	}
	return glob
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
		&r.OccurredAt, &r.ReceivedAt, &r.DispatchedAt, &r.DispatchAttempts, &r.NextDispatchAt, &r.RefusedSince, &r.LeaseUntil,
		&r.StartedAt, &r.FinishedAt, &r.Duplicates, &r.LastDuplicateAt, &r.BodyMasked, &r.PlanID, &r.Note}
}

func inUTC(r *event.Record) {
	r.ReceivedAt = r.ReceivedAt.UTC()
	for _, t := range []*time.Time{r.OccurredAt, r.DispatchedAt, r.NextDispatchAt, r.RefusedSince, r.LeaseUntil, r.StartedAt, r.FinishedAt, r.LastDuplicateAt} {
		if t != nil {
			*t = t.UTC()
		}
	}
}

const findEvent = `SELECT ` + recordColumns + `, b.headers, b.content_type, b.body, p.payload, plans.plan
FROM webhook_events e LEFT JOIN webhook_bodies b USING (id) LEFT JOIN webhook_payloads p USING (id)
	LEFT JOIN plans ON plans.id = e.plan_id
WHERE e.id = $1`

// In the order of the newest run's plan; what an older one had beside it comes after, by time.
const findSteps = `SELECT s.step, s.epoch, s.status::text, s.attempts, s.error, s.error_type, s.started_at, s.finished_at, s.result
FROM event_steps s LEFT JOIN (
	SELECT planned ->> 'name' AS step, place
	FROM webhook_events e JOIN plans ON plans.id = e.plan_id
	CROSS JOIN jsonb_array_elements(plans.plan -> 'steps') WITH ORDINALITY AS p (planned, place)
	WHERE e.id = $1
) p USING (step)
WHERE s.event = $1 ORDER BY s.epoch, p.place, coalesce(s.started_at, s.finished_at), s.step`

// Find returns everything the ledger knows about the event with this uuid, or event.ErrNotFound.
func (s *Store) Find(ctx context.Context, id string) (event.Detail, error) {
	var d event.Detail
	var written []event.Moment
	var headers, payload, plan []byte
	batch := &pgx.Batch{}
	batch.Queue(findEvent, id).QueryRow(func(row pgx.Row) error {
		return row.Scan(append(recordFields(&d.Record), &headers, &d.ContentType, &d.Body, &payload, &plan)...)
	})
	batch.Queue(findSteps, id).Query(func(rows pgx.Rows) (err error) {
		d.Steps, err = pgx.CollectRows(rows, scanStep)
		return err
	})
	batch.Queue(readTimeline, id).Query(func(rows pgx.Rows) (err error) {
		written, err = pgx.CollectRows(rows, scanMoment)
		return err
	})
	err := s.questions.SendBatch(ctx, batch).Close()
	if errors.Is(err, pgx.ErrNoRows) {
		return d, event.ErrNotFound
	}
	if err != nil {
		return d, err
	}
	inUTC(&d.Record)
	d.Payload, d.Plan = payload, plan
	d.Timeline = event.Timeline(d.Record, append(written, event.LateAnswers(d.Steps)...))
	if headers != nil {
		err = json.Unmarshal(headers, &d.Headers)
	}
	return d, err
}

func scanStep(row pgx.CollectableRow) (event.StepRecord, error) {
	var r event.StepRecord
	var result []byte
	err := row.Scan(&r.Step, &r.Epoch, &r.Status, &r.Attempts, &r.Error, &r.ErrorType, &r.StartedAt, &r.FinishedAt, &result)
	for _, t := range []*time.Time{r.StartedAt, r.FinishedAt} {
		if t != nil {
			*t = t.UTC()
		}
	}
	r.Result = result
	return r, err
}
