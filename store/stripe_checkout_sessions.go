package store

import (
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
)

// CheckoutSession is a row of stripe_checkout_sessions. Empty strings and nil are NULL, and NULL never overwrites.
type CheckoutSession struct {
	SessionID, Account, State     string
	Rank                          int // of State: a higher one overwrites, a lower or equal one does not
	PaymentStatus, Mode, Currency string
	Customer, CustomerEmail       string
	PaymentIntent, Subscription   string
	ClientReferenceID             string
	Livemode                      *bool
	AmountTotal                   *int64 // in the currency's smallest unit
	LineItems                     json.RawMessage
	FulfilledAt                   time.Time // kept once, with the event that brought it
	Event                         string
}

var checkoutSessionHolding = holding{
	table: "stripe_checkout_sessions", rows: ofObject("session_id", "session_id"),
	content: []string{"customer", "customer_email", "client_reference_id", "line_items"},
	kept: []string{"provider", "session_id", "account", "livemode", "state", "state_rank", "payment_status", "mode", "amount_total", "currency",
		"payment_intent", "subscription", "fulfilled_at", "fulfilled_by", "event", "updated_at"},
}

const upsertCheckoutSession = `
INSERT INTO stripe_checkout_sessions AS t (session_id, account, livemode, state, state_rank, payment_status, mode, amount_total,
	currency, customer, customer_email, payment_intent, subscription, client_reference_id, line_items,
	fulfilled_at, fulfilled_by, event, updated_at, provider)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::jsonb, $16, CASE WHEN $16::timestamptz IS NOT NULL THEN $17::uuid END, $17, $18,
	coalesce((SELECT provider FROM webhook_events WHERE id = $17), 'stripe'))
ON CONFLICT (provider, session_id) DO UPDATE SET
	state = CASE WHEN excluded.state_rank > t.state_rank THEN excluded.state ELSE t.state END,
	payment_status = CASE WHEN excluded.state_rank > t.state_rank THEN excluded.payment_status ELSE t.payment_status END,
	event = CASE WHEN excluded.state_rank > t.state_rank THEN excluded.event ELSE t.event END,
	state_rank = greatest(t.state_rank, excluded.state_rank),
	mode = coalesce(t.mode, excluded.mode),
	amount_total = coalesce(t.amount_total, excluded.amount_total),
	currency = coalesce(t.currency, excluded.currency),
	customer = coalesce(t.customer, excluded.customer),
	customer_email = coalesce(t.customer_email, excluded.customer_email),
	payment_intent = coalesce(t.payment_intent, excluded.payment_intent),
	subscription = coalesce(t.subscription, excluded.subscription),
	client_reference_id = coalesce(t.client_reference_id, excluded.client_reference_id),
	line_items = coalesce(excluded.line_items, t.line_items),
	fulfilled_by = CASE WHEN t.fulfilled_at IS NULL THEN excluded.fulfilled_by ELSE t.fulfilled_by END,
	fulfilled_at = coalesce(t.fulfilled_at, excluded.fulfilled_at),
	updated_at = excluded.updated_at`

// Queue adds the upsert of c to b.
func (c CheckoutSession) Queue(b *pgx.Batch, now time.Time) {
	b.Queue(upsertCheckoutSession, c.SessionID, text(c.Account), c.Livemode, c.State, c.Rank, text(c.PaymentStatus), text(c.Mode),
		c.AmountTotal, text(c.Currency), text(c.Customer), text(c.CustomerEmail), text(c.PaymentIntent), text(c.Subscription),
		text(c.ClientReferenceID), jsonText(c.LineItems), when(c.FulfilledAt), c.Event, now)
}
