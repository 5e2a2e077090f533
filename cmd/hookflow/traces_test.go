package main

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spans is an OTLP receiver (opentelemetry.io/docs/specs/otlp, over HTTP) that keeps what it is sent.
type spans struct {
	mu   sync.Mutex
	kept []*otlp.Span
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		from, _ = gzip.NewReader(r.Body) // one that is none fails below
	}
	body, _ := io.ReadAll(from)
	var sent collector.ExportTraceServiceRequest
	if r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range sent.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			s.kept = append(s.kept, scope.Spans...)
		}
	}
}

// named returns the spans so far whose name begins so.
func (s *spans) named(prefix string) []*otlp.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*otlp.Span
	for _, span := range s.kept {
		if strings.HasPrefix(span.Name, prefix) {
			found = append(found, span)
		}
	}
	return found
}

const retrieving = `
routes:
  - provider: stripe
    type: checkout.session.*
    steps:
      - activity: stripe.RetrieveCheckout
`

// A trace leads from the request past the answer and through Temporal to the handler's call of another service.
func TestOneTraceFromTheRequestToTheOutgoingCall(t *testing.T) {
	t.Parallel()
	received := &spans{}
	receiver := httptest.NewServer(received)
	t.Cleanup(receiver.Close)
	traceparent := make(chan string, 10)
	stripe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		traceparent <- r.Header.Get("Traceparent")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"cs_1","object":"checkout.session","payment_status":"paid","line_items":{"object":"list","data":[]}}`)
	}))
	t.Cleanup(stripe.Close)
	p := startInProcessWith(t, retrieving, inProcessOptions{variables: map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL, "STRIPE_API_KEY": "rk_test_of_this_test", "STRIPE_API_URL": stripe.URL,
	}})
	d := p.send(t, 0)
	parents := []string{"POST /webhooks/:provider", "StartWorkflow:StripeWebhook", "RunWorkflow:StripeWebhook",
		"StartActivity:stripe.RetrieveCheckout", "RunActivity:stripe.RetrieveCheckout", "GET"}
	testkit.Eventually(t, func() bool {
		for _, name := range parents {
			if len(received.named(name)) == 0 {
				return false
			}
		}
		return true
	}, "spans are missing")
	var above *otlp.Span
	for _, name := range parents {
		found := received.named(name)
		require.Len(t, found, 1, name)
		if above != nil {
			require.Equal(t, hex.EncodeToString(above.SpanId), hex.EncodeToString(found[0].ParentSpanId), name)
			require.Equal(t, hex.EncodeToString(above.TraceId), hex.EncodeToString(found[0].TraceId), name)
		}
		above = found[0]
	}
	require.Contains(t, <-traceparent, hex.EncodeToString(above.TraceId)+"-"+hex.EncodeToString(above.SpanId))
	attributes := map[string]string{}
	for _, a := range received.named("RunActivity:stripe")[0].Attributes {
		attributes[a.Key] = a.Value.GetStringValue()
	}
	require.Equal(t, d.ID, attributes["hookflow.event_id"])
	require.Equal(t, d.WorkflowID, attributes["temporalWorkflowID"])
}
