package activities_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

// builtIn calls a built-in handler by its registered name.
func builtIn(t *testing.T) (call func(name string, e event.Event) error, url string) {
	t.Helper()
	s, url := testkit.Store(t, store.Options{})
	stripe := &activities.Stripe{Once: once(s), Now: clock}
	twilio := &activities.Twilio{Once: once(s), Now: clock}
	vapi := &activities.Vapi{Once: once(s), Now: clock}
	handlers := map[string]func(context.Context, event.Event) (json.RawMessage, error){
		"stripe.RecordCheckout": stripe.RecordCheckout, "twilio.RecordCall": twilio.RecordCall,
		"twilio.RecordMessage": twilio.RecordMessage, "vapi.RecordCall": vapi.RecordCall,
	}
	return func(name string, e event.Event) error {
		_, err := handlers[name](t.Context(), e)
		return err
	}, url
}

func TestHandlers_invalidPayload(t *testing.T) {
	t.Parallel()
	call, url := builtIn(t)
	for name, c := range map[string]struct{ activity, eventType, contentType, body string }{
		"not JSON":                      {"stripe.RecordCheckout", completedUnpaid, jsonType, `hello`},
		"no session":                    {"stripe.RecordCheckout", completedUnpaid, jsonType, `{"data":{"object":{}}}`},
		"a thin event":                  {"stripe.RecordCheckout", completedUnpaid, jsonType, `{"object":"v2.core.event","id":"evt_1"}`},
		"a session that is a list":      {"stripe.RecordCheckout", completedUnpaid, jsonType, `{"data":{"object":[]}}`},
		"an amount with a fraction":     {"stripe.RecordCheckout", completedUnpaid, jsonType, `{"data":{"object":{"id":"cs_1","amount_total":1.5}}}`},
		"an amount beyond bigint":       {"stripe.RecordCheckout", completedUnpaid, jsonType, `{"data":{"object":{"id":"cs_1","amount_total":9223372036854775808}}}`},
		"a type without a rule":         {"stripe.RecordCheckout", "checkout.session.paused", jsonType, `{"data":{"object":{"id":"cs_1"}}}`},
		"a call without a sid":          {"twilio.RecordCall", "call.ringing", formType, `CallStatus=ringing`},
		"a call without a status":       {"twilio.RecordCall", "call.ringing", formType, `CallSid=CA1`},
		"a form that cannot be read":    {"twilio.RecordCall", "call.ringing", formType, `CallSid=CA1&CallStatus=%zz`},
		"a message without a sid":       {"twilio.RecordMessage", "message.sent", formType, `MessageStatus=sent`},
		"a message without a status":    {"twilio.RecordMessage", "message.sent", formType, `MessageSid=SM1`},
		"a message that is a JSON list": {"twilio.RecordMessage", "message.sent", jsonType, `[{"MessageSid":"SM1"}]`},
		"no message":                    {"vapi.RecordCall", "status-update", jsonType, `{}`},
		"a message without a call":      {"vapi.RecordCall", "status-update", jsonType, `{"message":{"type":"status-update","status":"ended"}}`},
		"a call without its status":     {"vapi.RecordCall", "status-update", jsonType, `{"message":{"type":"status-update","call":{"id":"c"}}}`},
		"a cost that is a word":         {"vapi.RecordCall", "end-of-call-report", jsonType, `{"message":{"type":"end-of-call-report","cost":"much","call":{"id":"c"}}}`},
		"a cost beyond numeric":         {"vapi.RecordCall", "end-of-call-report", jsonType, `{"message":{"type":"end-of-call-report","cost":1e400000,"call":{"id":"c"}}}`},
		"a sid that no index holds":     {"twilio.RecordCall", "call.ringing", formType, `CallStatus=ringing&CallSid=` + noise(20_000)},
	} {
		t.Run(name, func(t *testing.T) {
			provider, _, _ := strings.Cut(c.activity, ".")
			err := call(c.activity, handled(provider, name, c.eventType, c.contentType, c.body))
			requireFinal(t, err, activities.InvalidPayload)
			require.NotContains(t, err.Error(), "much", "nothing of the content")
		})
	}
	for _, table := range []string{"stripe_checkout_sessions", "twilio_calls", "twilio_messages", "vapi_calls", "event_steps"} {
		require.Zero(t, testkit.Query[int](t, url, `SELECT count(*) FROM `+table), table)
	}
}

// noise is text that does not compress, so that no index can hold it.
func noise(n int) string {
	var b strings.Builder
	for state := uint32(1); b.Len() < n; {
		state = state*1664525 + 1013904223
		b.WriteByte("0123456789abcdef"[state>>28])
	}
	return b.String()
}

// Odd content does not stop an event: what a Postgres text cannot hold is dropped from it.
func TestHandlers_oddContent(t *testing.T) {
	t.Parallel()
	call, url := builtIn(t)
	for name, c := range map[string]struct{ activity, contentType, body, sql, want string }{
		"ids": {"stripe.RecordCheckout", jsonType,
			`{"data":{"object":{"id":"cs_ids","customer":"cus_1","payment_intent":"pi_1","subscription":null}}}`,
			`SELECT customer || payment_intent || coalesce(subscription, '-') FROM stripe_checkout_sessions WHERE session_id = 'cs_ids'`, "cus_1pi_1-"},
		"expanded objects": {"stripe.RecordCheckout", jsonType,
			`{"data":{"object":{"id":"cs_exp","customer":{"id":"cus_2","object":"customer"},"payment_intent":{"id":"pi_2"},"subscription":{"id":"sub_2","items":[1]}}}}`,
			`SELECT customer || payment_intent || subscription FROM stripe_checkout_sessions WHERE session_id = 'cs_exp'`, "cus_2pi_2sub_2"},
		"the largest amount": {"stripe.RecordCheckout", jsonType,
			`{"data":{"object":{"id":"cs_max","amount_total":9223372036854775807}}}`,
			`SELECT amount_total::text FROM stripe_checkout_sessions WHERE session_id = 'cs_max'`, "9223372036854775807"},
		"the address of the details counts more": {"stripe.RecordCheckout", jsonType,
			`{"data":{"object":{"id":"cs_mail","customer_email":"old@example.com","customer_details":{"email":"new@example.com"}}}}`,
			`SELECT customer_email FROM stripe_checkout_sessions WHERE session_id = 'cs_mail'`, "new@example.com"},
		"NUL in a session": {"stripe.RecordCheckout", jsonType,
			`{"data":{"object":{"id":"cs_nul","client_reference_id":"a\u0000b","customer_email":"x\u0000@example.com"}}}`,
			`SELECT client_reference_id || customer_email FROM stripe_checkout_sessions WHERE session_id = 'cs_nul'`, "a\uFFFDbx\uFFFD@example.com"},
		"NUL and invalid UTF-8 in a call": {"twilio.RecordCall", formType,
			`CallSid=CA_nul&CallStatus=ringing&From=%00%2B1&To=%ff&Direction=in%00bound`,
			`SELECT from_address || to_address || direction FROM twilio_calls WHERE call_sid = 'CA_nul'`, "\uFFFD+1\uFFFDin\uFFFDbound"},
		"numbers that are none": {"twilio.RecordCall", formType, `CallSid=CA_num&CallStatus=ringing&CallDuration=99999999999`,
			`SELECT coalesce(duration::text, 'none') FROM twilio_calls WHERE call_sid = 'CA_num'`, "none"},
		"a status nobody knows": {"twilio.RecordCall", formType, `CallSid=CA_new&CallStatus=teleported`,
			`SELECT status || status_rank FROM twilio_calls WHERE call_sid = 'CA_new'`, "teleported0"},
		"NUL in a message": {"twilio.RecordMessage", formType, `MessageSid=SM_nul&SmsStatus=received&From=%00wa&NumMedia=2`,
			`SELECT from_address || num_media FROM twilio_messages WHERE message_sid = 'SM_nul'`, "\uFFFDwa2"},
		"a message as JSON": {"twilio.RecordMessage", jsonType, `{"MessageSid":"SM_json","MessageStatus":"sent","NumMedia":0}`,
			`SELECT status || num_media FROM twilio_messages WHERE message_sid = 'SM_json'`, "sent0"},
		"NUL in a Vapi call": {"vapi.RecordCall", jsonType,
			`{"message":{"type":"end-of-call-report","endedReason":"a\u0000b","summary":"s\u0000","transcript":"t\u0000","artifact":{"recordingUrl":"u\u0000"},"call":{"id":"v_nul","orgId":"o\u0000"}}}`,
			`SELECT ended_reason || summary || transcript || recording_url || org_id FROM vapi_calls WHERE call_id = 'v_nul'`, "a\uFFFDbs\uFFFDt\uFFFDu\uFFFDo\uFFFD"},
		"a time that is none, and a cost in quotes": {"vapi.RecordCall", jsonType,
			`{"message":{"type":"end-of-call-report","startedAt":"yesterday","cost":"0.25","analysis":{"summary":"S"},"call":{"id":"v_odd"}}}`,
			`SELECT coalesce(started_at::text, 'none') || cost || summary FROM vapi_calls WHERE call_id = 'v_odd'`, "none0.25S"},
	} {
		t.Run(name, func(t *testing.T) {
			provider, _, _ := strings.Cut(c.activity, ".")
			require.NoError(t, call(c.activity, handled(provider, name, completedUnpaid, c.contentType, c.body)))
			require.Equal(t, c.want, testkit.Query[string](t, url, c.sql))
		})
	}
}
