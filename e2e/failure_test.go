package e2e_test

import (
	"compress/gzip"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"hookflow/event"
	"hookflow/providers"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// sentry keeps the envelopes that reach it (develop.sentry.dev/sdk/data-model/envelopes).
type sentry struct {
	mu        sync.Mutex
	envelopes []string
}

// withSentry reports to a local server instead of to nobody.
func (in *installation) withSentry() (*installation, *sentry) {
	in.t.Helper()
	kept := &sentry{}
	listener := httptest.NewServer(kept)
	in.t.Cleanup(listener.Close)
	return in.with("SENTRY_DSN", strings.Replace(listener.URL, "http://", "http://key@", 1)+"/1"), kept
}

func (s *sentry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if from, err = gzip.NewReader(r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	body, err := io.ReadAll(from)
	if err != nil || r.URL.Path != "/api/1/envelope/" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.envelopes = append(s.envelopes, string(body))
	_, _ = w.Write([]byte("{}"))
}

// events returns the envelopes that report an event.
func (s *sentry) events() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for _, envelope := range s.envelopes {
		if strings.Contains(envelope, `"type":"event"`) {
			found = append(found, envelope)
		}
	}
	return found
}

// sentryEvent is what an operator sees of a report.
type sentryEvent struct {
	EventID string `json:"event_id"`
	Tags    map[string]string
}

func readEnvelope(t *testing.T, envelope string) sentryEvent {
	t.Helper()
	lines := strings.SplitN(envelope, "\n", 3) // of the envelope, of the item, the item
	require.Len(t, lines, 3)
	item, _, _ := strings.Cut(lines[2], "\n")
	return decode[sentryEvent](t, []byte(item))
}

// hopeless is an event whose handler can never succeed: a checkout without a session. canary stands in its content.
func (in *installation) hopeless(canary string) *delivery {
	in.t.Helper()
	body := `{"id":"evt_` + rand.Text() + `","object":"event","type":"checkout.session.completed","created":1767225600,
		"data":{"object":{"customer_email":"` + canary + `"}}}`
	return in.sign("stripe", &providers.Request{
		Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Stripe/1.0"}, "Authorization": {"Bearer " + canary}},
		Body:   []byte(body),
	})
}

// An event that fails for good says so in the ledger, in Temporal and at Sentry, once each, and nothing of its content or
// of our secrets leaves with that.
func TestEventThatFailsForGood(t *testing.T) {
	t.Parallel()
	in, reports := install(t).withSentry()
	s := in.serve()
	canary := "canary-" + rand.Text()
	d := in.hopeless(canary)
	s.accept(d)
	got := s.awaitStatus(d.key(), event.Failed)
	require.Equal(t, "InvalidPayload", *got.LastErrorType)
	require.NotEmpty(t, *got.LastError)
	require.Equal(t, []string{"stripe.RecordCheckout"}, steps(got))
	require.Equal(t, event.Failed, got.Steps[0].Status)
	require.Equal(t, "InvalidPayload", *got.Steps[0].ErrorType)
	require.Equal(t, "200 duplicate", describe(s.post(d)), "a failed event stays one event")
	require.Len(t, s.list("status", "failed").Events, 1)
	in.awaitRun(d, enums.WORKFLOW_EXECUTION_STATUS_FAILED)
	metrics := string(s.get("/metrics").body)
	s.drain()

	require.Len(t, reports.events(), 1)
	report := readEnvelope(t, reports.events()[0])
	require.Regexp(t, "^[0-9a-f]{32}$", report.EventID)
	require.Equal(t, "stripe", report.Tags["provider"])
	require.Equal(t, "checkout.session.completed", report.Tags["event_type"])
	require.Equal(t, "stripe.RecordCheckout", report.Tags["step"])
	require.Equal(t, d.event.WorkflowID(), report.Tags["workflow_id"])
	for place, text := range map[string]string{
		"stdout": s.stdout.String(), "stderr": s.stderr.String(), "metrics": metrics,
		"Sentry": strings.Join(reports.events(), ""), "Temporal": in.temporalKnows(d),
	} {
		require.NotContains(t, text, canary, place)
		for _, name := range []string{"STRIPE_WEBHOOK_SECRET", "TWILIO_AUTH_TOKEN", "VAPI_WEBHOOK_SECRET"} {
			require.NotContains(t, text, in.env[name], "%s in %s", name, place)
		}
		require.NotContains(t, text, in.token, place)
		require.NotContains(t, text, d.header.Get("Stripe-Signature"), place)
	}
}

// awaitRun waits until the newest run of an event has ended so.
func (in *installation) awaitRun(d *delivery, status enums.WorkflowExecutionStatus) {
	in.t.Helper()
	until(in.t, "the run is "+status.String(), func() bool {
		run, err := in.temporal.DescribeWorkflowExecution(in.t.Context(), d.event.WorkflowID(), "")
		return err == nil && run.WorkflowExecutionInfo.Status == status
	})
}

// temporalKnows is everything that Temporal holds of an event: its description with summary and memo, and its history.
func (in *installation) temporalKnows(d *delivery) string {
	in.t.Helper()
	described, err := in.temporal.DescribeWorkflowExecution(in.t.Context(), d.event.WorkflowID(), "")
	require.NoError(in.t, err)
	text := plain(in.t, protojson.Format(described))
	events := in.temporal.GetWorkflowHistory(in.t.Context(), d.event.WorkflowID(), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(in.t, err)
		text += plain(in.t, protojson.Format(e))
	}
	require.Contains(in.t, text, "checkout.session.completed", "the summary, decoded")
	return text
}

// A run that an operator resets and that fails again is the same report to Sentry, which then shows one issue.
func TestReportOfAResetRun(t *testing.T) {
	t.Parallel()
	in, reports := install(t).withSentry()
	s := in.serve()
	d := in.hopeless("nobody@example.test")
	s.accept(d)
	first := s.awaitStatus(d.key(), event.Failed)
	in.awaitRun(d, enums.WORKFLOW_EXECUTION_STATUS_FAILED)
	_, err := in.temporal.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: in.env["TEMPORAL_NAMESPACE"], WorkflowExecution: execution(d, *first.RunID),
		Reason: "to see it again", WorkflowTaskFinishEventId: in.firstWorkflowTask(d), RequestId: rand.Text(),
	})
	require.NoError(t, err)
	again := s.await(d.key(), "failed in another run", func(e event.Detail) bool {
		return e.Status == event.Failed && *e.RunID != *first.RunID
	})
	require.Equal(t, *first.OriginalRunID, *again.OriginalRunID)
	require.Zero(t, again.Generation)
	until(t, "both are reported", func() bool { return len(reports.events()) == 2 })
	one, other := readEnvelope(t, reports.events()[0]), readEnvelope(t, reports.events()[1])
	require.Equal(t, one.EventID, other.EventID)

	require.Equal(t, http.StatusAccepted, s.replay(d.key()).status)
	s.await(d.key(), "failed again", func(e event.Detail) bool { return e.Status == event.Failed && e.Generation == 1 })
	until(t, "the replay is reported", func() bool { return len(reports.events()) == 3 })
	require.NotEqual(t, one.EventID, readEnvelope(t, reports.events()[2]).EventID, "a replay is news")
	s.drain()
	require.Len(t, reports.events(), 3)
}

// firstWorkflowTask is the event that ends the first workflow task, the earliest place to reset to.
func (in *installation) firstWorkflowTask(d *delivery) int64 {
	in.t.Helper()
	events := in.temporal.GetWorkflowHistory(in.t.Context(), d.event.WorkflowID(), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(in.t, err)
		if e.EventType == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			return e.EventId
		}
	}
	require.Fail(in.t, "no workflow task was completed")
	return 0
}
