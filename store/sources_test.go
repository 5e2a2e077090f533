package store_test

import (
	"encoding/json"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Whoever holds the secret of one source changes nothing of another's objects.
func TestBusinessRowsBelongToTheirSource(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	of := func(source, id string) *event.Event {
		e := &event.Event{Provider: source, Scheme: "stripe", EventID: id, Type: "t", ReceivedAt: noon, Step: "a", Body: []byte(`{}`)}
		e.ID = event.ID(e.Key())
		_, err := s.InsertEvents(t.Context(), []store.Arrival{{Event: e}})
		require.NoError(t, err)
		return e
	}
	write := func(e *event.Event, queue func(*pgx.Batch, string)) {
		effects := &pgx.Batch{}
		queue(effects, e.ID)
		_, err := s.CompleteStep(t.Context(), e, effects, json.RawMessage(`{}`), noon)
		require.NoError(t, err)
	}
	for i, queue := range []func(*pgx.Batch, string){
		func(b *pgx.Batch, id string) {
			store.CheckoutSession{SessionID: "cs_1", State: "pending", Event: id}.Queue(b, noon)
		},
		func(b *pgx.Batch, id string) { store.Call{CallSid: "CA1", Status: "ringing", Event: id}.Queue(b, noon) },
		func(b *pgx.Batch, id string) {
			store.Message{MessageSid: "SM1", Status: "sent", Event: id}.Queue(b, noon)
		},
		func(b *pgx.Batch, id string) {
			store.VapiCall{CallID: "c1", Status: "queued", Event: id}.Queue(b, noon)
		},
	} {
		for _, source := range []string{"stripe", "other"} {
			write(of(source, string(rune('a'+i))), queue)
		}
	}
	paid := of("other", "paid")
	write(paid, func(b *pgx.Batch, id string) {
		store.CheckoutSession{SessionID: "cs_1", State: "paid", Rank: 3, Event: id}.Queue(b, noon)
	})
	require.Equal(t, "pending", testkit.Query[string](t, url, `SELECT state FROM stripe_checkout_sessions WHERE provider = 'stripe'`))
	require.Equal(t, "paid", testkit.Query[string](t, url, `SELECT state FROM stripe_checkout_sessions WHERE provider = 'other'`))
	for _, table := range []string{"stripe_checkout_sessions", "twilio_calls", "twilio_messages", "vapi_calls"} {
		require.Equal(t, 2, testkit.Query[int](t, url, `SELECT count(*)::int FROM `+table), table)
	}
}
