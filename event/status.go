package event

// Status is where an event stands in the ledger.
type Status string

// The states of an event. Completed and failed are final; only a replay leaves them.
const (
	Pending    Status = "pending"    // durable, no run has begun
	Processing Status = "processing" // its run has begun
	Completed  Status = "completed"
	Failed     Status = "failed"
)

// Statuses lists every status, in the order of an event's life.
var Statuses = []Status{Pending, Processing, Completed, Failed}

// Final reports whether s ends a generation.
func (s Status) Final() bool { return s == Completed || s == Failed }

// Outcome is what a sender is told about its request.
type Outcome string

// The outcomes of a verified request.
const (
	Accepted  Outcome = "accepted"  // durable and unique, will be handled
	Duplicate Outcome = "duplicate" // known already; nothing new will run
	Ignored   Outcome = "ignored"   // a chatty type that no route names; nothing stored
	Handshake Outcome = "handshake" // answered, nothing stored
)
