package routing

import "hookflow/event"

// BeginInput is what a run tells when it asks for its plan.
type BeginInput struct {
	Event event.Event `json:"event"`          // a reference, or whole when Body is there
	Body  []byte      `json:"body,omitempty"` // packed (event.Pack); nil when the ledger holds it
	Run   event.Run   `json:"run"`
	// Answered is the step whose answer the sender was told already, nil where it was told none.
	Answered *Step `json:"answered,omitempty"`
}

// BeginResult is what the run does, recorded in its history: a later change of routes does not reach it.
type BeginResult struct {
	Over  bool   `json:"over,omitempty"` // nothing to do: no route, or another run's business
	Why   string `json:"why,omitempty"`
	Epoch int    `json:"epoch,omitempty"`
	Plan  Plan   `json:"plan,omitzero"`
}

// FinishInput is the end of a run.
type FinishInput struct {
	Event     event.Event     `json:"event"` // a reference
	Run       event.Run       `json:"run"`
	Epoch     int             `json:"epoch,omitempty"`
	Status    event.Status    `json:"status"`
	Error     string          `json:"error,omitempty"`
	ErrorType string          `json:"error_type,omitempty"`
	Failed    string          `json:"failed,omitempty"` // the step that failed
	Steps     []event.StepEnd `json:"steps,omitempty"`
}

// The error types that the story of a run knows by name.
const (
	// LedgerUnavailable ends an attempt for which the ledger did not answer: the step waits and is scheduled again, and
	// no declared attempt is spent.
	LedgerUnavailable = "LedgerUnavailable"
	// LedgerRowMissing ends a run whose event is neither in the ledger nor in its input.
	LedgerRowMissing = "LedgerRowMissing"
	// ContentErased ends a run whose event's content was erased before it began.
	ContentErased = "ContentErased"
	// Cancelled is the error type of an event whose run was cancelled.
	Cancelled = "cancelled"
)
