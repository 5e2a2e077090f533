package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Steps counts attempts, and how steps and events end.
type Steps struct {
	attempts, retries, steps, events, unevaluated *prometheus.CounterVec
	step, provider, status                        *label
}

func newSteps(r prometheus.Registerer) *Steps {
	s := &Steps{
		attempts: counter("step_attempts_total", "Ended attempts of steps.", "step", "outcome"),
		retries:  counter("step_retries_total", "Attempts that a step made after a failed one.", "step"),
		steps:    counter("steps_total", "Steps that completed or failed for good.", "step", "outcome"),
		events:   counter("events_total", "Events that became final, once per generation.", "provider", "status"),
		unevaluated: counter("conditions_unevaluated_total",
			"Conditions of routes that could not be evaluated for an event, so that the route did not match.", "provider"),
		step: atMost(200), provider: atMost(100), status: atMost(10),
	}
	r.MustRegister(s.attempts, s.retries, s.steps, s.events, s.unevaluated)
	return s
}

// Attempted counts an attempt of a step; again says that it followed a failed one.
func (s *Steps) Attempted(step string, failed, again bool) {
	outcome := "completed"
	if failed {
		outcome = "failed"
	}
	step = s.step.bound(step)
	s.attempts.WithLabelValues(step, outcome).Inc()
	if again {
		s.retries.WithLabelValues(step).Inc()
	}
}

// StepEnded counts a step that completed or failed for good.
func (s *Steps) StepEnded(step, outcome string) {
	s.steps.WithLabelValues(s.step.bound(step), s.status.bound(outcome)).Inc()
}

// Unevaluated counts a condition that could not be evaluated for an event of this provider.
func (s *Steps) Unevaluated(provider string) {
	s.unevaluated.WithLabelValues(s.provider.bound(provider)).Inc()
}

// EventEnded counts an event that became final.
func (s *Steps) EventEnded(provider, status string) {
	s.events.WithLabelValues(s.provider.bound(provider), s.status.bound(status)).Inc()
}
