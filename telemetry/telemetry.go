// Package telemetry tells operators what happens: a log, metrics, and Sentry for what somebody must look at. One Init,
// one Flush. Nothing here is global, so that tests run side by side. No secret, signature or body leaves through it.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/getsentry/sentry-go"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Options is what Init works with. Only Log is required.
type Options struct {
	// Log receives the log: JSON lines, or text for eyes where Text is set. Level is the least that is written; nil
	// means info.
	Log   io.Writer
	Text  bool
	Level slog.Leveler

	// SentryDSN is where failures are reported; without one nothing is. TracesSampleRate, 0 to 1, is the share of
	// requests whose timing is sent there.
	SentryDSN        string
	TracesSampleRate float64
	// Transport replaces Sentry's own in tests.
	Transport sentry.Transport

	// Traces says where spans go.
	Traces Traces

	// Release is the version of the program, Environment where it runs (production, dev), ServerName which machine.
	Release, Environment, ServerName string

	// Secrets are replaced by a placeholder wherever they would appear in the log or at Sentry. This is a net under the
	// rule that nobody writes them there; those shorter than 8 bytes are left, since they are found in any text. Redact adds
	// what is read later.
	Secrets []string
}

// Telemetry is the three of them. Its metrics satisfy the interfaces that the rooms declare.
type Telemetry struct {
	Log    *slog.Logger
	Door   *Door
	Intake *Intake
	Steps  *Steps
	// Destinations takes how the destinations of forwards stand.
	Destinations *Destinations
	// Temporal takes what the Temporal SDK measures.
	Temporal Measurements

	secrets  *redactor
	registry *prometheus.Registry
	hub      *sentry.Hub              // nil without a DSN
	tracing  *sdktrace.TracerProvider // nil while traces are off
}

// Init sets everything up. It returns an error for a DSN that is none; the error does not show it.
func Init(o Options) (*Telemetry, error) {
	if o.Release == "" {
		o.Release = "hookflow" // left empty, the SDK would ask git
	}
	secrets := newRedactor(o.Secrets)
	hub, err := newHub(o, secrets)
	if err != nil {
		return nil, fmt.Errorf("the DSN of Sentry cannot be used: %s", newRedactor([]string{o.SentryDSN}).text(err.Error()))
	}
	t := &Telemetry{Log: newLog(o, secrets), secrets: secrets, hub: hub, registry: newRegistry(o.Release)}
	t.Door, t.Intake, t.Steps = newDoor(t.registry), newIntake(t.registry), newSteps(t.registry)
	t.Destinations, t.Temporal = newDestinations(t.registry), newMeasurements(t.registry)
	if t.tracing, err = newTracing(o, t.Log); err != nil {
		return nil, fmt.Errorf("spans cannot be sent: %s", secrets.text(err.Error()))
	}
	return t, nil
}

// Redact has secrets replaced from now on, as those of Options are. It may be called with the same ones again and again, as
// they are read; of those that it was given the 5000 that were read last are known.
func (t *Telemetry) Redact(secrets ...string) { t.secrets.add(secrets) }

// Metrics returns the handler of /metrics.
func (t *Telemetry) Metrics() http.Handler { return metricsHandler(t.registry, t.Log) }

// Flush sends what waits to be sent, for as long as timeout at most, and ends the sending: it is the last call. It
// returns false if something was left.
func (t *Telemetry) Flush(timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	traced := t.tracing == nil || t.tracing.Shutdown(ctx) == nil
	return t.flushSentry(ctx) && traced
}

func (t *Telemetry) flushSentry(ctx context.Context) bool {
	if t.hub == nil {
		return true
	}
	sent := t.hub.FlushWithContext(ctx)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		t.hub.Client().Close() // waits for a minute while Sentry accepts and does not answer
	}()
	select {
	case <-closed:
	case <-ctx.Done():
	}
	return sent
}
