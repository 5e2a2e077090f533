package store

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// Call is a row of twilio_calls. Empty strings and nil are NULL, and NULL never overwrites.
type Call struct {
	CallSid, AccountSid, ParentCallSid string
	Direction, From, To                string
	Status                             string
	Rank                               int  // of Status: a higher one overwrites, a lower or equal one does not
	Duration                           *int // seconds
	SipResponse                        string
	Event                              string
}

var callHolding = holding{
	table: "twilio_calls", rows: ofObject("call_sid", "sid"), content: []string{"from_address", "to_address"},
	kept: []string{"provider", "call_sid", "account_sid", "parent_call_sid", "direction", "status", "status_rank", "duration", "sip_response",
		"event", "updated_at"},
}

const upsertCall = `
INSERT INTO twilio_calls AS t (call_sid, account_sid, parent_call_sid, direction, from_address, to_address, status, status_rank,
	duration, sip_response, event, updated_at, provider)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
	coalesce((SELECT provider FROM webhook_events WHERE id = $11), 'twilio'))
ON CONFLICT (provider, call_sid) DO UPDATE SET
	status = CASE WHEN excluded.status_rank > t.status_rank THEN excluded.status ELSE t.status END,
	event = CASE WHEN excluded.status_rank > t.status_rank THEN excluded.event ELSE t.event END,
	status_rank = greatest(t.status_rank, excluded.status_rank),
	parent_call_sid = coalesce(t.parent_call_sid, excluded.parent_call_sid),
	direction = coalesce(t.direction, excluded.direction),
	from_address = coalesce(t.from_address, excluded.from_address),
	to_address = coalesce(t.to_address, excluded.to_address),
	duration = coalesce(excluded.duration, t.duration),
	sip_response = coalesce(excluded.sip_response, t.sip_response),
	updated_at = excluded.updated_at`

// Queue adds the upsert of c to b.
func (c Call) Queue(b *pgx.Batch, now time.Time) {
	b.Queue(upsertCall, c.CallSid, text(c.AccountSid), text(c.ParentCallSid), text(c.Direction), text(c.From), text(c.To),
		c.Status, c.Rank, c.Duration, text(c.SipResponse), c.Event, now)
}
