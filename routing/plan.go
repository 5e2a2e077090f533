// Package routing turns configuration into plans: an event's type is matched to named steps, each with its own retry
// policy and time-outs. A plan is data: it is resolved once, in Begin, recorded in the run's history, and never
// looked up again, so routes may change under running events.
package routing

import (
	"encoding/json"
	"slices"
	"time"
)

// Plan is what one event's run will do, in order. It is recorded in histories, so fields are only ever added, and their
// absence means what it meant before they were there.
type Plan struct {
	// Route is the name of the route that matched, for people; of several, joined by commas.
	Route string `json:"route,omitempty"`
	Steps []Step `json:"steps,omitempty"`
	// Notes say which conditions could not be evaluated, and why. They hold nothing of the event.
	Notes []string `json:"notes,omitempty"`
}

// Stages returns the steps in order, those of a parallel group together.
func (p Plan) Stages() [][]Step {
	var stages [][]Step
	for i, step := range p.Steps {
		if i > 0 && step.Group > 0 && step.Group == p.Steps[i-1].Group {
			last := &stages[len(stages)-1]
			*last = append(*last, step)
			continue
		}
		stages = append(stages, []Step{step})
	}
	return stages
}

// Answered returns the plan with a step in front whose answer was told already, unless one of the plan answers: the routes
// may have lost theirs since the sender asked, and what it was told is to be told to every copy. A name that the plan has is
// changed.
func (p Plan) Answered(told Step) Plan {
	if slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Reply }) {
		return p
	}
	for slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Name == told.Name }) {
		told.Name += "-told"
	}
	p.Steps = slices.Concat([]Step{told}, p.Steps)
	return p
}

// Step is one activity with everything that was declared about it.
type Step struct {
	Name     string `json:"name"`
	Activity string `json:"activity"`
	// Group is shared by consecutive steps that run in parallel. 0 is a step by itself.
	Group int `json:"group,omitempty"`
	// TaskQueue is where the step's attempts wait for a worker; empty means the run's own queue.
	TaskQueue string `json:"task_queue,omitempty"`
	// Input is what a built-in activity is told beside the event: its second argument, as JSON. Activities that take the
	// event alone have none.
	Input json.RawMessage `json:"input,omitempty"`
	// Reply marks the step that computes the answer for which the sender waits. A plan has one at most.
	Reply bool `json:"reply,omitempty"`
	// Inline steps make their first attempt as a local activity, in the same workflow task as Begin and Finish.
	Inline bool `json:"inline,omitempty"`
	// Done steps were completed by an earlier generation and are not repeated.
	Done    bool    `json:"done,omitempty"`
	Options Options `json:"options"`
}

// Options are the declared time-outs and retry policy of a step, named as in Temporal's ActivityOptions.
type Options struct {
	StartToCloseTimeout    Duration    `json:"start_to_close_timeout,omitzero"`
	ScheduleToCloseTimeout Duration    `json:"schedule_to_close_timeout,omitzero"`
	ScheduleToStartTimeout Duration    `json:"schedule_to_start_timeout,omitzero"`
	HeartbeatTimeout       Duration    `json:"heartbeat_timeout,omitzero"`
	RetryPolicy            RetryPolicy `json:"retry_policy,omitzero"`
}

// RetryPolicy is Temporal's RetryPolicy, field for field. Zero fields take Temporal's defaults: an initial interval of
// 1 s, a coefficient of 2, a maximum interval of 100 times the initial one, no maximum of attempts.
type RetryPolicy struct {
	InitialInterval        Duration `json:"initial_interval,omitzero"`
	BackoffCoefficient     float64  `json:"backoff_coefficient,omitzero"`
	MaximumInterval        Duration `json:"maximum_interval,omitzero"`
	MaximumAttempts        int32    `json:"maximum_attempts,omitzero"`
	NonRetryableErrorTypes []string `json:"non_retryable_error_types,omitempty"`
}

// Duration is a time.Duration that reads and writes "30s" in JSON.
type Duration time.Duration

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// MarshalText writes d as time.Duration does: "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText writes. It returns time.ParseDuration's error for anything else.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}
