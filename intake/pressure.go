package intake

import (
	"sync"
	"time"
)

// A start costs Temporal, and so a machine that they share, many times what a row costs the ledger: measured on two cores,
// dispatching at full speed halves the rate at which requests are acknowledged. So when more of a provider comes than can
// be started, its starts step back for a while: the backlog is in the ledger and keeps. A crowd that stays is no crowd but
// the usual load, and gets both.
const (
	// crowd is how many rows, within crowdFor, find no room in the queue of their provider when more comes than can be
	// started. Fewer are what is posted while an outage's backlog is handed over, which must not wait for them.
	crowd    = 16
	crowdFor = 100 * time.Millisecond
	// deferFor is how long starts step back for one crowd, calm the time without it that ends it.
	deferFor = 10 * time.Second
	calm     = time.Second
	// restFactor times its own duration, and maxRest at most, is how long a provider's one start at a time is rested from.
	restFactor = 20
	maxRest    = 250 * time.Millisecond
)

// pressure knows which providers' starts are to step back.
type pressure struct {
	now func() time.Time

	mu     sync.Mutex
	crowds map[string]*crowding // by provider
}

// crowding is what came of one provider beyond what its queue holds.
type crowding struct {
	window      time.Time // since when rows are counted
	rows        int
	since, last time.Time // of the crowd: when it came, and when it was last seen
}

func newPressure(now func() time.Time) *pressure {
	return &pressure{now: now, crowds: map[string]*crowding{}}
}

// overflow hears how many rows of a provider found no room in its queue.
func (p *pressure) overflow(provider string, rows int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.crowds[provider]
	if c == nil {
		c = &crowding{}
		p.crowds[provider] = c
	}
	now := p.now()
	if now.Sub(c.window) >= crowdFor {
		c.window, c.rows = now, 0
	}
	if c.rows += rows; c.rows < crowd {
		return
	}
	if now.Sub(c.last) > calm {
		c.since = now
	}
	c.last = now
}

// high reports whether the starts of a provider step back: there is a crowd of it, and it came not long ago.
func (p *pressure) high(provider string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.crowds[provider]
	if c == nil {
		return false
	}
	now := p.now()
	return now.Sub(c.last) < crowdFor && now.Sub(c.since) < deferFor
}

// rest is how long nothing of a provider is started after a start that took so long.
func (p *pressure) rest(provider string, took time.Duration) time.Duration {
	if !p.high(provider) {
		return 0
	}
	return min(restFactor*took, maxRest)
}
