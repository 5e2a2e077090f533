package e2e_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
)

// stripeAPI behaves as Stripe's API does for checkout sessions, while it is not out of order.
type stripeAPI struct {
	outOfOrder atomic.Bool
}

// withStripeAPI lets the handlers retrieve sessions.
func (in *installation) withStripeAPI() (*installation, *stripeAPI) {
	in.t.Helper()
	api := &stripeAPI{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/checkout/sessions/{id}", api.session)
	listener := httptest.NewServer(mux)
	in.t.Cleanup(listener.Close)
	return in.with("STRIPE_API_KEY", "rk_test_"+rand.Text()).with("STRIPE_API_URL", listener.URL), api
}

func (a *stripeAPI) session(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if a.outOfOrder.Load() {
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"type": "api_error", "message": "out of order"}})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": r.PathValue("id"), "object": "checkout.session", "status": "complete", "payment_status": "paid",
		"line_items": map[string]any{"object": "list", "data": []any{map[string]any{"id": "li_1", "object": "item", "quantity": 1}}},
	})
}
