package telemetry

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
)

// spanSink keeps the bytes that reach it: protobuf, in which texts stand as they are.
type spanSink struct {
	mu   sync.Mutex
	sent strings.Builder
}

func (s *spanSink) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent.Write(body)
}

func TestTraces_off(t *testing.T) {
	t.Parallel()
	telemetry, _ := initialised(t, Options{})
	require.Nil(t, telemetry.Tracer())
	require.Empty(t, telemetry.Gin())
	require.Same(t, http.DefaultTransport, telemetry.Transport(nil))
}

// Spans name route, status and host; nothing that a sender, a handler or an operator wrote is in them.
func TestTraces_canaryStaysHere(t *testing.T) {
	t.Parallel()
	sink := &spanSink{}
	receiver := httptest.NewServer(sink)
	defer receiver.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, canary)
	}))
	defer other.Close()
	telemetry, log := initialised(t, Options{Traces: Traces{Endpoint: receiver.URL + "/v1/traces"}})
	client := &http.Client{Transport: telemetry.Transport(nil)}
	defer client.CloseIdleConnections()
	engine := gin.New()
	engine.Use(telemetry.Gin()...)
	engine.POST("/:what", func(c *gin.Context) {
		c.Header("Hookflow-Event-Id", "the-event")
		r, err := http.NewRequestWithContext(c.Request.Context(), http.MethodPut, other.URL+"/"+canary+"?token="+canary, strings.NewReader(canary))
		require.NoError(t, err)
		r.Header.Set("Authorization", canary)
		answer, err := client.Do(r)
		require.NoError(t, err)
		answer.Body.Close()
		_, span := telemetry.Tracer().Start(c.Request.Context(), "step")
		quiet := WithoutTexts(span, func(error) string { return "Refused" })
		quiet.RecordError(errors.New(canary))
		quiet.SetStatus(codes.Error, canary)
		quiet.End()
		telemetry.Log.InfoContext(c.Request.Context(), "seen")
		c.Status(http.StatusServiceUnavailable)
	})
	r := full("/" + canary)
	r.Header.Set("Traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	engine.ServeHTTP(httptest.NewRecorder(), r)
	require.True(t, telemetry.Flush(10*time.Second))
	sent := sink.sent.String()
	for _, told := range []string{"POST /:what", "the-event", "PUT", "127.0.0.1", "Refused", "service.name"} {
		require.Contains(t, sent, told)
	}
	require.NotContains(t, sent, canary)
	require.NotContains(t, sent, "\x01\x23\x45\x67\x89\xab\xcd\xef", "a sender takes no part in our traces")
	require.Regexp(t, `"msg":"seen","trace_id":"[0-9a-f]{32}"`, log.String())
}

func TestTraces_unreachable(t *testing.T) {
	t.Parallel()
	telemetry, log := initialised(t, Options{Traces: Traces{Endpoint: "http://127.0.0.1:1/v1/traces"}})
	_, span := telemetry.Tracer().Start(t.Context(), "unheard")
	span.End()
	began := time.Now()
	telemetry.Flush(50 * time.Millisecond)
	require.Less(t, time.Since(began), 2*time.Minute)
	require.Contains(t, log.String(), `"msg":"spans could not be sent","spans":1`)
}
