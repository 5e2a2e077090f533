package event

import "errors"

// QueuedError: no step of the event waits for another attempt, since one lies in its task queue until a worker takes it.
type QueuedError struct{ Why string }

// Error is a sentence without a full stop.
func (e *QueuedError) Error() string { return "the next attempt waits in its task queue: " + e.Why }

// What the rooms tell each other about an event. The API alone turns them into a status.
var (
	// ErrNotFound: no such event.
	ErrNotFound = errors.New("no such event")
	// ErrNotFinal: the event is still being handled, so it cannot be replayed.
	ErrNotFinal = errors.New("the event is not final yet")
	// ErrFinal: the event is completed or failed, so there is nothing to hasten or to cancel.
	ErrFinal = errors.New("the event is final")
	// ErrNotWaiting: no step of the event waits for another attempt.
	ErrNotWaiting = errors.New("no step of the event waits")
	// ErrUnsupported: the Temporal server at hand does not know the call that is needed.
	ErrUnsupported = errors.New("the Temporal server does not support it")
	// ErrReplayNotFound: no such bulk replay.
	ErrReplayNotFound = errors.New("no such replay")
	// ErrReplayOver: the bulk replay is stopped or completed, so it can be neither paused nor resumed nor stopped.
	ErrReplayOver = errors.New("the replay is over")
	// ErrErased: the event's content was erased; its row, and with it the uniqueness, stays.
	ErrErased = errors.New("the event's content was erased")
	// ErrUnavailable: no durable place could be reached; the sender should come again.
	ErrUnavailable = errors.New("no durable place can be reached")
	// ErrTemporalUnavailable: Temporal could not be reached, and what was asked needs it.
	ErrTemporalUnavailable = errors.New("no Temporal server can be reached")
	// ErrTooLargeNow: the ledger is away, and the body is too large for the second durable place.
	ErrTooLargeNow = errors.New("the ledger is away and the body is too large to be kept elsewhere")
	// ErrTooBroad: a query that would take too long; it must be narrowed.
	ErrTooBroad = errors.New("the query takes too long; narrow it")
	// ErrRunOpen: the event is final, and Temporal still has an open run of it (a reset, or one about to close).
	ErrRunOpen = errors.New("a run of the event is open in Temporal")
	// ErrHistoriesLeft: Temporal may still hold content of an event that is erased in the ledger.
	ErrHistoriesLeft = errors.New("the histories of the event could not be deleted")
	// ErrTooMany: a count with more lines than an answer may have.
	ErrTooMany = errors.New("the answer has too many lines; count by less")
	// ErrLate: no answer was there in time; the run goes on.
	ErrLate = errors.New("the answer was not there in time")
	// ErrNoAnswer: the run has no answer to give: its step failed, or it runs without one.
	ErrNoAnswer = errors.New("no answer was computed")
)
