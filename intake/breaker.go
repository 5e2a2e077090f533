package intake

import (
	"sync"
	"time"
)

// breaker lets callers skip a place that does not answer. While it is open, one caller per interval may try.
type breaker struct {
	now      func() time.Time
	interval time.Duration

	mu      sync.Mutex
	open    bool
	next    time.Time
	changed func(open bool)
}

func newBreaker(now func() time.Time, changed func(open bool)) *breaker {
	return &breaker{now: now, interval: time.Second, changed: changed}
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

// report tells how a try ended.
func (b *breaker) report(answered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !answered {
		b.next = b.now().Add(b.interval)
	}
	if b.open == !answered {
		return
	}
	b.open = !answered
	b.changed(b.open)
}

func (b *breaker) closed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.open
}
