package event

import (
	"encoding/json"
	"time"
)

// GenerationMemo names the memo of a run that holds its generation, where that is not 0.
const GenerationMemo = "generation"

// TypeAttribute names the search attribute of a run that holds the event's type, as a Keyword.
const TypeAttribute = "HookflowEventType"

// RetryPause is the reason that a retry gives for the pause of a step which it unpauses at once. Housekeeping knows by it
// what was left paused.
const RetryPause = "retry now"

// Run is a run of an event as the ledger knows it. A reset run has a new run id and keeps the original one, so a run is
// known by its original id and its generation.
type Run struct {
	RunID         string `json:"run_id"`
	OriginalRunID string `json:"original_run_id"`
	Generation    int    `json:"generation,omitempty"`
}

// StepEnd is how a step of a run ended. It is recorded in histories, where those of older runs have no times.
type StepEnd struct {
	Step      string          `json:"step"`
	Status    Status          `json:"status"`
	Error     string          `json:"error,omitempty"`
	ErrorType string          `json:"error_type,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	// Late says that Result is an answer which was there too late.
	Late bool `json:"late,omitempty"`
	// When the run came to the step, and when the step ended, by the run's clock.
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
}
