package store

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// Message is a row of twilio_messages. Empty strings and nil are NULL, and NULL never overwrites.
type Message struct {
	MessageSid, AccountSid, From, To string
	Status                           string
	Rank                             int // of Status: a higher one overwrites, a lower or equal one does not
	ErrorCode                        string
	NumMedia                         *int
	Event                            string
}

var messageHolding = holding{
	table: "twilio_messages", rows: ofObject("message_sid", "sid"), content: []string{"from_address", "to_address"},
	kept: []string{"provider", "message_sid", "account_sid", "status", "status_rank", "error_code", "num_media", "event", "updated_at"},
}

const upsertMessage = `
INSERT INTO twilio_messages AS t (message_sid, account_sid, from_address, to_address, status, status_rank, error_code, num_media,
	event, updated_at, provider)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
	coalesce((SELECT provider FROM webhook_events WHERE id = $9), 'twilio'))
ON CONFLICT (provider, message_sid) DO UPDATE SET
	status = CASE WHEN excluded.status_rank > t.status_rank THEN excluded.status ELSE t.status END,
	event = CASE WHEN excluded.status_rank > t.status_rank THEN excluded.event ELSE t.event END,
	status_rank = greatest(t.status_rank, excluded.status_rank),
	from_address = coalesce(t.from_address, excluded.from_address),
	to_address = coalesce(t.to_address, excluded.to_address),
	error_code = coalesce(excluded.error_code, t.error_code),
	num_media = coalesce(t.num_media, excluded.num_media),
	updated_at = excluded.updated_at`

// Queue adds the upsert of m to b.
func (m Message) Queue(b *pgx.Batch, now time.Time) {
	b.Queue(upsertMessage, m.MessageSid, text(m.AccountSid), text(m.From), text(m.To), m.Status, m.Rank, text(m.ErrorCode),
		m.NumMedia, m.Event, now)
}
