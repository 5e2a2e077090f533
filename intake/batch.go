package intake

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"hookflow/event"
	"hookflow/store"

	"go.opentelemetry.io/otel/trace"
)

const (
	// batchWriters: while one batch is being committed, the requests that arrive make up the next.
	batchWriters = 2
	// maxBatchRows and maxBatchBytes bound one statement.
	maxBatchRows  = 256
	maxBatchBytes = 8 << 20
	// maxDeliveryRows bounds a statement of one delivery, which is not filled up with others: a larger delivery is cut.
	maxDeliveryRows = 1000
	// ledgerTimeout: a batch not answered by then counts as away.
	ledgerTimeout = 750 * time.Millisecond
	// bytesPerSecond is what a slow disk still takes; a batch has that much longer. One over largeBatch that fails does not
	// speak for the ledger.
	bytesPerSecond = 4 << 20
	largeBatch     = 1 << 20
	// timePerRow is what each row adds to the time of its batch: a busy ledger takes some 1,000 rows of one statement a second.
	timePerRow = time.Millisecond
	// leaseFor is how long the relay leaves a row to the process that wrote it.
	leaseFor = 15 * time.Second
)

// errLedgerAway: the ledger did not take the event, or did not say so.
var errLedgerAway = errors.New("the ledger does not answer")

// arrival is a request waiting for the ledger's verdict.
type arrival struct {
	event     *event.Event
	heldUntil time.Time    // by the door, which starts the run itself; zero for most
	verdict   chan verdict // buffered, so that a writer never waits for a request that gave up
	trace     trace.SpanContext
	rest      []*arrival // further events of its delivery: they go into the same statement
}

type verdict struct {
	outcome event.Outcome
	err     error
}

// write hands e to a batch and waits for the verdict. errLedgerAway means: unknown, try the second place. With a time
// heldUntil the relay leaves the row alone until then, and the dispatcher altogether.
func (in *Intake) write(ctx context.Context, e *event.Event, heldUntil time.Time) (event.Outcome, error) {
	a := &arrival{event: e, heldUntil: heldUntil, verdict: make(chan verdict, 1), trace: trace.SpanContextFromContext(ctx)}
	select {
	case in.arrivals <- a:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	select {
	case v := <-a.verdict:
		return v.outcome, v.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// writeAll is write for the events of one delivery, those at the places kept, and sets their outcomes. Nothing is taken back
// where a part of them fails: the sender comes again, and finds those that were taken as duplicates.
func (in *Intake) writeAll(ctx context.Context, events []event.Event, kept []int, outcomes []event.Outcome) error {
	all := make([]*arrival, len(kept))
	for i, place := range kept {
		all[i] = &arrival{event: &events[place], verdict: make(chan verdict, 1), trace: trace.SpanContextFromContext(ctx)}
	}
	for some := range slices.Chunk(all, maxDeliveryRows) {
		first := *some[0]
		first.rest = some[1:]
		select {
		case in.arrivals <- &first:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var failed error
	for i, place := range kept {
		select {
		case v := <-all[i].verdict:
			outcomes[place] = v.outcome
			// One that neither place may take again counts more than one that is asked to come again.
			if v.err != nil && (failed == nil || errors.Is(failed, errLedgerAway)) {
				failed = v.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return failed
}

func (in *Intake) writeBatches(ctx context.Context) {
	for {
		select {
		case first := <-in.arrivals:
			in.writeBatch(in.gather(first))
		case <-ctx.Done():
			return
		}
	}
}

// gather takes what waits already; it never waits for more. What came as one is not divided.
func (in *Intake) gather(first *arrival) []*arrival {
	var batch []*arrival
	bytes := 0
	add := func(a *arrival) {
		batch, bytes = append(batch, a), bytes+len(a.event.Body)
		for _, other := range a.rest {
			batch, bytes = append(batch, other), bytes+len(other.event.Body)
		}
	}
	add(first)
	for len(batch) < maxBatchRows && bytes < maxBatchBytes {
		select {
		case a := <-in.arrivals:
			add(a)
		default:
			return batch
		}
	}
	return batch
}

// writeBatch writes one row per key, in the order of the keys, and tells every request its verdict.
func (in *Intake) writeBatch(batch []*arrival) {
	if !in.ledger.closed() {
		for _, a := range batch {
			a.verdict <- verdict{err: errLedgerAway}
		}
		return
	}
	slices.SortStableFunc(batch, func(a, b *arrival) int { return strings.Compare(a.event.Key(), b.event.Key()) })
	firsts, rows := in.rows(batch)
	started := in.Now()
	bytes := size(rows)
	ctx, cancel := context.WithTimeout(context.Background(), in.timeFor(len(rows), bytes))
	defer cancel()
	fresh, err := in.Store.InsertEvents(ctx, rows)
	in.Metrics.Batch(len(rows), in.Now().Sub(started))
	switch {
	case store.Refused(err) && len(firsts) > 1:
		in.release(rows)
		in.writeApart(batch, firsts)
		return
	case store.Refused(err):
		in.release(rows)
		tell(batch, func(*arrival) verdict { return verdict{err: err} })
		return
	case err != nil:
		in.release(rows)
		if bytes <= largeBatch {
			in.ledger.report(err)
		}
		tell(batch, func(*arrival) verdict { return verdict{err: errLedgerAway} })
		return
	}
	in.ledger.report(nil)
	in.settle(batch, firsts, rows, fresh)
}

// timeFor is how long a batch may take before the ledger counts as away.
func (in *Intake) timeFor(rows, bytes int) time.Duration {
	return in.LedgerTimeout + time.Duration(rows)*timePerRow + time.Duration(bytes)*time.Second/bytesPerSecond
}

// rows makes one ledger row per key. A row is leased to this process when its dispatcher has room, else the relay's.
func (in *Intake) rows(batch []*arrival) (firsts map[string]*arrival, rows []store.Arrival) {
	firsts = make(map[string]*arrival, len(batch))
	lease := in.Now().Add(leaseFor)
	for _, a := range batch {
		if firsts[a.event.ID] != nil {
			continue
		}
		firsts[a.event.ID] = a
		row := store.Arrival{Event: a.event, NextDispatch: a.heldUntil}
		switch {
		case !a.heldUntil.IsZero():
		case in.queues.reserve(a.event.Provider):
			row.LeaseUntil = lease
		default:
			in.pressure.overflow(a.event.Provider, 1)
		}
		rows = append(rows, row)
	}
	return firsts, rows
}

// settle queues what is new, notes what is not, and answers.
func (in *Intake) settle(batch []*arrival, firsts map[string]*arrival, rows []store.Arrival, fresh map[string]bool) {
	for _, row := range rows {
		leased := !row.LeaseUntil.IsZero()
		switch {
		case fresh[row.ID] && leased:
			in.Store.Remember(*row.Event)
			in.queues.push(queued{Event: row.Ref(), leaseUntil: row.LeaseUntil, trace: firsts[row.ID].trace})
		case fresh[row.ID] && row.NextDispatch.IsZero():
			in.queues.nudge()
		case leased:
			in.queues.release(row.Provider)
		}
	}
	tell(batch, func(a *arrival) verdict {
		if fresh[a.event.ID] && firsts[a.event.ID] == a && in.answered.first(a.event.ID) {
			return verdict{outcome: event.Accepted}
		}
		in.duplicates.add(a.event.ID)
		return verdict{outcome: event.Duplicate}
	})
}

// writeApart writes each key by itself, so that the row which Postgres refuses does not fail its neighbours.
func (in *Intake) writeApart(batch []*arrival, firsts map[string]*arrival) {
	copies := make(map[string][]*arrival, len(firsts))
	for _, a := range batch {
		copies[a.event.ID] = append(copies[a.event.ID], a)
	}
	for _, same := range copies {
		in.writeBatch(same)
	}
}

func (in *Intake) release(rows []store.Arrival) {
	for _, row := range rows {
		if !row.LeaseUntil.IsZero() {
			in.queues.release(row.Provider)
		}
	}
}

func size(rows []store.Arrival) int {
	bytes := 0
	for _, row := range rows {
		bytes += len(row.Body)
	}
	return bytes
}

func tell(batch []*arrival, of func(*arrival) verdict) {
	for _, a := range batch {
		a.verdict <- of(a)
	}
}

// probeLedger asks once a second whether a ledger that was away answers again.
func (in *Intake) probeLedger(ctx context.Context) {
	every(ctx, time.Second, func() {
		if in.ledger.closed() {
			return
		}
		probe, cancel := context.WithTimeout(ctx, in.LedgerTimeout)
		defer cancel()
		in.ledger.report(in.Store.Ping(probe))
	})
}
