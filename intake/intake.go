// Package intake makes an event durable and unique before the sender hears 200, and sees to it that a run is started.
//
// The ledger is the first durable place: a group commit of the requests in flight decides accepted or duplicate.
// While it is away Temporal is the second: the run is started at once with the body inside its input. Starting the runs
// of the ledger's rows is the dispatcher's work, in this process and at once; the relay finds the rows that were left.
package intake

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hookflow/event"
	"hookflow/store"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/singleflight"
)

// Config is what an Intake works with. Metrics, EventsURL, LedgerTimeout and EagerStart may be left zero.
type Config struct {
	Store    *store.Store
	Temporal client.Client
	// Namespace is that of Temporal, which the client keeps to itself.
	Namespace string
	// TaskQueue and WorkflowType say where and as what a run of a scheme's event is started.
	TaskQueue string
	// Queue is TaskQueue where the installation has one of its own, "" for the default: workflow IDs begin with it then.
	Queue        string
	WorkflowType func(scheme string) string
	// ReplyUpdate names the update by which a run is asked for an answer.
	ReplyUpdate string
	// Routed reports whether a route names a type; a chatty type that none names is not stored.
	Routed func(provider, eventType string) bool
	// EventsURL is the address of /v1/events, for links; "" for none.
	EventsURL string
	// LedgerTimeout is how long a batch may take before the ledger counts as away; 0 means 750 ms.
	LedgerTimeout time.Duration
	// EagerStart reports whether a worker of this process, which shares the Temporal client, may get a run with its start;
	// nil means never.
	EagerStart func() bool
	Now        func() time.Time
	Log        *slog.Logger
	Metrics    Metrics
}

// Metrics hears what the intake does. Every label is bounded.
type Metrics interface {
	Batch(rows int, took time.Duration)
	Dispatched(result string) // started, already_started, refused, unavailable
	Place(place string, available bool)
	Queued(n int)
	Backlog(rows int, age time.Duration) // of the ledger's rows that wait for a start
	Running(rows int, age time.Duration) // of those whose run has begun
}

// Intake accepts events. Create it with New, start its goroutines with Run.
type Intake struct {
	Config
	ledger     *breaker // of Postgres
	temporal   *breaker
	arrivals   chan *arrival
	queues     *queues
	marks      *marks
	duplicates *duplicates
	answered   *answered
	pressure   *pressure
	attribute  *attribute
	flights    singleflight.Group
	direct     chan struct{} // one token per direct start in flight or waiting
	starting   chan struct{} // one token per direct start in flight
}

// temporalFailures is how many starts must fail in a row before Temporal counts as away: a single shard may be moving, a
// single call may be slow. A batch speaks for the whole ledger by itself.
const temporalFailures = 5

// New returns an Intake that accepts events once Run runs.
func New(c Config) *Intake {
	if c.Metrics == nil {
		c.Metrics = silent{}
	}
	c.LedgerTimeout = cmp.Or(c.LedgerTimeout, ledgerTimeout)
	pressure := newPressure(c.Now)
	in := &Intake{
		Config: c,
		// Unbuffered: who waits here is in the next batch.
		arrivals:   make(chan *arrival),
		queues:     newQueues(pressure.high, c.Metrics.Queued),
		marks:      newMarks(),
		duplicates: newDuplicates(),
		answered:   newAnswered(),
		pressure:   pressure,
		attribute:  &attribute{now: c.Now},
		direct:     make(chan struct{}, maxDirectStarts),
		starting:   make(chan struct{}, directStarters),
	}
	in.ledger = newBreaker(c.Now, 1, in.placeChanged("ledger"))
	in.temporal = newBreaker(c.Now, temporalFailures, in.placeChanged("temporal"))
	c.Metrics.Place("ledger", true)
	c.Metrics.Place("temporal", true)
	return in
}

func (in *Intake) placeChanged(place string) func(bool, error) {
	return func(open bool, because error) {
		in.Metrics.Place(place, !open)
		if open {
			in.Log.Warn("a durable place does not answer", "place", place, "error", because)
		} else {
			in.Log.Info("a durable place answers again", "place", place)
		}
	}
}

// Run works until ctx ends, then gives back what it had not started and returns. No Accept may be under way by then.
func (in *Intake) Run(ctx context.Context) {
	var working sync.WaitGroup
	for range batchWriters {
		working.Go(func() { in.writeBatches(ctx) })
	}
	for range starters {
		working.Go(func() { in.startQueued(ctx) })
	}
	working.Go(func() { in.relay(ctx) })
	working.Go(func() { in.advanceReplays(ctx) })
	working.Go(func() { in.measureBacklog(ctx) })
	working.Go(func() { in.flushNotes(ctx) })
	working.Go(func() { in.probeLedger(ctx) })
	<-ctx.Done()
	in.queues.close()
	working.Wait()
	in.giveBack()
}

// Accept makes e durable and unique. It returns Accepted when e is new and durable, Duplicate when it was known, Ignored
// for a chatty type that no route names. Errors: event.ErrUnavailable when no durable place took it,
// event.ErrTooLargeNow when only a place too small for it is left, and what Postgres says of data that it refuses.
// After an error the event may have been kept all the same; a repetition is then a Duplicate.
func (in *Intake) Accept(ctx context.Context, e *event.Event) (event.Outcome, error) {
	e.Installation = in.installation()
	if e.Chatty && !in.Routed(e.Provider, e.Type) {
		return event.Ignored, nil
	}
	if in.ledger.closed() {
		outcome, err := in.write(ctx, e, time.Time{})
		if !errors.Is(err, errLedgerAway) {
			return outcome, err
		}
	}
	return in.acceptDirectly(ctx, e)
}

// installation is stamped on what is accepted and started here.
func (in *Intake) installation() event.Installation {
	return event.Installation{Ledger: in.Store.Ledger(), Queue: in.Queue}
}

// AcceptAll makes the events of one delivery durable and unique: in one statement where the ledger answers. It returns
// one outcome each, in their order, or the errors of Accept; some of the events may then have been kept all the same.
func (in *Intake) AcceptAll(ctx context.Context, events []event.Event) ([]event.Outcome, error) {
	outcomes := make([]event.Outcome, len(events))
	kept := make([]int, 0, len(events)) // places of those that are not ignored
	for i := range events {
		events[i].Installation = in.installation()
		if events[i].Chatty && !in.Routed(events[i].Provider, events[i].Type) {
			outcomes[i] = event.Ignored
			continue
		}
		kept = append(kept, i)
	}
	if len(kept) == 0 {
		return outcomes, nil
	}
	if in.ledger.closed() {
		err := in.writeAll(ctx, events, kept, outcomes)
		if !errors.Is(err, errLedgerAway) {
			return outcomes, err
		}
	}
	return outcomes, in.acceptAllDirectly(ctx, events, kept, outcomes)
}

// Replay asks for another run of a final event in the name of author; the relay starts it at once. The errors are those
// of store.Replay, or event.ErrUnavailable while the ledger is away.
func (in *Intake) Replay(ctx context.Context, id string, from event.From, author string) (event.Event, error) {
	ref, err := in.Store.Replay(ctx, id, from, author, in.Now())
	in.queues.nudge()
	return ref, away(err)
}

// Available reports whether each durable place answered last.
func (in *Intake) Available() (ledger, temporal bool) {
	return in.ledger.closed(), in.temporal.closed()
}

// Begun tells that a run of the event began in this process, which is proof enough that it was dispatched.
func (in *Intake) Begun(id string) { in.marks.begun(id) }

type silent struct{}

func (silent) Batch(int, time.Duration)   {}
func (silent) Dispatched(string)          {}
func (silent) Place(string, bool)         {}
func (silent) Queued(int)                 {}
func (silent) Backlog(int, time.Duration) {}
func (silent) Running(int, time.Duration) {}
