package intake

import (
	"slices"
	"sync"
	"time"

	"hookflow/event"

	"go.opentelemetry.io/otel/trace"
)

// queueRoom bounds the starts that wait in memory per provider: what a Temporal that takes 40 a second takes from several
// of them within a lease.
const queueRoom = 128

// queued is a reference whose start this process has leased.
type queued struct {
	event.Event
	leaseUntil   time.Time
	trace        trace.SpanContext // of the request; none where the relay found the row
	attempts     int
	refusedSince time.Time
	alone        bool // nothing else of its provider is started meanwhile
}

// queues holds one queue per provider and serves them in turn, so that one provider's burst does not delay another's. While
// the starts of a provider step back, one of them is served at a time, and the starters are free for others.
type queues struct {
	mu       sync.Mutex
	ready    *sync.Cond
	waiting  map[string][]queued
	taken    map[string]int // room in use: reserved and queued
	turn     []string       // providers with something queued, the next first
	stepBack func(provider string) bool
	held     map[string]bool // providers of which one is being started alone, or whose starts rest
	size     int
	isClosed bool
	wake     chan struct{}
	measure  func(int)
}

func newQueues(stepBack func(provider string) bool, measure func(int)) *queues {
	q := &queues{waiting: map[string][]queued{}, taken: map[string]int{}, held: map[string]bool{}, wake: make(chan struct{}, 1),
		stepBack: stepBack, measure: measure}
	q.ready = sync.NewCond(&q.mu)
	return q
}

// reserve takes a place in provider's queue, to be followed by push or release.
func (q *queues) reserve(provider string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken[provider] >= queueRoom || q.isClosed {
		return false
	}
	q.taken[provider]++
	return true
}

// release gives a reserved place back.
func (q *queues) release(provider string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken[provider]--
}

// push queues e in the place reserved for it.
func (q *queues) push(e queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting[e.Provider]) == 0 {
		q.turn = append(q.turn, e.Provider)
	}
	q.waiting[e.Provider] = append(q.waiting[e.Provider], e)
	q.size++
	q.measure(q.size)
	q.ready.Signal()
}

// pop waits for the next in turn; ok is false once the queues are closed.
func (q *queues) pop() (e queued, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	next := q.next()
	for ; next < 0 && !q.isClosed; next = q.next() {
		q.ready.Wait()
	}
	if q.isClosed {
		return queued{}, false
	}
	provider := q.turn[next]
	q.turn = slices.Delete(q.turn, next, next+1)
	e = q.waiting[provider][0]
	if e.alone = q.stepBack(provider); e.alone {
		q.held[provider] = true
	}
	q.waiting[provider] = q.waiting[provider][1:]
	if len(q.waiting[provider]) > 0 {
		q.turn = append(q.turn, provider)
	} else {
		delete(q.waiting, provider)
	}
	q.size--
	q.taken[provider]--
	q.measure(q.size)
	if q.taken[provider] == queueRoom/2 {
		q.nudge()
	}
	return e, true
}

// next is the place in the turn of the first provider that is not held, -1 for none.
func (q *queues) next() int {
	return slices.IndexFunc(q.turn, func(provider string) bool { return !q.held[provider] })
}

// started tells that the start of e is over. One that was made alone lets the next of its provider follow after a rest.
func (q *queues) started(e queued, rest time.Duration) {
	if e.alone {
		time.AfterFunc(rest, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			delete(q.held, e.Provider)
			q.ready.Broadcast()
		})
	}
}

// empty reports whether nothing is queued.
func (q *queues) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size == 0
}

// nudge wakes the relay.
func (q *queues) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// close ends pop.
func (q *queues) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.isClosed = true
	q.ready.Broadcast()
}

// rest returns what is still queued.
func (q *queues) rest() []queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []queued
	for _, waiting := range q.waiting {
		all = append(all, waiting...)
	}
	return all
}
