package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func initialised(t *testing.T, o Options) (*Telemetry, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	o.Log = &log
	telemetry, err := Init(o)
	require.NoError(t, err)
	t.Cleanup(func() { telemetry.Flush(time.Second) })
	return telemetry, &log
}

func TestInit_badDSN(t *testing.T) {
	t.Parallel()
	_, err := Init(Options{SentryDSN: "ftp://publickey@sentry.example.com/x"})
	require.ErrorContains(t, err, "the DSN of Sentry cannot be used")
	require.NotContains(t, err.Error(), "publickey")
}

func TestLog_json(t *testing.T) {
	t.Parallel()
	telemetry, log := initialised(t, Options{Secrets: []string{"whsec_canary", "short"}})
	telemetry.Log.Debug("unseen")
	telemetry.Log.Info("with whsec_canary in it", "key", "a whsec_canary", "error", errors.New("bad whsec_canary"), "n", 1, "short", "short")
	require.NotContains(t, log.String(), "unseen")
	require.NotContains(t, log.String(), "whsec_canary")
	require.Contains(t, log.String(), `"msg":"with [secret] in it","key":"a [secret]","error":"bad [secret]","n":1,"short":"short"}`)
	require.Regexp(t, `^\{"time":"[^"]+Z"`, log.String(), "UTC")
}

func TestLog_text(t *testing.T) {
	t.Parallel()
	telemetry, log := initialised(t, Options{Text: true, Level: slog.LevelDebug})
	telemetry.Log.Debug("seen", "at", time.Second)
	require.Contains(t, log.String(), "level=DEBUG msg=seen at=1s")
}

func scrape(t *testing.T, telemetry *Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	telemetry.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	telemetry, _ := initialised(t, Options{Release: "v1.2.3"})
	telemetry.Door.Request("stripe", "accepted", 0.02)
	telemetry.Door.Request("stripe", "accepted", 2)
	telemetry.Door.VerificationFailed("twilio", "mismatch")
	telemetry.Door.Ignored("vapi", "speech-update")
	telemetry.Intake.Batch(100, 30*time.Millisecond)
	telemetry.Intake.Dispatched("started")
	telemetry.Intake.Place("ledger", false)
	telemetry.Intake.Place("temporal", true)
	telemetry.Intake.Queued(7)
	telemetry.Steps.Attempted("stripe.RecordCheckout", false, false)
	telemetry.Steps.Attempted("stripe.RecordCheckout", true, true)
	page := scrape(t, telemetry)
	for _, line := range []string{
		`hookflow_build_info{release="v1.2.3"} 1`,
		`hookflow_requests_total{outcome="accepted",provider="stripe"} 2`,
		`hookflow_request_duration_seconds_bucket{provider="stripe",le="0.025"} 1`,
		`hookflow_request_duration_seconds_count{provider="stripe"} 2`,
		`hookflow_verification_failures_total{provider="twilio",reason="mismatch"} 1`,
		`hookflow_ignored_total{provider="vapi",type="speech-update"} 1`,
		`hookflow_intake_batch_events_bucket{le="128"} 1`,
		`hookflow_intake_batch_events_sum 100`,
		`hookflow_intake_batch_duration_seconds_bucket{le="0.05"} 1`,
		`hookflow_dispatches_total{result="started"} 1`,
		`hookflow_place_available{place="ledger"} 0`,
		`hookflow_place_available{place="temporal"} 1`,
		`hookflow_dispatch_queue 7`,
		`hookflow_step_attempts_total{outcome="completed",step="stripe.RecordCheckout"} 1`,
		`hookflow_step_attempts_total{outcome="failed",step="stripe.RecordCheckout"} 1`,
		`go_goroutines `,
	} {
		require.Contains(t, page, "\n"+line)
	}
}

func TestMetrics_labelsAreBounded(t *testing.T) {
	t.Parallel()
	telemetry, _ := initialised(t, Options{})
	for i := range 1000 {
		telemetry.Door.Ignored("vapi", strings.Repeat("x", i+1))
	}
	telemetry.Door.Ignored("vapi", "not UTF-8 \xff")
	telemetry.Door.Ignored("vapi", "x") // known before the bound was reached
	page := scrape(t, telemetry)
	require.Equal(t, 101, strings.Count(page, "hookflow_ignored_total{"))
	require.Contains(t, page, `hookflow_ignored_total{provider="vapi",type="other"} 901`)
	require.Contains(t, page, `hookflow_ignored_total{provider="vapi",type="x"} 2`)
}

// Whoever makes up values, of every label there is, makes a bounded number of series.
func TestMetrics_flood(t *testing.T) {
	t.Parallel()
	telemetry, _ := initialised(t, Options{})
	for i := range 2000 {
		word := strings.Repeat("y", i%1000) + string(rune('a'+i%20))
		telemetry.Door.Request(word, word, 1)
		telemetry.Door.VerificationFailed(word, word)
		telemetry.Intake.Dispatched(word)
		telemetry.Intake.Place(word, true)
		telemetry.Steps.Attempted(word, i%2 == 0, true)
		telemetry.Steps.StepEnded(word, word)
		telemetry.Steps.EventEnded(word, word)
	}
	bounds := map[string]int{
		"requests_total": 101 * 51, "request_duration_seconds_count": 101, "verification_failures_total": 101 * 21,
		"dispatches_total": 21, "place_available": 21,
		"step_attempts_total": 201 * 2, "step_retries_total": 201, "steps_total": 201 * 11, "events_total": 101 * 11,
	}
	page := scrape(t, telemetry)
	for name, most := range bounds {
		found := strings.Count(page, "\nhookflow_"+name+"{")
		require.NotZero(t, found, name)
		require.LessOrEqual(t, found, most, name)
	}
}

// A destination is in one state at a time, and gone with the configuration.
func TestMetrics_destinations(t *testing.T) {
	t.Parallel()
	telemetry, _ := initialised(t, Options{})
	for _, state := range []string{"running", "circuit_open", "probing"} {
		telemetry.Destinations.Stands("crm", state)
		telemetry.Destinations.Stands("billing", "running")
		page := scrape(t, telemetry)
		require.Equal(t, 2, strings.Count(page, "\nhookflow_destination_state{"))
		require.Contains(t, page, `hookflow_destination_state{destination="crm",state="`+state+`"} 1`)
	}
	telemetry.Destinations.Stands("crm", "")
	telemetry.Destinations.Stands("billing", "")
	require.NotContains(t, scrape(t, telemetry), "\nhookflow_destination_state{")
}

// Two in one process do not know of each other: nothing is registered globally.
func TestInit_twice(t *testing.T) {
	t.Parallel()
	first, _ := initialised(t, Options{})
	second, _ := initialised(t, Options{})
	first.Intake.Queued(5)
	require.Contains(t, scrape(t, second), "hookflow_dispatch_queue 0")
}
