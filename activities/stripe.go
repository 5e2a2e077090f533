package activities

import (
	"context"
	"encoding/json"
	"time"

	"hookflow/event"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
	"github.com/stripe/stripe-go/v79/checkout/session"
)

// Stripe handles Stripe's events. Its methods are registered as stripe.<Method>.
type Stripe struct {
	Once Once
	Now  func() time.Time
	// API retrieves sessions; nil without an API key.
	API *session.Client
}

// CheckoutResult is what the checkout handlers leave on the step.
type CheckoutResult struct {
	SessionID string `json:"session_id"`
	State     string `json:"state"`
	LineItems int    `json:"line_items,omitempty"` // how many were retrieved
}

// checkoutRank orders the states of a session. Events arrive in any order: async_payment_succeeded may come before
// completed, and an expired session cannot take back a payment.
var checkoutRank = map[string]int{"pending": 0, "expired": 1, "failed": 2, "paid": 3}

// RecordCheckout keeps stripe_checkout_sessions, one row per session, moved forward only. A completed session that is
// still unpaid (SEPA, ACH: the money arrives days later) is pending; a session is fulfilled once, by the first event that
// says it is paid (docs.stripe.com/checkout/fulfillment). The row holds content: the customer and the e-mail address.
//
// It fails with InvalidPayload when the event holds no session.
func (s *Stripe) RecordCheckout(ctx context.Context, e event.Event) (json.RawMessage, error) {
	var body struct {
		Data struct {
			Object checkoutSession `json:"object"`
		} `json:"data"`
	}
	if err := json.Unmarshal(e.Body, &body); err != nil || body.Data.Object.ID == "" {
		return nil, invalidPayload("the event holds no checkout session")
	}
	object := body.Data.Object
	state := checkoutState(e.Type, object.PaymentStatus)
	if state == "" {
		return nil, invalidPayload("no rule for a checkout event of type " + e.Type)
	}
	row := store.CheckoutSession{
		SessionID: object.ID, Account: e.Account, Livemode: e.Livemode, State: state, Rank: checkoutRank[state],
		PaymentStatus: object.PaymentStatus, Mode: object.Mode, Currency: object.Currency, AmountTotal: object.AmountTotal,
		Customer: string(object.Customer), CustomerEmail: object.email(), PaymentIntent: string(object.PaymentIntent),
		Subscription: string(object.Subscription), ClientReferenceID: object.ClientReferenceID, Event: e.ID,
	}
	if state == "paid" {
		row.FulfilledAt = s.Now()
	}
	effects := &pgx.Batch{}
	row.Queue(effects, s.Now())
	return s.Once.Batch(ctx, &e, effects, CheckoutResult{SessionID: object.ID, State: state})
}

func checkoutState(eventType, paymentStatus string) string {
	switch eventType {
	case "checkout.session.completed":
		if paymentStatus == "unpaid" {
			return "pending"
		}
		return "paid"
	case "checkout.session.async_payment_succeeded":
		return "paid"
	case "checkout.session.async_payment_failed":
		return "failed"
	case "checkout.session.expired":
		return "expired"
	}
	return ""
}

type checkoutSession struct {
	ID                string     `json:"id"`
	PaymentStatus     string     `json:"payment_status"`
	Mode              string     `json:"mode"`
	AmountTotal       *int64     `json:"amount_total"`
	Currency          string     `json:"currency"`
	Customer          expandable `json:"customer"`
	CustomerEmail     string     `json:"customer_email"`
	PaymentIntent     expandable `json:"payment_intent"`
	Subscription      expandable `json:"subscription"`
	ClientReferenceID string     `json:"client_reference_id"`
	CustomerDetails   struct {
		Email string `json:"email"`
	} `json:"customer_details"`
}

func (s checkoutSession) email() string {
	if s.CustomerDetails.Email != "" {
		return s.CustomerDetails.Email
	}
	return s.CustomerEmail
}

// expandable is an id, or an object that holds it (docs.stripe.com/api/expanding_objects).
type expandable string

// UnmarshalJSON reads "id", {"id": "id", …} and null.
func (x *expandable) UnmarshalJSON(raw []byte) error {
	var id string
	if json.Unmarshal(raw, &id) == nil {
		*x = expandable(id)
		return nil
	}
	var object struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(raw, &object)
	*x = expandable(object.ID)
	return err
}
