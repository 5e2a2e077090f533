package activities

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"hookflow/event"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/checkout/session"
	"go.temporal.io/sdk/temporal"
)

// stripeTimeout bounds one call of Stripe's API; the step's own start_to_close_timeout bounds all of an attempt.
const stripeTimeout = 20 * time.Second

// NewStripeAPI returns a client of Stripe's API for checkout sessions. An empty url means Stripe itself; calls go through
// transport, nil for http.DefaultTransport. It repeats nothing by itself: the step's retry policy does.
func NewStripeAPI(key, url string, transport http.RoundTripper) *session.Client {
	config := &stripe.BackendConfig{
		HTTPClient:        &http.Client{Timeout: stripeTimeout, Transport: transport},
		MaxNetworkRetries: stripe.Int64(0),
		// The SDK's own log would show the ids of requests and the text of errors.
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	}
	if url != "" {
		config.URL = stripe.String(url)
	}
	return &session.Client{B: stripe.GetBackendWithConfig(stripe.APIBackend, config), Key: key}
}

// StripeNotFound is the error type of a session that Stripe does not know under this key. No attempt can mend it.
const StripeNotFound = "StripeNotFound"

// RetrieveCheckout retrieves the session with its line items and keeps them in stripe_checkout_sessions. What Stripe says
// now counts more than the event: an event that came late does not hide a payment. The row then holds content: what was
// bought.
//
// It fails for good with InvalidPayload when the event holds no session, and with StripeNotFound.
func (s *Stripe) RetrieveCheckout(ctx context.Context, e event.Event) (json.RawMessage, error) {
	var body struct {
		Data struct {
			Object struct {
				ID string `json:"id"`
			} `json:"object"`
		} `json:"data"`
	}
	if err := json.Unmarshal(e.Body, &body); err != nil || body.Data.Object.ID == "" {
		return nil, invalidPayload("the event holds no checkout session")
	}
	if s.API == nil {
		return nil, temporal.NewNonRetryableApplicationError("STRIPE_API_KEY is not set", "NotConfigured", nil)
	}
	found, err := s.retrieve(ctx, body.Data.Object.ID, e.Account)
	if err != nil {
		return nil, stripeError(err)
	}
	items, err := json.Marshal(found.LineItems.Data)
	if err != nil {
		return nil, err
	}
	row := sessionRow(found, e)
	row.LineItems = items
	if row.State == "paid" {
		row.FulfilledAt = s.Now()
	}
	effects := &pgx.Batch{}
	row.Queue(effects, s.Now())
	return s.Once.Batch(ctx, &e, effects, CheckoutResult{SessionID: found.ID, State: row.State, LineItems: len(found.LineItems.Data)})
}

// retrieve returns the session with all of its line items: the session itself carries the first ten.
func (s *Stripe) retrieve(ctx context.Context, id, account string) (*stripe.CheckoutSession, error) {
	params := &stripe.CheckoutSessionParams{}
	params.Context = ctx
	params.AddExpand("line_items")
	list := &stripe.CheckoutSessionListLineItemsParams{Session: stripe.String(id)}
	list.Context = ctx
	list.Limit = stripe.Int64(100)
	if account != "" {
		params.SetStripeAccount(account)
		list.SetStripeAccount(account)
	}
	found, err := s.API.Get(id, params)
	if err != nil {
		return nil, err
	}
	if found.LineItems == nil {
		found.LineItems = &stripe.LineItemList{}
	}
	if !found.LineItems.HasMore {
		return found, nil
	}
	found.LineItems.Data = nil
	items := s.API.ListLineItems(list)
	for items.Next() {
		found.LineItems.Data = append(found.LineItems.Data, items.LineItem())
	}
	return found, items.Err()
}

func sessionRow(found *stripe.CheckoutSession, e event.Event) store.CheckoutSession {
	state := "pending"
	switch {
	case found.PaymentStatus != stripe.CheckoutSessionPaymentStatusUnpaid && found.Status == stripe.CheckoutSessionStatusComplete:
		state = "paid"
	case found.Status == stripe.CheckoutSessionStatusExpired:
		state = "expired"
	}
	row := store.CheckoutSession{
		SessionID: found.ID, Account: e.Account, Livemode: &found.Livemode, State: state, Rank: checkoutRank[state],
		PaymentStatus: string(found.PaymentStatus), Mode: string(found.Mode), AmountTotal: &found.AmountTotal,
		Currency: string(found.Currency), CustomerEmail: found.CustomerEmail, ClientReferenceID: found.ClientReferenceID, Event: e.ID,
	}
	if found.CustomerDetails != nil && found.CustomerDetails.Email != "" {
		row.CustomerEmail = found.CustomerDetails.Email
	}
	if found.Customer != nil {
		row.Customer = found.Customer.ID
	}
	if found.PaymentIntent != nil {
		row.PaymentIntent = found.PaymentIntent.ID
	}
	if found.Subscription != nil {
		row.Subscription = found.Subscription.ID
	}
	return row
}

// stripeError says what may be repeated: all but an unknown session. A wrong key may be corrected while the step waits.
// Stripe's message never holds a whole key; the parameters of the request stay out.
func stripeError(err error) error {
	var refused *stripe.Error
	if !errors.As(err, &refused) {
		return err
	}
	message := "Stripe answers " + strconv.Itoa(refused.HTTPStatusCode) + ": " + string(refused.Type) + " " + string(refused.Code)
	options := temporal.ApplicationErrorOptions{Cause: nil}
	switch refused.HTTPStatusCode {
	case http.StatusNotFound:
		options.NonRetryable = true
		return temporal.NewApplicationErrorWithOptions(message, StripeNotFound, options)
	case http.StatusTooManyRequests:
		if refused.LastResponse != nil {
			if seconds, err := strconv.Atoi(refused.LastResponse.Header.Get("Retry-After")); err == nil && seconds > 0 {
				options.NextRetryDelay = time.Duration(min(seconds, 3600)) * time.Second
			}
		}
	}
	return temporal.NewApplicationErrorWithOptions(message, "StripeError", options)
}
