package intake

import (
	"context"
	"sync"
	"time"
)

// A start costs Temporal, and so a machine that they share, many times what a row costs the ledger: measured on two cores,
// dispatching at full speed halves the rate at which requests are acknowledged. So when more comes than can be started,
// starts step back for a while: the backlog is in the ledger and keeps. A crowd that stays is no crowd but the usual load,
// and gets both.
const (
	// crowd is how many rows, within crowdFor, find no room in the queue of their provider when more comes than can be
	// started. Fewer are what is posted while an outage's backlog is handed over, which must not wait for them.
	crowd    = 16
	crowdFor = 100 * time.Millisecond
	// deferFor is how long starts step back for one crowd, calm the time without it that ends it.
	deferFor = 10 * time.Second
	calm     = time.Second
	// restFactor times its own duration, and maxRest at most, is how long the one starter rests after a start meanwhile.
	restFactor = 20
	maxRest    = 250 * time.Millisecond
)

// pressure tells the starters when they are to step back.
type pressure struct {
	now   func() time.Time
	alone chan struct{} // the right to start while it is crowded

	mu          sync.Mutex
	window      time.Time // since when rows are counted
	rows        int
	since, last time.Time // of the crowd: when it came, and when it was last seen
}

func newPressure(now func() time.Time) *pressure {
	return &pressure{now: now, alone: make(chan struct{}, 1)}
}

// overflow hears how many rows of a batch found no room in their queue.
func (p *pressure) overflow(rows int) {
	if rows == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now.Sub(p.window) >= crowdFor {
		p.window, p.rows = now, 0
	}
	if p.rows += rows; p.rows < crowd {
		return
	}
	if now.Sub(p.last) > calm {
		p.since = now
	}
	p.last = now
}

// high reports whether starts step back: there is a crowd, and it came not long ago.
func (p *pressure) high() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	return now.Sub(p.last) < crowdFor && now.Sub(p.since) < deferFor
}

// enter waits until a start may be made, and returns what is to be called after it. While starts step back, one is made
// at a time, with a rest after each.
func (p *pressure) enter(ctx context.Context) (leave func()) {
	if !p.high() {
		return func() {}
	}
	select {
	case p.alone <- struct{}{}:
	case <-ctx.Done():
		return func() {}
	}
	if !p.high() {
		<-p.alone
		return func() {}
	}
	began := p.now()
	return func() {
		defer func() { <-p.alone }()
		if !p.high() {
			return
		}
		select {
		case <-time.After(min(restFactor*p.now().Sub(began), maxRest)):
		case <-ctx.Done():
		}
	}
}
