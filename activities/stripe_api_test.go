package activities_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

// stripeServer behaves as Stripe's API does for one session of twelve line items, of which a session carries ten.
func stripeServer(t *testing.T, paymentStatus string, refuse func(w http.ResponseWriter) bool) (url string, calls *atomic.Int32) {
	t.Helper()
	calls = &atomic.Int32{}
	items := func(from, to int) []map[string]any {
		var list []map[string]any
		for i := from; i < to; i++ {
			list = append(list, map[string]any{"id": fmt.Sprintf("li_%02d", i), "object": "item", "quantity": 1, "amount_total": 9007199254740993})
		}
		return list
	}
	write := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		require.NoError(t, json.NewEncoder(w).Encode(v))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/checkout/sessions/cs_1", func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if refuse != nil && refuse(w) {
			return
		}
		require.Equal(t, "Bearer sk_test_of_this_test", r.Header.Get("Authorization"))
		require.Equal(t, "acct_1", r.Header.Get("Stripe-Account"))
		require.Equal(t, "line_items", r.URL.Query().Get("expand[0]"))
		write(w, map[string]any{
			"id": "cs_1", "object": "checkout.session", "status": "complete", "payment_status": paymentStatus, "currency": "eur",
			"amount_total": 2198, "customer_details": map[string]any{"email": "jenny@example.com"}, "customer": "cus_1",
			"line_items": map[string]any{"object": "list", "has_more": true, "data": items(0, 10)},
		})
	})
	mux.HandleFunc("GET /v1/checkout/sessions/cs_1/line_items", func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "acct_1", r.Header.Get("Stripe-Account"))
		if r.URL.Query().Get("starting_after") == "" {
			write(w, map[string]any{"object": "list", "has_more": true, "data": items(0, 7)})
			return
		}
		write(w, map[string]any{"object": "list", "has_more": false, "data": items(7, 12)})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, calls
}

func checkout(eventType string) event.Event {
	e := event.Event{
		Provider: "stripe", Scheme: "stripe", EventID: "evt_" + eventType, Type: eventType, Account: "acct_1", Step: "retrieve",
		ContentType: "application/json", ReceivedAt: time.Now(),
		Body: []byte(`{"data":{"object":{"id":"cs_1","payment_status":"unpaid"}}}`),
	}
	e.ID = event.ID(e.Key())
	return e
}

func TestRetrieveCheckout(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	api, calls := stripeServer(t, "paid", nil)
	once := activities.Once{Store: s, Now: time.Now}
	stripe := &activities.Stripe{Once: once, Now: time.Now, API: activities.NewStripeAPI("sk_test_of_this_test", api, nil)}
	e := checkout("checkout.session.completed")
	result, err := stripe.RetrieveCheckout(t.Context(), e)
	require.NoError(t, err)
	require.JSONEq(t, `{"session_id":"cs_1","state":"paid","line_items":12}`, string(result))
	require.Equal(t, 12, testkit.Query[int](t, url, `SELECT jsonb_array_length(line_items) FROM stripe_checkout_sessions`))
	require.Equal(t, "9007199254740993", testkit.Query[string](t, url, `SELECT line_items->0->>'amount_total' FROM stripe_checkout_sessions`))
	require.Equal(t, e.ID, testkit.Query[string](t, url, `SELECT fulfilled_by::text FROM stripe_checkout_sessions`))
	first := testkit.Query[time.Time](t, url, `SELECT fulfilled_at FROM stripe_checkout_sessions`)

	// Another event of the same session does not fulfil it again, and a repeated attempt changes nothing.
	other := checkout("checkout.session.async_payment_succeeded")
	_, err = stripe.RetrieveCheckout(t.Context(), other)
	require.NoError(t, err)
	repeated, err := stripe.RetrieveCheckout(t.Context(), e)
	require.NoError(t, err)
	require.JSONEq(t, string(result), string(repeated))
	require.Equal(t, first, testkit.Query[time.Time](t, url, `SELECT fulfilled_at FROM stripe_checkout_sessions`))
	require.Equal(t, e.ID, testkit.Query[string](t, url, `SELECT fulfilled_by::text FROM stripe_checkout_sessions`))
	require.EqualValues(t, 3, calls.Load())
}

func TestRetrieveCheckoutRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status    int
		errorType string
		final     bool
		delay     time.Duration
	}{
		{http.StatusTooManyRequests, "StripeError", false, 7 * time.Second},
		{http.StatusUnauthorized, "StripeError", false, 0},
		{http.StatusInternalServerError, "StripeError", false, 0},
		{http.StatusNotFound, activities.StripeNotFound, true, 0},
	} {
		t.Run(http.StatusText(c.status), func(t *testing.T) {
			t.Parallel()
			s, _ := testkit.Store(t, store.Options{})
			api, calls := stripeServer(t, "paid", func(w http.ResponseWriter) bool {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(`{"error":{"type":"invalid_request_error","message":"canary of the customer"}}`))
				return true
			})
			stripe := &activities.Stripe{Once: activities.Once{Store: s, Now: time.Now}, Now: time.Now, API: activities.NewStripeAPI("sk_test_of_this_test", api, nil)}
			_, err := stripe.RetrieveCheckout(t.Context(), checkout("checkout.session.completed"))
			var application *temporal.ApplicationError
			require.True(t, errors.As(err, &application), "%v", err)
			require.Equal(t, c.errorType, application.Type())
			require.Equal(t, c.final, application.NonRetryable())
			require.Equal(t, c.delay, application.NextRetryDelay())
			require.NotContains(t, err.Error(), "canary")
			require.EqualValues(t, 1, calls.Load(), "the step's policy repeats, not the SDK")
		})
	}
}
