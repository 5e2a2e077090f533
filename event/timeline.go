package event

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Kind says what a moment of the timeline is.
type Kind string

// The kinds that a row tells of by itself. Those of the newest generation are not written down.
const (
	Received   Kind = "received"
	Duplicated Kind = "duplicate" // the last one; detail: how many
	Dispatched Kind = "dispatched"
	Started    Kind = "started"
	// Ended is how a generation ended; detail: the status, the run. That of an older generation is written down when a
	// new one takes its row.
	Ended Kind = "ended"
)

// The kinds that are written down.
const (
	AttemptFailed Kind = "attempt_failed"
	Replayed      Kind = "replayed"  // a new generation was asked for; generation is the new one
	Cancelled     Kind = "cancelled" // an operator asked for the end of a generation
	Retried       Kind = "retried"   // an operator asked for an attempt at once
	Responded     Kind = "responded" // what an outgoing call was answered
	AnsweredLate  Kind = "answered_late"
	Erased        Kind = "erased"
)

// AttemptsLeftOut stands for failed attempts of a step that were not kept; detail: how many. It is made when the timeline
// is read.
const AttemptsLeftOut Kind = "attempts_left_out"

// Moment is a row of event_timeline, or a time of the event's own row, as /v1 shows it: null where it does not apply,
// times in UTC.
type Moment struct {
	At         time.Time       `json:"at"`
	Generation int             `json:"generation"`
	Kind       Kind            `json:"kind"`
	Step       *string         `json:"step"`
	Attempt    *int            `json:"attempt"` // counted over the generations of an epoch, as the step counts them
	Error      *string         `json:"error"`
	ErrorType  *string         `json:"error_type"`
	DurationMS *int64          `json:"duration_ms"`
	Author     *string         `json:"author"` // the name of an API token
	Detail     json.RawMessage `json:"detail"`
}

// End is the detail of an Ended moment.
type End struct {
	Status       Status     `json:"status"`
	RunID        *string    `json:"run_id,omitempty"`
	Attempts     int        `json:"attempts,omitempty"` // of all steps
	DispatchedAt *time.Time `json:"dispatched_at,omitempty"`
	StartedAt    *time.Time `json:"started_at,omitempty"`
}

// Count is the detail of a Duplicated or AttemptsLeftOut moment.
type Count struct {
	Count int `json:"count"`
}

// Timeline returns what happened to the event of r, in order: what its row says, and what was written down. It is safe to
// call with moments in any order.
func Timeline(r Record, written []Moment) []Moment {
	all := []Moment{{At: r.ReceivedAt, Kind: Received}}
	if r.LastDuplicateAt != nil {
		all = append(all, Moment{At: *r.LastDuplicateAt, Generation: r.Generation, Kind: Duplicated, Detail: detail(Count{r.Duplicates})})
	}
	now := End{Status: r.Status, RunID: r.RunID, Attempts: r.Attempts, DispatchedAt: r.DispatchedAt}
	if r.Status != Pending && r.DispatchedAt != nil { // else the time is an older generation's
		now.StartedAt = r.StartedAt
	}
	all = append(all, now.beginning(r.Generation)...)
	if r.Status.Final() && r.FinishedAt != nil {
		end := Moment{At: *r.FinishedAt, Generation: r.Generation, Kind: Ended, Error: r.LastError, ErrorType: r.LastErrorType, Detail: detail(now)}
		if now.StartedAt != nil {
			end.DurationMS = milliseconds(r.FinishedAt.Sub(*now.StartedAt))
		}
		all = append(all, end)
	}
	for _, m := range written {
		var end End
		if m.Kind == Ended && json.Unmarshal(m.Detail, &end) == nil {
			all = append(all, end.beginning(m.Generation)...)
		}
		all = append(all, m)
	}
	all = append(all, gaps(written)...)
	slices.SortStableFunc(all, func(a, b Moment) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Generation, b.Generation), cmp.Compare(place(a.Kind), place(b.Kind)))
	})
	return all
}

// LateAnswers returns the moments at which answers were computed after their deadline, of the steps that did so.
func LateAnswers(steps []StepRecord) []Moment {
	var late []Moment
	for _, s := range steps {
		var r Reply
		if s.FinishedAt == nil || s.Status != Completed || json.Unmarshal(s.Result, &r) != nil || r.Answer == nil || !r.Answer.Late {
			continue
		}
		late = append(late, Moment{At: *s.FinishedAt, Kind: AnsweredLate, Step: &s.Step})
	}
	return late
}

// beginning is what came before an end.
func (e End) beginning(generation int) []Moment {
	var began []Moment
	if e.DispatchedAt != nil {
		began = append(began, Moment{At: e.DispatchedAt.UTC(), Generation: generation, Kind: Dispatched})
	}
	if e.StartedAt != nil {
		began = append(began, Moment{At: e.StartedAt.UTC(), Generation: generation, Kind: Started})
	}
	return began
}

// gaps finds the failed attempts that were not kept by the numbers that are missing, per step and generation.
func gaps(written []Moment) []Moment {
	type of struct {
		step       string
		generation int
	}
	failed := map[of][]Moment{}
	for _, m := range written {
		if m.Kind == AttemptFailed && m.Step != nil && m.Attempt != nil {
			k := of{*m.Step, m.Generation}
			failed[k] = append(failed[k], m)
		}
	}
	var left []Moment
	for _, attempts := range failed {
		slices.SortFunc(attempts, func(a, b Moment) int { return cmp.Compare(*a.Attempt, *b.Attempt) })
		for i := 1; i < len(attempts); i++ {
			before, after := attempts[i-1], attempts[i]
			if missing := *after.Attempt - *before.Attempt - 1; missing > 0 {
				left = append(left, Moment{
					At: after.At, Generation: after.Generation, Kind: AttemptsLeftOut, Step: after.Step, Detail: detail(Count{missing}),
				})
			}
		}
	}
	return left
}

// inOrder is the order of what happened at the same instant; kinds that are not here come between attempts and ends.
var inOrder = map[Kind]int{Received: 1, Replayed: 2, Dispatched: 3, Started: 4, AttemptsLeftOut: 5, AttemptFailed: 6, Ended: 8, Erased: 9}

func place(k Kind) int { return cmp.Or(inOrder[k], 7) }

func milliseconds(d time.Duration) *int64 {
	ms := max(d.Milliseconds(), 0) // the clocks of two processes
	return &ms
}

func detail(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a struct of ours
	}
	return text
}
