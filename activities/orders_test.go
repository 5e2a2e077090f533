package activities_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

// permutations calls each with every order of items.
func permutations[T any](items []T, each func(n int, order []T)) {
	n := 0
	var place func(int)
	place = func(i int) {
		if i == len(items) {
			each(n, slices.Clone(items))
			n++
			return
		}
		for j := i; j < len(items); j++ {
			items[i], items[j] = items[j], items[i]
			place(i + 1)
			items[i], items[j] = items[j], items[i]
		}
	}
	place(0)
}

// subsets returns every choice of at least one item.
func subsets[T any](items []T) [][]T {
	var all [][]T
	for bits := 1; bits < 1<<len(items); bits++ {
		var chosen []T
		for i, item := range items {
			if bits&(1<<i) != 0 {
				chosen = append(chosen, item)
			}
		}
		all = append(all, chosen)
	}
	return all
}

// handled is an event of a step, unique by id.
func handled(provider, id, eventType, contentType, body string) event.Event {
	e := arrive(provider, id, eventType, contentType, body)
	e.Step = "record"
	return e
}

const (
	completedPaid   = "completed, paid"
	completedUnpaid = "checkout.session.completed"
	paidLater       = "checkout.session.async_payment_succeeded"
	notPaid         = "checkout.session.async_payment_failed"
	expired         = "checkout.session.expired"
)

// Stripe promises no order. Whatever part of a session's events has come, in whatever order, the furthest one counts.
func TestRecordCheckout_inAnyOrder(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	handler := &activities.Stripe{Once: once(s), Now: clock}
	rank := map[string]int{completedUnpaid: 0, expired: 1, notPaid: 2, paidLater: 3, completedPaid: 3}
	state := []string{"pending", "expired", "failed", "paid"}
	want := map[string]string{}
	record := func(session, eventType string, n int) {
		payment := "unpaid"
		if eventType == paidLater || eventType == completedPaid {
			payment = "paid"
		}
		if eventType == completedPaid {
			eventType = completedUnpaid
		}
		e := handled("stripe", fmt.Sprint(session, n), eventType, jsonType, fmt.Sprintf(
			`{"data":{"object":{"id":%q,"payment_status":%q,"amount_total":9007199254740993}}}`, session, payment))
		_, err := handler.RecordCheckout(t.Context(), e)
		require.NoError(t, err)
	}
	for _, first := range []string{completedUnpaid, completedPaid} {
		for i, chosen := range subsets([]string{first, paidLater, notPaid, expired}) {
			furthest := 0
			for _, eventType := range chosen {
				furthest = max(furthest, rank[eventType])
			}
			permutations(chosen, func(n int, order []string) {
				session := fmt.Sprintf("cs_%s_%d_%d", first, i, n)
				want[session] = state[furthest]
				for n, eventType := range order {
					record(session, eventType, n)
				}
			})
		}
	}
	require.Equal(t, want, column(t, url, `stripe_checkout_sessions`, `session_id`, `state`))
	require.Zero(t, testkit.Query[int](t, url, `SELECT count(*) FROM stripe_checkout_sessions
		WHERE (state = 'paid') <> (fulfilled_at IS NOT NULL) OR (state = 'paid') <> (payment_status = 'paid')
			OR amount_total <> 9007199254740993`))
}

// Callbacks of one call overtake each other; the furthest status stays, and what only the last one knows is kept.
func TestRecordCall_inAnyOrder(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	handler := &activities.Twilio{Once: once(s), Now: clock}
	want := map[string]string{}
	for _, end := range []string{"completed", "busy", "failed", "no-answer", "canceled"} {
		statuses := []string{"initiated", "ringing", "in-progress", end}
		if end == "completed" {
			statuses = append(statuses, "queued")
		}
		permutations(statuses, func(n int, order []string) {
			sid := fmt.Sprintf("CA_%s_%d", end, n)
			want[sid] = end
			for _, status := range order {
				body := "CallSid=" + sid + "&CallStatus=" + status + "&From=%2B15550001"
				if status == end {
					body += "&CallDuration=42&SipResponseCode=487"
				}
				result, err := handler.RecordCall(t.Context(), handled("twilio", sid+status, "call."+status, formType, body))
				require.NoError(t, err)
				require.JSONEq(t, fmt.Sprintf(`{"sid":%q,"status":%q}`, sid, status), string(result))
			}
		})
	}
	require.Equal(t, want, column(t, url, `twilio_calls`, `call_sid`, `status`))
	require.Zero(t, testkit.Query[int](t, url, `SELECT count(*) FROM twilio_calls
		WHERE duration <> 42 OR sip_response <> '487' OR from_address <> '+15550001' OR duration IS NULL`))
}

// Of two different ends, the first to arrive stays: neither is further than the other.
func TestRecordCall_twoEnds(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	handler := &activities.Twilio{Once: once(s), Now: clock}
	for _, ends := range [][2]string{{"completed", "busy"}, {"busy", "completed"}, {"no-answer", "canceled"}} {
		sid := "CA_" + ends[0]
		for _, status := range append(ends[:], "ringing") {
			_, err := handler.RecordCall(t.Context(), handled("twilio", sid+status, "call."+status, formType, "CallSid="+sid+"&CallStatus="+status))
			require.NoError(t, err)
		}
	}
	require.Equal(t, map[string]string{"CA_completed": "completed", "CA_busy": "busy", "CA_no-answer": "no-answer"},
		column(t, url, `twilio_calls`, `call_sid`, `status`))
}

func TestRecordMessage_inAnyOrder(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	handler := &activities.Twilio{Once: once(s), Now: clock}
	want := map[string]string{}
	for end, statuses := range map[string][]string{
		"read":        {"queued", "sent", "delivered", "read"},
		"undelivered": {"queued", "sending", "sent", "undelivered"},
		"failed":      {"accepted", "queued", "failed"},
		"received":    {"receiving", "received"},
	} {
		permutations(statuses, func(n int, order []string) {
			sid := fmt.Sprintf("SM_%s_%d", end, n)
			want[sid] = end
			for _, status := range order {
				body := "MessageSid=" + sid + "&MessageStatus=" + status + "&To=%2B15550002"
				if status == "undelivered" || status == "failed" {
					body += "&ErrorCode=30003"
				}
				_, err := handler.RecordMessage(t.Context(), handled("twilio", sid+status, "message."+status, formType, body))
				require.NoError(t, err)
			}
		})
	}
	require.Equal(t, want, column(t, url, `twilio_messages`, `message_sid`, `status`))
	require.Zero(t, testkit.Query[int](t, url, `SELECT count(*) FROM twilio_messages
		WHERE (status IN ('failed', 'undelivered')) <> (error_code IS NOT NULL)`))
}

func TestVapiRecordCall_inAnyOrder(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	handler := &activities.Vapi{Once: once(s), Now: clock}
	report := `"type":"end-of-call-report","endedReason":"customer-ended-call","cost":0.1234567890123456789,"summary":"A call.",
		"startedAt":"2026-01-01T11:59:00.000Z","endedAt":"2026-01-01T12:00:00.000Z",
		"artifact":{"recordingUrl":"https://recordings.example/1","transcript":"AI: Hello."}`
	messages := map[string]string{"report": report, "hang": `"type":"hang"`}
	for _, status := range []string{"scheduled", "queued", "ringing", "in-progress", "forwarding", "ended"} {
		messages[status] = `"type":"status-update","status":"` + status + `"`
	}
	want := map[string]string{}
	for _, words := range [][]string{
		{"queued", "ringing", "in-progress", "ended", "report"}, {"scheduled", "forwarding", "hang", "report"}, {"ringing", "ended", "hang", "report"},
	} {
		first := words[0]
		permutations(words, func(n int, order []string) {
			id := fmt.Sprintf("call_%s_%d", first, n)
			want[id] = "ended"
			for _, word := range order {
				body := `{"message":{` + messages[word] + `,"call":{"id":"` + id + `","orgId":"org"}}}`
				_, err := handler.RecordCall(t.Context(), handled("vapi", id+word, "any", jsonType, body))
				require.NoError(t, err)
			}
		})
	}
	require.Equal(t, want, column(t, url, `vapi_calls`, `call_id`, `status`))
	require.Zero(t, testkit.Query[int](t, url, `SELECT count(*) FROM vapi_calls WHERE NOT (
		ended_reason = 'customer-ended-call' AND cost = 0.1234567890123456789 AND summary = 'A call.' AND transcript = 'AI: Hello.'
		AND recording_url = 'https://recordings.example/1' AND ended_at - started_at = '1 minute' AND org_id = 'org'
		AND hangs = CASE WHEN call_id LIKE 'call\_queued%' THEN 0 ELSE 1 END)`))
}

// column returns one column of a table by another.
func column(t *testing.T, url, table, key, value string) map[string]string {
	t.Helper()
	raw := testkit.Query[string](t, url, fmt.Sprintf(`SELECT jsonb_object_agg(%s, %s)::text FROM %s`, key, value, table))
	var found map[string]string
	require.NoError(t, json.Unmarshal([]byte(raw), &found))
	return found
}
