package telemetry

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getsentry/sentry-go"
	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

const (
	dsn    = "https://publickey@sentry.example.com/42"
	canary = "c4nary-c4nary"
)

func mocked(t *testing.T, o Options) (*Telemetry, *sentry.MockTransport) {
	t.Helper()
	transport := &sentry.MockTransport{}
	o.SentryDSN, o.Transport = dsn, transport
	telemetry, _ := initialised(t, o)
	return telemetry, transport
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestCaptureFinalFailure(t *testing.T) {
	t.Parallel()
	telemetry, transport := mocked(t, Options{Release: "v1", Environment: "production", ServerName: "box", Secrets: []string{canary}})
	telemetry.CaptureFinalFailure(Failure{
		EventID: FailureID("run", 0), Provider: "stripe", Type: "checkout.session.completed", Step: "record",
		ErrorType: "InvalidPayload", Message: canary + strings.Repeat("é", 2000), WorkflowID: "stripe:" + strings.Repeat("x", 230),
	})
	require.Len(t, transport.Events(), 1)
	e := transport.Events()[0]
	require.Equal(t, sentry.EventID(FailureID("run", 0)), e.EventID)
	require.Equal(t, sentry.LevelError, e.Level)
	require.Equal(t, "v1", e.Release)
	require.Equal(t, "production", e.Environment)
	require.Equal(t, "box", e.ServerName)
	require.Equal(t, []string{"event failed", "stripe", "checkout.session.completed", "record"}, e.Fingerprint)
	require.Equal(t, "stripe", e.Tags["provider"])
	require.Equal(t, "checkout.session.completed", e.Tags["event_type"])
	require.Equal(t, "record", e.Tags["step"])
	require.Equal(t, "InvalidPayload", e.Tags["error_type"])
	require.LessOrEqual(t, len(e.Tags["workflow_id"]), maxTag)
	require.Equal(t, "stripe:"+strings.Repeat("x", 230), e.Contexts[failureContext]["workflow_id"])
	require.Len(t, e.Exception, 1)
	require.Equal(t, "InvalidPayload", e.Exception[0].Type)
	require.LessOrEqual(t, len(e.Exception[0].Value), maxText)
	require.Contains(t, e.Exception[0].Value, placeholder+"é")
}

func TestFailureID(t *testing.T) {
	t.Parallel()
	require.Regexp(t, `^[0-9a-f]{32}$`, FailureID("run", 0))
	require.Equal(t, FailureID("run", 1), FailureID("run", 1))
	require.NotEqual(t, FailureID("run", 1), FailureID("run", 2))
	require.NotEqual(t, FailureID("run", 1), FailureID("nur", 1))
}

func TestNoDSN_nothingHappens(t *testing.T) {
	t.Setenv("SENTRY_DSN", dsn) // the SDK would read it by itself
	telemetry, _ := initialised(t, Options{})
	telemetry.CaptureFinalFailure(Failure{})
	telemetry.CapturePanic(t.Context(), "panic")
	telemetry.CaptureError(t.Context(), errors.New("error"))
	require.Nil(t, telemetry.hub)
	require.Empty(t, telemetry.Gin())
	require.True(t, telemetry.Flush(0))
}

func TestCapturePanic(t *testing.T) {
	t.Parallel()
	outOfRange := func() (err error) {
		defer func() { err = recover().(error) }()
		var list []int
		return fmt.Errorf("unreachable: %d", list[len(list)])
	}()
	for name, test := range map[string]struct {
		value        any
		keeps, hides string
	}{
		"runtime error": {outOfRange, "index out of range", canary},
		"error":         {errors.New(canary), "*errors.errorString", canary},
		"wrapped error": {fmt.Errorf("%s: %w", canary, errors.New(canary)), "*fmt.wrapError", canary},
		"text":          {canary, "a panic that is no error", canary},
		"struct":        {struct{ Secret string }{canary}, "a panic that is no error", canary},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			telemetry, transport := mocked(t, Options{})
			telemetry.CapturePanic(t.Context(), test.value)
			require.Len(t, transport.Events(), 1)
			text := asJSON(t, transport.Events()[0])
			require.Contains(t, text, test.keeps)
			require.NotContains(t, text, test.hides)
			require.Contains(t, text, `"stacktrace"`)
			require.Contains(t, text, "TestCapturePanic")
		})
	}
}

func TestCapturePanic_abortIsNone(t *testing.T) {
	t.Parallel()
	telemetry, transport := mocked(t, Options{})
	telemetry.CapturePanic(t.Context(), http.ErrAbortHandler)
	require.Empty(t, transport.Events())
}

func TestCaptureError_isCutAndRedacted(t *testing.T) {
	t.Parallel()
	telemetry, transport := mocked(t, Options{Secrets: []string{canary}})
	telemetry.CaptureError(t.Context(), fmt.Errorf("outer %s: %w", canary, errors.New(strings.Repeat("x", 5000))))
	telemetry.CaptureError(t.Context(), nil)
	require.Len(t, transport.Events(), 1)
	e := transport.Events()[0]
	require.Len(t, e.Exception, 2)
	for _, exception := range e.Exception {
		require.LessOrEqual(t, len(exception.Value), maxText)
	}
	require.NotContains(t, asJSON(t, e), canary)
}

// full is a request whose every part holds the canary, except for the path.
func full(path string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path+"?token="+canary, strings.NewReader(`{"card":"`+canary+`"}`))
	r.Header.Set("Content-Type", "application/json")
	for _, name := range []string{"Authorization", "Stripe-Signature", "Cookie", "X-Vapi-Secret", "X-Custom", "Baggage"} {
		r.Header.Set(name, "sentry-release="+canary)
	}
	r.Header.Set("Sentry-Trace", "0123456789abcdef0123456789abcdef-0123456789abcdef-1")
	r.RemoteAddr = "203.0.113.77:1"
	return r
}

// served is a gin engine as the door builds it: a recovery outside of Sentry's middleware.
func served(telemetry *Telemetry, bodies chan<- string) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(func(c *gin.Context) {
		defer func() {
			if value := recover(); value != nil {
				telemetry.CapturePanic(c.Request.Context(), value)
				c.AbortWithStatus(http.StatusInternalServerError)
			}
		}()
		c.Next()
	})
	engine.Use(telemetry.Gin()...)
	engine.POST("/:what", func(c *gin.Context) {
		body, _ := io.ReadAll(c.Request.Body)
		bodies <- string(body)
		switch c.Param("what") {
		case "panic":
			panic("with " + string(body))
		case "error":
			telemetry.CaptureError(c.Request.Context(), errors.New("unexpected"))
		}
	})
	return engine
}

func TestGin_canaryStaysHere(t *testing.T) {
	t.Parallel()
	telemetry, transport := mocked(t, Options{TracesSampleRate: 1})
	bodies := make(chan string, 3)
	handler := served(telemetry, bodies)
	for _, path := range []string{"/panic", "/error", "/fine"} {
		handler.ServeHTTP(httptest.NewRecorder(), full(path))
		require.Contains(t, <-bodies, canary, "the handler gets the body")
	}
	events := transport.Events()
	require.Len(t, events, 5, "a panic, once; an error; three timings")
	for _, e := range events {
		text := asJSON(t, e)
		require.NotContains(t, text, canary)
		require.NotContains(t, text, "203.0.113.77")
		require.NotEqual(t, "0123456789abcdef0123456789abcdef", fmt.Sprint(e.Contexts["trace"]["trace_id"]))
		require.Equal(t, "POST /:what", e.Tags["route"])
		require.Equal(t, http.MethodPost, e.Request.Method)
		require.True(t, strings.HasPrefix(e.Request.URL, "http://example.com/"), e.Request.URL)
	}
}

// A sender cannot make us sample.
func TestGin_senderDoesNotDecideOnTraces(t *testing.T) {
	t.Parallel()
	telemetry, transport := mocked(t, Options{})
	bodies := make(chan string, 1)
	served(telemetry, bodies).ServeHTTP(httptest.NewRecorder(), full("/fine"))
	require.Empty(t, transport.Events())
}

// The SDK could learn to collect more: what it might put into an event is dropped here, whatever it is asked to do.
func TestScrub(t *testing.T) {
	t.Parallel()
	e := sentry.NewEvent()
	e.Request = &sentry.Request{
		Method: "POST", URL: "https://h.example.com/webhooks/stripe?token=" + canary, Data: canary, QueryString: canary, Cookies: canary,
		Headers: map[string]string{"A": canary}, Env: map[string]string{"A": canary},
	}
	e.User = sentry.User{IPAddress: canary, Data: map[string]string{"a": canary}}
	e.Breadcrumbs = []*sentry.Breadcrumb{{Message: canary}}
	e.Attachments = []*sentry.Attachment{{Payload: []byte(canary)}}
	e.Contexts["request"] = sentry.Context{"body": canary}
	e.Contexts["os"] = sentry.Context{"name": "linux"}
	e.ServerName = "box"
	scrubbed := scrub(e, &redactor{})
	require.NotContains(t, asJSON(t, scrubbed), canary)
	require.Empty(t, scrubbed.Attachments)
	require.Equal(t, "https://h.example.com/webhooks/stripe", scrubbed.Request.URL)
	require.Equal(t, "linux", scrubbed.Contexts["os"]["name"])
	require.Equal(t, "box", scrubbed.ServerName)
}

func TestClip(t *testing.T) {
	t.Parallel()
	require.Equal(t, "abc", clip("abc", 3))
	require.Equal(t, "a…", clip("abcde", 4))
	require.Equal(t, "a…", clip("aéé", 4), "no half character")
	require.Equal(t, "a\uFFFD", clip("a\xff", 4))
}

// receiver is a Sentry that keeps what it is sent.
type receiver struct {
	mu   sync.Mutex
	sent strings.Builder
}

func (s *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	text, _ := io.ReadAll(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent.Write(text)
	fmt.Fprint(w, `{}`)
}

func TestFlush_sendsEnvelopes(t *testing.T) {
	t.Parallel()
	sink := &receiver{}
	server := httptest.NewServer(sink)
	defer server.Close()
	telemetry, _ := initialised(t, Options{SentryDSN: strings.Replace(server.URL, "//", "//publickey@", 1) + "/42", TracesSampleRate: 1})
	served(telemetry, make(chan string, 1)).ServeHTTP(httptest.NewRecorder(), full("/panic"))
	telemetry.CaptureFinalFailure(Failure{EventID: FailureID("run", 3), Provider: "stripe", Step: "record", ErrorType: "Boom", Message: "why"})
	require.True(t, telemetry.Flush(10*time.Second))
	sink.mu.Lock()
	defer sink.mu.Unlock()
	sent := sink.sent.String()
	require.Contains(t, sent, FailureID("run", 3))
	require.Contains(t, sent, "a panic that is no error")
	require.Contains(t, sent, `"type":"transaction"`)
	require.NotContains(t, sent, canary)
	telemetry.CapturePanic(context.Background(), "after the end, which is nobody's business")
}

func TestFlush_unreachable(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	telemetry, _ := initialised(t, Options{SentryDSN: strings.Replace(server.URL, "//", "//publickey@", 1) + "/42"})
	telemetry.CaptureError(t.Context(), errors.New("unheard"))
	began := time.Now()
	require.False(t, telemetry.Flush(50*time.Millisecond))
	require.Less(t, time.Since(began), 2*time.Minute, "a Sentry that hangs does not hold up the stop for ever")
}
