package intake

import (
	"context"
	"errors"
	"time"

	"hookflow/store"

	"go.opentelemetry.io/otel/trace"
)

const (
	// starters is the concurrency towards Temporal: a start takes some milliseconds, and a server on two cores does not
	// take more than a few at a time any faster.
	starters = 8
	// refusedFor is how long a start that Temporal refuses is repeated before the event is failed: a namespace can be
	// repaired within a day.
	refusedFor = 24 * time.Hour
	// maxRefusalPause bounds the pause between two starts of a refused event.
	maxRefusalPause = 5 * time.Minute
	// maxAwayPause bounds the pause of a row that Temporal does not answer for. While it answers for none, the breaker keeps
	// the load off, and few rows are tried.
	maxAwayPause = 30 * time.Second
)

// startQueued starts what is queued, one at a time, until the queues are closed.
func (in *Intake) startQueued(ctx context.Context) {
	for {
		next, ok := in.queues.pop()
		if !ok {
			return
		}
		began := in.Now()
		if in.awaitTemporal(ctx, next) { // else the lease is over or the process stops: the relay's
			in.marks.starting(next.ID)
			// A start under way is finished even by a stopping process: an answer is worth the three seconds at most.
			starting := next.within(context.WithoutCancel(ctx))
			// One that was tried before may have its run, and with it a first task that nobody works on if it was eager.
			in.note(starting, next, in.start(starting, &next.Event, nil, next.attempts == 0))
		}
		in.queues.started(next, in.pressure.rest(next.Provider, in.Now().Sub(began)))
	}
}

// within returns ctx within the trace of the request that brought the event. What the relay starts begins a trace of its
// own: the row does not know the request's.
func (q *queued) within(ctx context.Context) context.Context {
	if !q.trace.IsValid() {
		return ctx
	}
	return trace.ContextWithSpanContext(ctx, q.trace)
}

// awaitTemporal waits until the breaker lets a start through. It returns false when the row is no longer this process's.
func (in *Intake) awaitTemporal(ctx context.Context, next queued) bool {
	for !in.temporal.allow() {
		select {
		case <-ctx.Done():
			in.marks.postpone(store.Postponed{Event: next.Event, Next: in.Now()})
			return false
		case <-time.After(100 * time.Millisecond):
		}
		if in.Now().After(next.leaseUntil) {
			return false
		}
	}
	return in.Now().Before(next.leaseUntil)
}

// note records how a start ended; the rows hear of it in batches.
func (in *Intake) note(ctx context.Context, next queued, err error) {
	switch {
	case err == nil:
		in.temporal.report(nil)
		in.Metrics.Dispatched("started")
		in.marks.dispatched(next.Event, in.Now())
	case errors.Is(err, errAlreadyStarted) && next.Generation == 0:
		in.temporal.report(nil)
		in.Metrics.Dispatched("already_started")
		in.marks.dispatched(next.Event, in.Now())
	case errors.Is(err, errAlreadyStarted):
		// The run of an older generation may still be closing. If it is this generation's own, its Begin settles the row.
		in.temporal.report(nil)
		in.Metrics.Dispatched("already_started")
		in.postpone(next, min(time.Second<<min(next.attempts, 6), time.Minute), "")
	case errors.Is(err, errRefused):
		in.temporal.report(nil)
		in.Metrics.Dispatched("refused")
		in.refuse(ctx, next, err)
	default:
		in.temporal.report(err)
		in.Metrics.Dispatched("unavailable")
		in.postpone(next, min(time.Second<<min(next.attempts, 5), maxAwayPause), "")
	}
}

func (in *Intake) postpone(next queued, pause time.Duration, refusal string) {
	in.marks.postpone(store.Postponed{Event: next.Event, Next: in.Now().Add(pause), Refusal: refusal})
}

// refuse repeats a refused start for a day, then fails the event with the reason.
func (in *Intake) refuse(ctx context.Context, next queued, reason error) {
	in.Log.ErrorContext(ctx, "Temporal refuses a run", next.Attrs(), "error", reason)
	if next.refusedSince.IsZero() || in.Now().Sub(next.refusedSince) < refusedFor {
		in.postpone(next, min(time.Second<<min(next.attempts, 10), maxRefusalPause), reason.Error())
		return
	}
	in.marks.drop(next.ID)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.LedgerTimeout)
	defer cancel()
	if err := in.Store.FailDispatch(ctx, next.Event, reason.Error(), in.Now()); err != nil {
		in.Log.WarnContext(ctx, "a refused event could not be failed yet", next.Attrs(), "error", err)
	}
}

// giveBack ends the leases of what was not started, so that another process need not wait for them to run out.
func (in *Intake) giveBack() {
	for _, left := range in.queues.rest() {
		in.marks.postpone(store.Postponed{Event: left.Event, Next: in.Now()})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	in.flush(ctx, in.Now().Add(time.Hour))
}
