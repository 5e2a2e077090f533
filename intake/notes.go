package intake

import (
	"context"
	"sync"
	"time"

	"hookflow/event"
	"hookflow/store"
)

// flushEvery is how often notes for the ledger are written, markAfter how long the note of a start is kept back: a run that
// begins within it settles its row itself, and the note is dropped.
const (
	flushEvery = 250 * time.Millisecond
	markAfter  = 2 * time.Second
)

// maxNotes bounds one statement.
const maxNotes = 500

// marks gathers what the rows must hear about their starts.
type marks struct {
	mu        sync.Mutex
	inFlight  map[string]bool // id → its run has begun in this process
	started   map[string]mark
	postponed []store.Postponed
}

// mark is the note of a start.
type mark struct {
	event.Event
	at time.Time
}

func newMarks() *marks {
	return &marks{inFlight: map[string]bool{}, started: map[string]mark{}}
}

func (m *marks) starting(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight[id] = false
}

// begun settles id: its row knows already that it was dispatched.
func (m *marks) begun(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.inFlight[id]; ok {
		m.inFlight[id] = true
	}
	delete(m.started, id)
}

func (m *marks) dispatched(e event.Event, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.inFlight[e.ID] {
		m.started[e.ID] = mark{e, now}
	}
	delete(m.inFlight, e.ID)
}

// drop forgets a start of which the row hears in another way.
func (m *marks) drop(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.inFlight, id)
}

func (m *marks) postpone(p store.Postponed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.inFlight, p.ID)
	m.postponed = append(m.postponed, p)
}

// take returns at most maxNotes of each kind, of the starts only those before before, and keeps the rest.
func (m *marks) take(before time.Time) (started []event.Event, postponed []store.Postponed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.started {
		if len(started) == maxNotes {
			break
		}
		if s.at.Before(before) {
			started = append(started, s.Event)
			delete(m.started, id)
		}
	}
	n := min(len(m.postponed), maxNotes)
	postponed, m.postponed = m.postponed[:n:n], m.postponed[n:]
	return started, postponed
}

// duplicates gathers how often known events came again.
type duplicates struct {
	mu     sync.Mutex
	counts map[string]int
}

func newDuplicates() *duplicates { return &duplicates{counts: map[string]int{}} }

// maxCounted bounds the ids that are counted while the ledger is away; those beyond it go uncounted.
const maxCounted = 100_000

func (d *duplicates) add(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.counts[id]; known || len(d.counts) < maxCounted {
		d.counts[id]++
	}
}

func (d *duplicates) take() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := d.counts
	d.counts = map[string]int{}
	return taken
}

func (d *duplicates) putBack(counts map[string]int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, n := range counts {
		d.counts[id] += n
	}
}

// maxUnwritten bounds the ids that are counted for events which Temporal alone has so far.
const maxUnwritten = 1_000

// keep puts back the counts of events that have no row yet: Begin will write it.
func (d *duplicates) keep(counts map[string]int, missing []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range missing[:min(len(missing), maxUnwritten)] {
		d.counts[id] += counts[id]
	}
}

// flushNotes writes the notes in batches, outside every answer's path.
func (in *Intake) flushNotes(ctx context.Context) {
	every(ctx, flushEvery, func() {
		if in.ledger.closed() {
			in.flush(ctx, in.Now().Add(-markAfter))
		}
	})
}

// every does something at intervals until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}

// flush writes what is noted, of the starts those before startedBefore. A note of a start that is lost costs one start that finds the run already there; so does a
// lost postponement, when its lease ends. Duplicate counters are kept for the next time.
func (in *Intake) flush(ctx context.Context, startedBefore time.Time) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for {
		started, postponed := in.marks.take(startedBefore)
		if len(started) > 0 {
			in.complain("dispatched", in.Store.MarkDispatched(ctx, started, in.Now()))
		}
		if len(postponed) > 0 {
			in.complain("postponed", in.Store.PostponeDispatch(ctx, postponed, in.Now()))
		}
		if len(started) < maxNotes && len(postponed) < maxNotes {
			break
		}
	}
	if counts := in.duplicates.take(); len(counts) > 0 {
		missing, err := in.Store.CountDuplicates(ctx, counts, in.Now())
		if err != nil {
			in.duplicates.putBack(counts)
			in.complain("duplicates", err)
			return
		}
		in.duplicates.keep(counts, missing)
	}
}

func (in *Intake) complain(of string, err error) {
	if err != nil {
		in.Log.Warn("notes could not be written to the ledger", "of", of, "error", err)
	}
}
