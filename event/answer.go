package event

import (
	"encoding/json"
	"time"
)

// Answer is what a waiting sender is told, byte for byte.
type Answer struct {
	ContentType string `json:"content_type,omitempty"` // "" with an empty body
	Body        []byte `json:"body,omitempty"`         // base64 in JSON
	// Late says that the answer was computed after its deadline: the sender was told the fallback.
	Late bool `json:"late,omitempty"`
}

// Reply is the result of a step that computes an answer, as histories and the ledger keep it.
type Reply struct {
	Answer *Answer `json:"answer"`
}

// Ask says that the sender of an event waits for a computed answer, and how it is come by.
type Ask struct {
	// Step is the step of the plan that computes the answer, as routing writes it in JSON.
	Step json.RawMessage
	// Until is when the fallback goes out.
	Until time.Time
	// Fallback stands in for what the step would return; nil for the provider's own answer.
	Fallback json.RawMessage
	// Only says that an event which Temporal could not be asked about is answered with the fallback and not run later.
	Only bool
}

// Told is what a run says to a question.
type Told struct {
	Reply Reply `json:"reply"`
	// Late says that the reply was there after the question's Until.
	Late bool `json:"late,omitempty"`
}

// Question is what a run is asked in an update: the whole event, since neither the ledger nor anybody's memory need have
// it, and the step that answers.
type Question struct {
	Event Event           `json:"event"` // whole, with its packed body
	Step  json.RawMessage `json:"step"`
	Until time.Time       `json:"until"`
}
