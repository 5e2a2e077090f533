package intake

import (
	"sync"
	"time"
)

// breaker lets callers skip a place that does not answer. It opens after a number of failures with no success between;
// while it is open, one caller per interval may try.
type breaker struct {
	now      func() time.Time
	interval time.Duration
	limit    int
	changed  func(open bool, because error)

	mu       sync.Mutex
	open     bool
	failures int
	next     time.Time
}

func newBreaker(now func() time.Time, limit int, changed func(open bool, because error)) *breaker {
	return &breaker{now: now, interval: time.Second, limit: limit, changed: changed}
}

// allow reports whether the caller may try: always while closed, once per interval while open.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return true
	}
	now := b.now()
	if now.Before(b.next) {
		return false
	}
	b.next = now.Add(b.interval)
	return true
}

// report tells how a try ended: nil when the place answered.
func (b *breaker) report(because error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if because == nil {
		b.failures = 0
	} else {
		b.failures++
		b.next = b.now().Add(b.interval)
	}
	if open := b.failures >= b.limit; open != b.open {
		b.open = open
		b.changed(open, because)
	}
}

func (b *breaker) closed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.open
}
