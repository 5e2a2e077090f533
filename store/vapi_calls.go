package store

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// VapiCall is a row of vapi_calls. Empty strings and zero times are NULL, and NULL never overwrites.
type VapiCall struct {
	CallID, OrgID, AssistantID, CallType string
	Status                               string
	Rank                                 int // of Status: a higher one overwrites, a lower or equal one does not
	EndedReason                          string
	StartedAt, EndedAt                   time.Time
	Cost                                 string // decimal, US dollars
	Hangs                                int    // added to those known
	Summary, Transcript, RecordingURL    string
	Event                                string
}

var vapiCallHolding = holding{
	table: "vapi_calls", rows: ofObject("call_id", "sid"), content: []string{"summary", "transcript", "recording_url"},
	kept: []string{"provider", "call_id", "org_id", "assistant_id", "call_type", "status", "status_rank", "ended_reason", "started_at", "ended_at",
		"cost", "hangs", "event", "updated_at"},
}

const upsertVapiCall = `
INSERT INTO vapi_calls AS t (call_id, org_id, assistant_id, call_type, status, status_rank, ended_reason, started_at, ended_at,
	cost, hangs, summary, transcript, recording_url, event, updated_at, provider)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::numeric, $11, $12, $13, $14, $15, $16,
	coalesce((SELECT provider FROM webhook_events WHERE id = $15), 'vapi'))
ON CONFLICT (provider, call_id) DO UPDATE SET
	status = CASE WHEN excluded.status_rank > t.status_rank THEN excluded.status ELSE t.status END,
	event = CASE WHEN excluded.status_rank > t.status_rank THEN excluded.event ELSE t.event END,
	status_rank = greatest(t.status_rank, excluded.status_rank),
	org_id = coalesce(t.org_id, excluded.org_id),
	assistant_id = coalesce(t.assistant_id, excluded.assistant_id),
	call_type = coalesce(t.call_type, excluded.call_type),
	ended_reason = coalesce(excluded.ended_reason, t.ended_reason),
	started_at = coalesce(excluded.started_at, t.started_at),
	ended_at = coalesce(excluded.ended_at, t.ended_at),
	cost = coalesce(excluded.cost, t.cost),
	hangs = t.hangs + excluded.hangs,
	summary = coalesce(excluded.summary, t.summary),
	transcript = coalesce(excluded.transcript, t.transcript),
	recording_url = coalesce(excluded.recording_url, t.recording_url),
	updated_at = excluded.updated_at`

// Queue adds the upsert of c to b.
func (c VapiCall) Queue(b *pgx.Batch, now time.Time) {
	b.Queue(upsertVapiCall, c.CallID, text(c.OrgID), text(c.AssistantID), text(c.CallType), c.Status, c.Rank, text(c.EndedReason),
		when(c.StartedAt), when(c.EndedAt), text(c.Cost), c.Hangs, text(c.Summary), text(c.Transcript), text(c.RecordingURL), c.Event, now)
}
