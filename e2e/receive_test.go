package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/samples"

	"github.com/stretchr/testify/require"
)

// handled says what becomes of a sample.
type handled struct {
	provider, sample string
	answer           string // a provider's own, "" for the JSON of the contract
	contentType      string
	step             string // the one step of its plan; "" for an event without a route
	row              string // of the handler, as SQL that is true once it is there
}

const jsonAnswer = "application/json"

var samplesHandled = []handled{
	{"stripe", "checkout.session.completed", "", jsonAnswer, "stripe.RecordCheckout", "SELECT state = 'paid' FROM stripe_checkout_sessions WHERE event = $1"},
	{"stripe", "checkout.session.completed.unpaid", "", jsonAnswer, "stripe.RecordCheckout", "SELECT state = 'pending' FROM stripe_checkout_sessions WHERE event = $1"},
	{"stripe", "checkout.session.async_payment_succeeded", "", jsonAnswer, "stripe.RecordCheckout", "SELECT fulfilled_at IS NOT NULL FROM stripe_checkout_sessions WHERE event = $1"},
	{"stripe", "checkout.session.expired", "", jsonAnswer, "stripe.RecordCheckout", "SELECT state = 'expired' FROM stripe_checkout_sessions WHERE event = $1"},
	{"stripe", "invoice.paid", "", jsonAnswer, "", ""},
	{"stripe", "v2.core.event_destination.ping", "", jsonAnswer, "", ""},
	{"twilio", "call.completed", "empty", "", "twilio.RecordCall", "SELECT status = 'completed' AND duration = 42 FROM twilio_calls WHERE event = $1"},
	{"twilio", "message.undelivered", "empty", "", "twilio.RecordMessage", "SELECT error_code IS NOT NULL FROM twilio_messages WHERE event = $1"},
	{"twilio", "message.received", "<Response/>", "text/xml", "twilio.RecordMessage", "SELECT status = 'received' FROM twilio_messages WHERE event = $1"},
	{"twilio", "call.incoming", "<Response><Say>", "text/xml", "twilio.RecordCall", "SELECT direction = 'inbound' FROM twilio_calls WHERE event = $1"},
	{"twilio", "recording.completed", "empty", "", "", ""},
	{"vapi", "status-update", "", jsonAnswer, "vapi.RecordCall", "SELECT status = 'in-progress' FROM vapi_calls WHERE event = $1"},
	{"vapi", "end-of-call-report", "", jsonAnswer, "vapi.RecordCall", "SELECT cost > 0 AND summary <> '' FROM vapi_calls WHERE event = $1"},
	{"vapi", "tool-calls", `"results"`, jsonAnswer, "", ""},
	{"vapi", "assistant-request", `"error"`, jsonAnswer, "", ""},
}

// Every provider's webhook is answered in the provider's words, made durable, run, and mirrored.
func TestWebhooksOfThreeProviders(t *testing.T) {
	t.Parallel()
	in := install(t).with("HOOKFLOW_TEMPORAL_UI_URL", "http://temporal.example.test")
	s := in.serve()
	for _, want := range samplesHandled {
		t.Run(want.provider+" "+want.sample, func(t *testing.T) {
			d := in.sample(want.provider, want.sample)
			requireAnswer(t, want, d, s.post(d), "accepted")
			requireAnswer(t, want, d, s.post(d), "duplicate")
			got := s.awaitStatus(d.key(), event.Completed)
			requireMirrored(t, want, d, got)
			requireRun(t, in, d, got)
			if want.row != "" {
				require.True(t, testkit.Query[bool](t, in.database, want.row, got.ID))
			}
		})
	}
	t.Run("a chatty type that no route names is ignored", func(t *testing.T) {
		d := in.sample("vapi", "speech-update")
		got := s.post(d)
		require.Equal(t, "200 ignored", describe(got))
		require.Equal(t, http.StatusNotFound, s.get("/v1/events/"+d.event.ID).status)
	})
	s.drain()
}

func requireAnswer(t *testing.T, want handled, d *delivery, got *reply, outcome string) {
	t.Helper()
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	require.Equal(t, d.event.ID, got.header.Get("Hookflow-Event-Id"))
	require.Equal(t, outcome, got.outcome())
	require.Equal(t, want.contentType, got.header.Get("Content-Type"))
	switch want.answer {
	case "":
		require.Equal(t, receipt{d.event.ID, d.key(), outcome}, got.receipt(t))
	case "empty":
		require.Empty(t, got.body)
	default:
		require.Contains(t, string(got.body), want.answer)
	}
}

// requireMirrored compares what /v1 tells with what was sent.
func requireMirrored(t *testing.T, want handled, d *delivery, got event.Detail) {
	t.Helper()
	require.Equal(t, d.event.ID, got.ID)
	require.Equal(t, want.provider, got.Provider)
	require.Equal(t, d.event.EventID, got.EventID)
	require.Equal(t, d.event.Type, got.EventType)
	require.Equal(t, d.event.WorkflowID(), got.WorkflowID)
	require.Nil(t, got.LastError)
	require.NotNil(t, got.StartedAt)
	require.NotNil(t, got.FinishedAt)
	require.Equal(t, d.header.Get("Content-Type"), *got.ContentType)
	for name := range got.Headers {
		require.NotContains(t, strings.ToLower(name), "signature", "no signature is kept")
	}
	if got.BodyMasked {
		require.Equal(t, string(d.event.Body), string(got.Body), "the masked body")
	} else {
		require.Equal(t, string(d.body), string(got.Body), "byte for byte")
	}
	requirePayload(t, d, got)
	if want.step == "" {
		require.Empty(t, got.Steps)
		return
	}
	require.Len(t, got.Steps, 1)
	require.Equal(t, want.step, got.Steps[0].Step)
	require.Equal(t, event.Completed, got.Steps[0].Status)
	require.Equal(t, 1, got.Steps[0].Attempts)
	require.NotNil(t, got.Steps[0].Result)
}

// requirePayload compares the decoded payload with the body: the same JSON, or an object of the form's fields.
func requirePayload(t *testing.T, d *delivery, got event.Detail) {
	t.Helper()
	if d.provider != "twilio" {
		require.JSONEq(t, string(got.Body), string(got.Payload))
		return
	}
	sent, err := url.ParseQuery(string(d.body))
	require.NoError(t, err)
	kept := map[string]string{}
	require.NoError(t, json.Unmarshal(got.Payload, &kept))
	require.Len(t, kept, len(sent))
	for name, value := range kept {
		require.Equal(t, sent.Get(name), value, name)
	}
}

var workflowTypes = map[string]string{"stripe": "StripeWebhook", "twilio": "TwilioWebhook", "vapi": "VapiWebhook"}

// requireRun looks the event up in Temporal.
func requireRun(t *testing.T, in *installation, d *delivery, got event.Detail) {
	t.Helper()
	var status string
	until(t, "the run is completed", func() bool {
		run, err := in.temporal.DescribeWorkflowExecution(t.Context(), d.provider+":"+d.event.EventID, "")
		if err != nil {
			return false
		}
		info := run.WorkflowExecutionInfo
		status = info.Status.String() + " " + info.Type.Name + " " + info.Execution.RunId
		return strings.HasPrefix(status, "Completed")
	})
	require.Equal(t, "Completed "+workflowTypes[d.provider]+" "+*got.RunID, status)
	require.NotNil(t, got.TemporalURL)
	require.Contains(t, *got.TemporalURL, "http://temporal.example.test/namespaces/"+in.env["TEMPORAL_NAMESPACE"]+"/workflows/")
	require.Contains(t, *got.TemporalURL, *got.RunID)
}

// Every sample that the package ships is taken by a server, signed as its provider signs.
func TestEverySampleIsTaken(t *testing.T) {
	t.Parallel()
	in := install(t)
	s := in.serve()
	var keys []string
	for _, provider := range []string{"stripe", "twilio", "vapi"} {
		for _, name := range samples.List(provider) {
			d := in.sample(provider, name)
			got := s.post(d)
			require.Equal(t, http.StatusOK, got.status, "%s %s: %s", provider, name, got.body)
			if got.outcome() == "accepted" {
				keys = append(keys, d.key())
			}
		}
	}
	require.GreaterOrEqual(t, len(keys), 18)
	s.awaitCompleted(keys...)
}
