package worker

import (
	"context"
	"sync"

	"hookflow/activities"
	"hookflow/store"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
)

// tallies are what this process saw of each destination since it last told the ledger. A destination that answers is not
// written about, unless the ledger holds failures of it: what goes well costs nothing.
type tallies struct {
	kick chan struct{} // asks for the next look at once

	mu      sync.Mutex
	of      map[string]store.Verdict
	limits  map[string]int
	careful map[string]bool // answers are news
}

// watch says which failures in a row open the circuit, and whether answers are worth telling.
func (t *tallies) watch(destination string, limit int, careful bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.limits == nil {
		t.limits, t.careful = map[string]int{}, map[string]bool{}
	}
	t.limits[destination], t.careful[destination] = limit, careful
}

// note adds an attempt. The one that fills the measure, and the one that everybody waits for, is told at once.
func (t *tallies) note(destination string, answered bool, words string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, seen := t.of[destination]
	switch {
	case !answered:
		v.Failures++
		v.Last = words
	case !seen && !t.careful[destination]:
		return
	default:
		v = store.Verdict{Answered: true}
	}
	if t.of == nil {
		t.of = map[string]store.Verdict{}
	}
	t.of[destination] = v
	if limit := t.limits[destination]; t.careful[destination] || limit > 0 && v.Failures >= limit {
		select {
		case t.kick <- struct{}{}:
		default:
		}
	}
}

// take returns what there is to tell.
func (t *tallies) take() map[string]store.Verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.of
	t.of = nil
	return all
}

// putBack keeps what could not be told, under what was seen since.
func (t *tallies) putBack(destination string, v store.Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[string]store.Verdict{}
	}
	if since, ok := t.of[destination]; ok {
		if !since.Answered {
			since.Answered, since.Failures = v.Answered, since.Failures+v.Failures
		}
		v = since
	}
	t.of[destination] = v
}

// verdicts listens to the attempts of one destination.
type verdicts struct {
	interceptor.WorkerInterceptorBase
	destination string
	to          *tallies
}

// InterceptActivity is called once per attempt.
func (v *verdicts) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	i := &verdict{verdicts: v}
	i.Next = next
	return i
}

type verdict struct {
	interceptor.ActivityInboundInterceptorBase
	*verdicts
}

// ExecuteActivity notes what an attempt says of the destination.
func (v *verdict) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	result, err := v.Next.ExecuteActivity(ctx, in)
	switch {
	case activities.SpeaksAgainst(err):
		v.to.note(v.destination, false, errorWords(err))
	case activities.Answered(err):
		v.to.note(v.destination, true, "")
	}
	return result, err
}

func errorWords(err error) string {
	words, _ := activities.Describe(err)
	return words
}

// only is the room for one attempt in the life of a worker: the one that decides about an open circuit.
type only struct {
	free chan struct{}
	made chan struct{} // closed when it was made

	mu   sync.Mutex
	used bool
}

func newOnly() *only {
	o := &only{free: make(chan struct{}, 1), made: make(chan struct{})}
	o.free <- struct{}{}
	return o
}

// ReserveSlot waits for the room; after the attempt, until ctx ends.
func (o *only) ReserveSlot(ctx context.Context, _ worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	select {
	case <-o.free:
		return &worker.SlotPermit{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TryReserveSlot gives nothing: no attempt comes unasked for.
func (o *only) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit { return nil }

// MarkSlotUsed says that there is an attempt.
func (o *only) MarkSlotUsed(worker.SlotMarkUsedInfo) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.used = true
}

// ReleaseSlot gives the room back when nothing came, and never after an attempt.
func (o *only) ReleaseSlot(worker.SlotReleaseInfo) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.used {
		o.free <- struct{}{}
		return
	}
	select {
	case <-o.made:
	default:
		close(o.made)
	}
}

// MaxSlots is one.
func (o *only) MaxSlots() int { return 1 }

func (o *only) tuner() (worker.WorkerTuner, error) {
	others, err := worker.NewFixedSizeSlotSupplier(1)
	if err != nil {
		return nil, err
	}
	return worker.NewCompositeTuner(worker.CompositeTunerOptions{
		WorkflowSlotSupplier: others, ActivitySlotSupplier: o, LocalActivitySlotSupplier: others, NexusSlotSupplier: others,
		SessionActivitySlotSupplier: others,
	})
}
