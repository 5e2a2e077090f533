package telemetry

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/getsentry/sentry-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is read later is kept out of the log and Sentry as what was known at the start is.
func TestRedact(t *testing.T) {
	t.Parallel()
	sent := &sentry.MockTransport{}
	telemetry, log := initialised(t, Options{SentryDSN: dsn, Transport: sent, Secrets: []string{"whsec_start"}})
	telemetry.Log.Info("whsec_rotated")
	require.Contains(t, log.String(), "whsec_rotated", "nobody knows it")
	log.Reset()

	telemetry.Redact("whsec_rotated", "", "short")
	telemetry.Log.Info("whsec_rotated, whsec_start, short")
	require.Contains(t, log.String(), `"msg":"[secret], [secret], short"`)
	telemetry.CaptureError(t.Context(), errors.New("with whsec_rotated"))
	telemetry.CaptureFinalFailure(Failure{EventID: FailureID("run", 0), Message: "whsec_start and whsec_rotated"})
	require.Equal(t, "with [secret]", sent.Events()[0].Exception[0].Value)
	require.Equal(t, "[secret] and [secret]", sent.Events()[1].Exception[0].Value)
}

// Of two secrets that begin alike nothing is left, whichever is known first.
func TestRedactor_sameBeginning(t *testing.T) {
	t.Parallel()
	r := newRedactor([]string{"whsec_one"})
	r.add([]string{"whsec_one_and_more"})
	require.Equal(t, "[secret] [secret]", r.text("whsec_one whsec_one_and_more"))
}

// However often files change, what is kept is bounded; what is read again and again stays, and what the start knew.
func TestRedactor_bounded(t *testing.T) {
	t.Parallel()
	r := newRedactor([]string{"whsec_start"})
	for i := range maxRead + 100 {
		r.add([]string{fmt.Sprintf("whsec_rotated_%06d", i), "whsec_in_use"})
	}
	require.Len(t, r.read, maxRead)
	require.Equal(t, "[secret] [secret] [secret] whsec_rotated_000000",
		r.text(fmt.Sprintf("whsec_start whsec_in_use whsec_rotated_%06d whsec_rotated_000000", maxRead+99)))
}

// Whoever has read a secret may write at once, while others read theirs.
func TestRedactor_concurrent(t *testing.T) {
	t.Parallel()
	r := newRedactor(nil)
	var reading sync.WaitGroup
	for reader := range 4 {
		reading.Go(func() {
			for i := range 200 {
				secret := fmt.Sprintf("whsec_%d_%06d", reader, i)
				r.add([]string{secret})
				assert.Equal(t, "[secret]", r.text(secret))
			}
		})
	}
	reading.Wait()
}
