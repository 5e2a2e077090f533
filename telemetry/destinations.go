package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Destinations says how the destinations of this process's configuration stand. Their names are the configuration's, so that
// nobody outside makes a time series.
type Destinations struct{ states *prometheus.GaugeVec }

func newDestinations(r prometheus.Registerer) *Destinations {
	d := &Destinations{states: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hookflow_destination_state", Help: "1 for the state in which a configured destination is: running, paused, circuit_open or probing.",
	}, []string{"destination", "state"})}
	r.MustRegister(d.states)
	return d
}

// Stands notes the state of a destination; an empty one that it is no longer configured.
func (d *Destinations) Stands(name, state string) {
	d.states.DeletePartialMatch(prometheus.Labels{"destination": name})
	if state != "" {
		d.states.WithLabelValues(name, state).Set(1)
	}
}
