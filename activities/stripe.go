package activities

import (
	"context"
	"encoding/json"
	"time"

	"hookflow/event"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
)

// Stripe handles Stripe's events. Its methods are registered as stripe.<Method>.
type Stripe struct {
	Once Once
	Now  func() time.Time
}

// CheckoutResult is what RecordCheckout leaves on the step.
type CheckoutResult struct {
	SessionID string `json:"session_id"`
	State     string `json:"state"`
}

// checkoutRank orders the states of a session. Events arrive in any order: async_payment_succeeded may come before
// completed, and an expired session cannot take back a payment.
var checkoutRank = map[string]int{"pending": 0, "expired": 1, "failed": 2, "paid": 3}

// RecordCheckout keeps stripe_checkout_sessions, one row per session, moved forward only. A completed session that is
// still unpaid (SEPA, ACH: the money arrives days later) is pending and must not be fulfilled
// (docs.stripe.com/checkout/fulfillment). The row holds content: the customer and the e-mail address.
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
	session := body.Data.Object
	state := checkoutState(e.Type, session.PaymentStatus)
	if state == "" {
		return nil, invalidPayload("no rule for a checkout event of type " + e.Type)
	}
	row := store.CheckoutSession{
		SessionID: session.ID, Account: e.Account, Livemode: e.Livemode, State: state, Rank: checkoutRank[state],
		PaymentStatus: session.PaymentStatus, Mode: session.Mode, Currency: session.Currency, AmountTotal: session.AmountTotal,
		Customer: string(session.Customer), CustomerEmail: session.email(), PaymentIntent: string(session.PaymentIntent),
		Subscription: string(session.Subscription), ClientReferenceID: session.ClientReferenceID, Event: e.ID,
	}
	if state == "paid" {
		row.PaidAt = s.Now()
	}
	effects := &pgx.Batch{}
	row.Queue(effects, s.Now())
	return s.Once.Batch(ctx, &e, effects, CheckoutResult{session.ID, state})
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
