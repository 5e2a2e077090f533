package event

import (
	"encoding/json"
	"time"
)

// Record is a row of the ledger as /v1 shows it: the columns of webhook_events, flat, null where unknown, times in UTC.
type Record struct {
	ID               string     `json:"id" db:"id"`
	Provider         string     `json:"provider" db:"provider"`
	Scheme           string     `json:"scheme" db:"scheme"`
	EventID          string     `json:"event_id" db:"event_id"`
	EventType        string     `json:"event_type" db:"event_type"`
	Account          *string    `json:"account" db:"account"`
	Livemode         *bool      `json:"livemode" db:"livemode"`
	Status           Status     `json:"status" db:"status"`
	Generation       int        `json:"generation" db:"generation"`
	Epoch            int        `json:"epoch" db:"epoch"`
	WorkflowID       string     `json:"workflow_id" db:"workflow_id"`
	RunID            *string    `json:"run_id" db:"run_id"`
	OriginalRunID    *string    `json:"original_run_id" db:"original_run_id"`
	Attempts         int        `json:"attempts" db:"attempts"`
	LastError        *string    `json:"last_error" db:"last_error"`
	LastErrorType    *string    `json:"last_error_type" db:"last_error_type"`
	OccurredAt       *time.Time `json:"occurred_at" db:"occurred_at"`
	ReceivedAt       time.Time  `json:"received_at" db:"received_at"`
	DispatchedAt     *time.Time `json:"dispatched_at" db:"dispatched_at"`
	DispatchAttempts int        `json:"dispatch_attempts" db:"dispatch_attempts"`
	NextDispatchAt   *time.Time `json:"next_dispatch_at" db:"next_dispatch_at"`
	RefusedSince     *time.Time `json:"refused_since" db:"refused_since"`
	LeaseUntil       *time.Time `json:"lease_until" db:"lease_until"`
	StartedAt        *time.Time `json:"started_at" db:"started_at"`
	FinishedAt       *time.Time `json:"finished_at" db:"finished_at"`
	Duplicates       int        `json:"duplicates" db:"duplicates"`
	LastDuplicateAt  *time.Time `json:"last_duplicate_at" db:"last_duplicate_at"`
	BodyMasked       bool       `json:"body_masked" db:"body_masked"`
	PlanID           *string    `json:"plan_id" db:"plan_id"` // of the newest run that began
	Note             *Note      `json:"note" db:"note"`       // of the newest run that began
}

// Detail is a record with its content, its plan, its steps and what happened to it.
type Detail struct {
	Record
	Headers     map[string]string `json:"headers"`      // null once erased
	ContentType *string           `json:"content_type"` // null once erased
	Body        []byte            `json:"body"`         // base64 in JSON; null once erased
	Payload     json.RawMessage   `json:"payload"`      // null until the run has begun
	Plan        json.RawMessage   `json:"plan"`         // what the newest run does; null until it has begun
	Steps       []StepRecord      `json:"steps"`
	Timeline    []Moment          `json:"timeline"`     // in order
	TemporalURL *string           `json:"temporal_url"` // the newest run in the Temporal UI, null before the first
}

// StepRecord is a row of event_steps.
type StepRecord struct {
	Step       string          `json:"step" db:"step"`
	Epoch      int             `json:"epoch" db:"epoch"`
	Status     Status          `json:"status" db:"status"`
	Attempts   int             `json:"attempts" db:"attempts"`
	Error      *string         `json:"error" db:"error"`
	ErrorType  *string         `json:"error_type" db:"error_type"`
	StartedAt  *time.Time      `json:"started_at" db:"started_at"`
	FinishedAt *time.Time      `json:"finished_at" db:"finished_at"`
	Result     json.RawMessage `json:"result" db:"result"`
}

// Note is what an operator should know of an event beside its status.
type Note string

// Unevaluated marks an event for which the condition of a route could not be evaluated, so that the route did not match: a
// field that is not there, a type that is another one, too much work. The notes of its plan say which and why.
const Unevaluated Note = "unevaluated"

// Notes are all that there are.
var Notes = []Note{Unevaluated}

// Filter narrows a listing. Zero fields do not narrow.
type Filter struct {
	Provider  string
	Type      string // a glob: * any run of characters, ? any one
	Status    Status
	Account   string
	Note      Note
	ErrorType string          // of the last error, as it is
	Error     string          // what the last error's message contains, in either case
	Contains  json.RawMessage // JSON that the payload contains (Postgres @>)
	Since     time.Time       // received at or after
	Until     time.Time       // received before
	Limit     int             // rows at most, 1 to 200
	Oldest    bool            // the oldest first, instead of the newest
	After     *Cursor         // rows behind this one in that order
}

// Cursor is the place of a row in the order of the ledger, by (received_at, id), from either end.
type Cursor struct {
	ReceivedAt time.Time
	ID         string
}

// Page is one page of a listing; Next is nil on the last.
type Page struct {
	Events []Record
	Next   *Cursor
}
