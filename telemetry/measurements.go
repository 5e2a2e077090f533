package telemetry

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxSeries bounds the series of a library that names its metrics and labels itself; each of maxTagValues more values
	// of a label is "other".
	maxSeries    = 2_000
	maxTagValues = 50
)

// latencies are the buckets of a library's timers: from a call to a run of days.
var latencies = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 600, 3600, 86400}

// Measurements takes the metrics of a library that makes them up as it goes, with labels that differ from one measurement
// to the next, as the Temporal SDK does. Names become Prometheus's: counters end in _total, timers in _seconds.
type Measurements struct {
	*measured
	labels prometheus.Labels
}

// measured is what all Measurements of a library share. It is an unchecked collector: it cannot say beforehand what it
// will hold.
type measured struct {
	mu     sync.RWMutex
	series map[string]prometheus.Metric
	tags   map[string]*label
}

func newMeasurements(r prometheus.Registerer) Measurements {
	m := &measured{series: map[string]prometheus.Metric{}, tags: map[string]*label{}}
	r.MustRegister(m)
	return Measurements{measured: m}
}

// With returns Measurements with these labels beside those that m has, without those whose value is empty.
func (m Measurements) With(tags map[string]string) Measurements {
	labels := make(prometheus.Labels, len(m.labels)+len(tags))
	maps.Copy(labels, m.labels)
	for name, value := range tags {
		if value == "" {
			delete(labels, name)
			continue
		}
		labels[name] = m.tag(name).bound(value)
	}
	return Measurements{m.measured, labels}
}

// Count adds n, which is not negative, to a counter.
func (m Measurements) Count(name string, n int64) {
	made := m.find(name+"_total", func(o prometheus.Opts) prometheus.Metric { return prometheus.NewCounter(prometheus.CounterOpts(o)) })
	if c, ok := made.(prometheus.Counter); ok && n > 0 {
		c.Add(float64(n))
	}
}

// Set sets a gauge.
func (m Measurements) Set(name string, value float64) {
	made := m.find(name, func(o prometheus.Opts) prometheus.Metric { return prometheus.NewGauge(prometheus.GaugeOpts(o)) })
	if g, ok := made.(prometheus.Gauge); ok {
		g.Set(value)
	}
}

// Time adds a duration to a histogram.
func (m Measurements) Time(name string, took time.Duration) {
	made := m.find(name+"_seconds", func(o prometheus.Opts) prometheus.Metric {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: o.Name, Help: o.Help, ConstLabels: o.ConstLabels, Buckets: latencies})
	})
	if h, ok := made.(prometheus.Histogram); ok {
		h.Observe(took.Seconds())
	}
}

func (m *measured) tag(name string) *label {
	m.mu.RLock()
	l := m.tags[name]
	m.mu.RUnlock()
	if l != nil {
		return l
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tags[name] == nil {
		m.tags[name] = atMost(maxTagValues)
	}
	return m.tags[name]
}

// find returns the series of a name and m's labels, nil when there are too many series already.
func (m Measurements) find(name string, make func(prometheus.Opts) prometheus.Metric) prometheus.Metric {
	key := m.key(name)
	m.mu.RLock()
	found := m.series[key]
	m.mu.RUnlock()
	if found != nil {
		return found
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.series[key] == nil && len(m.series) < maxSeries {
		m.series[key] = make(prometheus.Opts{Name: name, Help: "Of the Temporal SDK.", ConstLabels: m.labels})
	}
	return m.series[key]
}

func (m Measurements) key(name string) string {
	var key strings.Builder
	key.WriteString(name)
	for _, tag := range slices.Sorted(maps.Keys(m.labels)) {
		key.WriteString("\x00" + tag + "\x00" + m.labels[tag])
	}
	return key.String()
}

// Describe says nothing, which makes the collector an unchecked one.
func (*measured) Describe(chan<- *prometheus.Desc) {}

// Collect sends what was measured so far.
func (m *measured) Collect(to chan<- prometheus.Metric) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, metric := range m.series {
		to <- metric
	}
}
