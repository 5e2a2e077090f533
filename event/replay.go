package event

import (
	"encoding/json"
	"time"
)

// From says where a replay begins.
type From string

// Where a replay begins.
const (
	FromFailure From = "failure" // completed steps are not repeated
	FromStart   From = "start"   // every step runs again, in a new epoch
)

// Froms lists where a replay can begin, the default first.
var Froms = []From{FromFailure, FromStart}

// ReplayState is where a bulk replay stands.
type ReplayState string

// The states of a bulk replay. Stopped and completed are final.
const (
	ReplayRunning   ReplayState = "running"
	ReplayPaused    ReplayState = "paused"    // moves nothing until it is resumed
	ReplayStopped   ReplayState = "stopped"   // moves nothing any more; what was moved goes on
	ReplayCompleted ReplayState = "completed" // every event was moved or skipped, and is final again
)

// Replay is a bulk replay as /v1 shows it: the row of the table replays, times in UTC. Every event that matched is in
// one of Remaining, Skipped, Running, Completed and Failed.
type Replay struct {
	ID     string      `json:"id"`
	State  ReplayState `json:"state"`
	Author string      `json:"author"`
	From   From        `json:"from"`
	// Rate is how many events a second are moved at most; null leaves it to the relay.
	Rate *float64 `json:"rate"`
	// Filter is the filter as it was asked for, since and until as times.
	Filter     json.RawMessage `json:"filter"`
	CreatedAt  time.Time       `json:"created_at"`
	FinishedAt *time.Time      `json:"finished_at"`
	Matched    int             `json:"matched"`   // events of the set, which is fixed when the replay is created
	Remaining  int             `json:"remaining"` // not looked at yet
	Skipped    int             `json:"skipped"`   // had moved since, or lost their content
	Moved      int             `json:"moved"`     // run again: Running, Completed and Failed together
	Running    int             `json:"running"`
	Completed  int             `json:"completed"`
	Failed     int             `json:"failed"`
}

// ReplayRequest asks for a bulk replay.
type ReplayRequest struct {
	Author string
	From   From
	Rate   float64 // events a second; 0 leaves it to the relay
	Match  Filter  // its Limit and After are not looked at
	// Filter is Match as /v1 shows it, a JSON object.
	Filter json.RawMessage
}

// ReplayPreview is what a bulk replay would take.
type ReplayPreview struct {
	Matched int      `json:"matched"`
	Sample  []Record `json:"sample"` // the newest of them
}
