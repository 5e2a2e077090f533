package store

import (
	"fmt"
	"slices"
	"strings"
)

// holding says where a table holds content of events, so that an erasure finds it. Every table has one, and every column
// of it is in one of the lists: a test compares them with the schema.
type holding struct {
	table string
	// content are the columns that an erasure empties; kept hold none, or what the ledger cannot do without.
	content, kept []string
	// whole rows are deleted.
	whole bool
	// rows is the condition for the rows of the event $1; where it is empty, nothing is erased.
	rows string
	// becomes is what a column is set to, where that is not NULL.
	becomes map[string]string
}

// holdings lists every table, in the order in which an erasure goes through them: the rows of business objects are found
// by the results of the event's steps, which come after.
var holdings = []holding{
	checkoutSessionHolding, callHolding, messageHolding, vapiCallHolding,
	{table: "event_steps", rows: "event = $1", content: []string{"error", "result"},
		kept: []string{"event", "step", "epoch", "status", "attempts", "error_type", "started_at", "finished_at"}},
	timelineHolding,
	{table: "webhook_bodies", rows: "id = $1", whole: true, content: []string{"headers", "content_type", "body"}, kept: []string{"id"}},
	{table: "webhook_payloads", rows: "id = $1", whole: true, content: []string{"payload"}, kept: []string{"id"}},
	{table: "webhook_events", rows: "id = $1", content: []string{"last_error"}, kept: []string{
		"id", "provider", "scheme", "event_id", "event_type", "account", "livemode", "status", "generation", "epoch", "workflow_id",
		"run_id", "original_run_id", "attempts", "last_error_type", "occurred_at", "received_at", "dispatched_at", "dispatch_attempts",
		"next_dispatch_at", "refused_since", "lease_until", "started_at", "finished_at", "duplicates", "last_duplicate_at", "body_masked", "plan_id", "note"}},
	{table: "installation", kept: []string{"ledger", "the_one"}},
	{table: "plans", kept: []string{"id", "plan"}}, // of the configuration
	// A filter may hold words of the events that it found.
	{table: "replays", rows: "id IN (SELECT replay FROM replay_events WHERE event = $1)", content: []string{"filter"},
		becomes: map[string]string{"filter": "filter - 'q' - 'error'"},
		kept: []string{"id", "state", "author", "begin_from", "rate", "created_at", "finished_at", "matched",
			"position", "skipped", "moved", "completed", "failed", "paced_at"}},
	{table: "destinations", kept: []string{"name", "configured_at", "paused_at", "paused_by", "pause_reason", "failures", "opened_at",
		"retry_at", "probe_by", "probe_until", "last_failure", "last_failure_at"}}, // the failure is a status or a kind, never an answer
	{table: "replay_events", kept: []string{"replay", "position", "event", "generation", "outcome"}},
}

// ofObject is the condition for the row of the business object that a step of the event wrote: Once leaves its key in the
// step's result, in the same transaction. Rows are keyed by source and object, and the source is the event's.
func ofObject(key, inResult string) string {
	return fmt.Sprintf("(provider, %s) IN (SELECT e.provider, s.result ->> '%s' FROM event_steps s JOIN webhook_events e ON e.id = s.event WHERE s.event = $1)", key, inResult)
}

// sql is the statement that erases, "" where there is nothing to erase. Its only argument is the event's uuid.
func (h holding) sql() string {
	switch {
	case h.rows == "":
		return ""
	case h.whole:
		return "DELETE FROM " + h.table + " WHERE " + h.rows
	}
	var set []string
	for _, column := range slices.Sorted(slices.Values(h.content)) {
		value := h.becomes[column]
		if value == "" {
			value = "NULL"
		}
		set = append(set, column+" = "+value)
	}
	return "UPDATE " + h.table + " SET " + strings.Join(set, ", ") + " WHERE " + h.rows
}
