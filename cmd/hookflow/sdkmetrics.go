package main

import (
	"time"

	"hookflow/telemetry"

	"go.temporal.io/sdk/client"
)

// sdkMetrics gives the Temporal SDK's own metrics to Prometheus.
type sdkMetrics struct{ to telemetry.Measurements }

// WithTags returns a handler with more labels. The SDK writes "none" for a label that does not apply.
func (m sdkMetrics) WithTags(tags map[string]string) client.MetricsHandler {
	labels := make(map[string]string, len(tags))
	for name, value := range tags {
		if value == "none" {
			value = ""
		}
		labels[name] = value
	}
	return sdkMetrics{m.to.With(labels)}
}

// Counter returns a counter.
func (m sdkMetrics) Counter(name string) client.MetricsCounter { return sdkMetric{m.to, name} }

// Gauge returns a gauge.
func (m sdkMetrics) Gauge(name string) client.MetricsGauge { return sdkMetric{m.to, name} }

// Timer returns a timer.
func (m sdkMetrics) Timer(name string) client.MetricsTimer { return sdkMetric{m.to, name} }

type sdkMetric struct {
	to   telemetry.Measurements
	name string
}

// Inc adds to a counter.
func (m sdkMetric) Inc(n int64) { m.to.Count(m.name, n) }

// Update sets a gauge.
func (m sdkMetric) Update(value float64) { m.to.Set(m.name, value) }

// Record adds to a timer.
func (m sdkMetric) Record(took time.Duration) { m.to.Time(m.name, took) }
