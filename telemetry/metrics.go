package telemetry

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newRegistry holds what every Go program tells about itself, and which release this is.
func newRegistry(release string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hookflow_build_info", Help: "1, with the release as a label.",
	}, []string{"release"})
	build.WithLabelValues(strings.ToValidUTF8(release, "?")).Set(1)
	r.MustRegister(build)
	return r
}

func metricsHandler(r *prometheus.Registry, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		Timeout:  10 * time.Second,
	})
}

// otherLabel stands for every value of a label beyond its bound.
const otherLabel = "other"

// label keeps the values of one label few: each makes a time series, and some come from senders.
type label struct {
	most int

	mu   sync.RWMutex
	seen map[string]bool
}

func atMost(n int) *label { return &label{most: n, seen: map[string]bool{}} }

// bound returns s, or "other" when there are too many values already, or s is not UTF-8, which Prometheus refuses.
func (l *label) bound(s string) string {
	l.mu.RLock()
	known, full := l.seen[s], len(l.seen) >= l.most
	l.mu.RUnlock()
	switch {
	case known:
		return s
	case full || strings.ToValidUTF8(s, "") != s:
		return otherLabel
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= l.most && !l.seen[s] {
		return otherLabel
	}
	l.seen[s] = true
	return s
}

// Door counts requests.
type Door struct {
	requests, failures                *prometheus.CounterVec
	ignored, answers                  *prometheus.CounterVec
	seconds                           *prometheus.HistogramVec
	provider, outcome, reason, ofType *label
}

func newDoor(r prometheus.Registerer) *Door {
	d := &Door{
		requests: counter("requests_total", "Answered webhooks, by outcome or code of the problem.", "provider", "outcome"),
		failures: counter("verification_failures_total", "Requests not proven to come from their provider.", "provider", "reason"),
		ignored:  counter("ignored_total", "Genuine events of chatty types that no route names.", "provider", "type"),
		answers:  counter("answers_total", "Answers to senders that waited for a computed one; late and failed were told the fallback.", "provider", "how"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hookflow_request_duration_seconds", Help: "Time of a webhook from its header to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"provider"}),
		provider: atMost(100), outcome: atMost(50), reason: atMost(20), ofType: atMost(100),
	}
	r.MustRegister(d.requests, d.failures, d.ignored, d.answers, d.seconds)
	return d
}

// Request counts an answered webhook and the seconds it took.
func (d *Door) Request(provider, outcome string, seconds float64) {
	provider = d.provider.bound(provider)
	d.requests.WithLabelValues(provider, d.outcome.bound(outcome)).Inc()
	d.seconds.WithLabelValues(provider).Observe(seconds)
}

// VerificationFailed counts a request that was not proven to come from its provider.
func (d *Door) VerificationFailed(provider, reason string) {
	d.failures.WithLabelValues(d.provider.bound(provider), d.reason.bound(reason)).Inc()
}

// Ignored counts an event that was verified and not stored. The first 100 types are told apart.
func (d *Door) Ignored(provider, eventType string) {
	d.ignored.WithLabelValues(d.provider.bound(provider), d.ofType.bound(eventType)).Inc()
}

// Answered counts an answer to a sender that waited: computed, late or failed.
func (d *Door) Answered(provider, how string) {
	d.answers.WithLabelValues(d.provider.bound(provider), how).Inc()
}

// Intake measures how events become durable and are dispatched.
type Intake struct {
	rows, seconds   prometheus.Histogram
	dispatches      *prometheus.CounterVec
	available       *prometheus.GaugeVec
	queued          prometheus.Gauge
	backlog, age    prometheus.Gauge
	running, eldest prometheus.Gauge
	result, place   *label
}

func newIntake(r prometheus.Registerer) *Intake {
	i := &Intake{
		rows: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hookflow_intake_batch_events", Help: "Events in one commit of the ledger.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11), // 1 to 1,024
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hookflow_intake_batch_duration_seconds", Help: "Time of one commit of the ledger.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, .75, 1, 2.5},
		}),
		dispatches: counter("dispatches_total", "Starts of runs, by result.", "result"),
		available: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hookflow_place_available", Help: "1 while a durable place answers, 0 while its breaker skips it.",
		}, []string{"place"}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hookflow_dispatch_queue", Help: "Events in the memory of this process that wait to be dispatched.",
		}),
		backlog: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hookflow_backlog_events", Help: "Events in the ledger that wait for a start.",
		}),
		age: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hookflow_backlog_age_seconds", Help: "How long the oldest of them has waited, replays apart.",
		}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hookflow_running_events", Help: "Events in the ledger whose run has begun and not ended.",
		}),
		eldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hookflow_running_age_seconds", Help: "How long ago the oldest of those runs began.",
		}),
		result: atMost(20), place: atMost(20),
	}
	r.MustRegister(i.rows, i.seconds, i.dispatches, i.available, i.queued, i.backlog, i.age, i.running, i.eldest)
	return i
}

// Batch notes one commit of the ledger.
func (i *Intake) Batch(rows int, took time.Duration) {
	i.rows.Observe(float64(rows))
	i.seconds.Observe(took.Seconds())
}

// Dispatched counts a start of a run by its result.
func (i *Intake) Dispatched(result string) {
	i.dispatches.WithLabelValues(i.result.bound(result)).Inc()
}

// Place notes that a durable place began or ceased to answer.
func (i *Intake) Place(place string, available bool) {
	value := 0.0
	if available {
		value = 1
	}
	i.available.WithLabelValues(i.place.bound(place)).Set(value)
}

// Queued notes how many events wait to be dispatched.
func (i *Intake) Queued(n int) { i.queued.Set(float64(n)) }

// Backlog notes how many events of the ledger wait for a start, and for how long the oldest has.
func (i *Intake) Backlog(rows int, age time.Duration) {
	i.backlog.Set(float64(rows))
	i.age.Set(age.Seconds())
}

// Running notes how many events of the ledger have a run under way, and for how long the oldest has.
func (i *Intake) Running(rows int, age time.Duration) {
	i.running.Set(float64(rows))
	i.eldest.Set(age.Seconds())
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hookflow_" + name, Help: help}, labels)
}
