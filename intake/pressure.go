package intake

import (
	"context"
	"sync/atomic"
	"time"
)

// A start costs Temporal, and so a machine that they share, many times what a row costs the ledger: measured on two cores,
// dispatching at full speed halves the rate at which requests are acknowledged. While batches are large, starts step
// back; the backlog is in the ledger and keeps.
const (
	// crowd is how many rows in one batch mean that requests are waiting, crowdFor how long such a batch speaks.
	crowd    = 8
	crowdFor = 100 * time.Millisecond
	// restFactor times its own duration, and maxRest at most, is how long the one starter rests after a start meanwhile.
	restFactor = 3
	maxRest    = 100 * time.Millisecond
)

// pressure tells the starters when requests wait for the ledger.
type pressure struct {
	now     func() time.Time
	crowded atomic.Int64  // when the last large batch was written, in Unix nanoseconds
	alone   chan struct{} // the right to start while it is crowded
}

func newPressure(now func() time.Time) *pressure {
	return &pressure{now: now, alone: make(chan struct{}, 1)}
}

// batch hears of each batch.
func (p *pressure) batch(rows int) {
	if rows >= crowd {
		p.crowded.Store(p.now().UnixNano())
	}
}

func (p *pressure) high() bool { return p.now().Sub(time.Unix(0, p.crowded.Load())) < crowdFor }

// enter waits until a start may be made, and returns what is to be called after it. While requests wait, one start is made
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
