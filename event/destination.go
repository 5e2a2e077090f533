package event

import (
	"errors"
	"time"
)

// ErrNoDestination: no destination of this name is or was configured.
var ErrNoDestination = errors.New("no such destination")

// DestinationState says whether a destination is sent to.
type DestinationState string

// The states of a destination. In all but Running its events wait in Temporal and spend no attempts.
const (
	Running     DestinationState = "running"
	Paused      DestinationState = "paused"       // by an operator
	CircuitOpen DestinationState = "circuit_open" // by itself, after failures in a row
	Probing     DestinationState = "probing"      // one attempt decides whether the circuit closes
	Removed     DestinationState = "removed"      // no longer configured; what still waits for it fails
)

// Destination is how a destination stands, as /v1 shows it: null where it does not apply, times in UTC.
type Destination struct {
	Name          string           `json:"name" db:"name"`
	State         DestinationState `json:"state" db:"-"`
	URL           *string          `json:"url" db:"-"`        // scheme and host: the rest may be secret; null once removed
	TaskQueue     string           `json:"task_queue" db:"-"` // of Temporal
	Waiting       *int64           `json:"waiting" db:"-"`    // attempts that Temporal holds back, about; null where it does not say
	RateLimit     *float64         `json:"rate_limit" db:"-"` // attempts a second; null without limit
	Concurrency   *int             `json:"concurrency" db:"-"`
	PausedAt      *time.Time       `json:"paused_at" db:"paused_at"`
	PausedBy      *string          `json:"paused_by" db:"paused_by"`
	PauseReason   *string          `json:"pause_reason" db:"pause_reason"`
	Failures      int              `json:"failures" db:"failures"` // in a row
	OpenedAt      *time.Time       `json:"opened_at" db:"opened_at"`
	RetryAt       *time.Time       `json:"retry_at" db:"retry_at"`
	LastFailure   *string          `json:"last_failure" db:"last_failure"`
	LastFailureAt *time.Time       `json:"last_failure_at" db:"last_failure_at"`

	ConfiguredAt time.Time `json:"-" db:"configured_at"`
	ProbeBy      *string   `json:"-" db:"probe_by"`
}

// Holding says why nothing is sent to the destination at a time, "" while something is.
func (d Destination) Holding(now time.Time) string {
	at := func(t *time.Time) string { return t.UTC().Format(time.RFC3339) }
	switch d.StateAt(now) {
	case Paused:
		by := "somebody"
		if d.PausedBy != nil {
			by = *d.PausedBy
		}
		return "destination " + d.Name + " is paused by " + by + " since " + at(d.PausedAt)
	case CircuitOpen:
		return "the circuit of destination " + d.Name + " is open until " + at(d.RetryAt)
	case Probing:
		return "the circuit of destination " + d.Name + " is open, and one attempt decides whether it closes"
	}
	return ""
}

// StateAt is the state at a time, as far as the row tells.
func (d Destination) StateAt(now time.Time) DestinationState {
	switch {
	case d.PausedAt != nil:
		return Paused
	case d.OpenedAt == nil:
		return Running
	case d.RetryAt != nil && now.Before(*d.RetryAt):
		return CircuitOpen
	}
	return Probing
}
