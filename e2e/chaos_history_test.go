package e2e_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// What a sender knows after a request, in the words of Jepsen.
const (
	saidOK   = "ok"   // 200: the event is kept
	saidFail = "fail" // 4xx: it is not
	saidInfo = "info" // 503 or no answer: nobody knows
)

// line is one request in the history of a test.
type line struct {
	key, result, outcome string
	status               int   // 0 without an answer
	err                  error // why there was none
	latency              time.Duration
	header               http.Header
}

// history is what the senders saw.
type history struct {
	mu    sync.Mutex
	lines []line
}

func (h *history) add(l line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, l)
}

// all is a copy of the lines so far.
func (h *history) all() []line {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

// mark is a place in the history, for since.
func (h *history) mark() int { return len(h.all()) }

func (h *history) since(mark int) []line { return h.all()[mark:] }

// keys are the events of which the senders heard one of the results at least once.
func (h *history) keys(results ...string) map[string]bool {
	found := map[string]bool{}
	for _, l := range h.all() {
		if slices.Contains(results, l.result) {
			found[l.key] = true
		}
	}
	return found
}

// tally counts lines by what was answered: "200 accepted", "Service Unavailable", "no answer".
func tally(lines []line) map[string]int {
	counts := map[string]int{}
	for _, l := range lines {
		counts[l.outcome]++
	}
	return counts
}

// quantile is the latency that a part p of the answered requests did not exceed.
func quantile(lines []line, p float64) time.Duration {
	var times []time.Duration
	for _, l := range lines {
		if l.status != 0 {
			times = append(times, l.latency)
		}
	}
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(int(p*float64(len(times))), len(times)-1)]
}

// address leads the senders to a server, which may go and come back elsewhere.
type address struct{ url atomic.Pointer[string] }

func at(s *server) *address {
	a := &address{}
	a.move(s)
	return a
}

func (a *address) move(s *server) { a.url.Store(&s.webhooks) }

// once posts d and writes the line.
func (c *chaos) once(to *address, d *delivery) line {
	began := time.Now()
	got, err := d.try(c.t.Context(), *to.url.Load())
	l := line{key: d.key(), latency: time.Since(began), result: saidInfo, outcome: "no answer", err: err}
	if err == nil {
		l.status, l.outcome, l.header = got.status, describe(got), got.header
		switch {
		case got.status == http.StatusOK:
			l.result = saidOK
		case got.status < 500:
			l.result = saidFail
		}
	}
	c.history.add(l)
	return l
}

// How long a sender waits before it comes again: twice as long each time. Providers wait longer, and a crowd that does not
// wait would be what keeps the server from answering.
const (
	retryPause = 50 * time.Millisecond
	maxPause   = time.Second
)

// answered posts d until somebody says what became of it, as providers do, and returns that answer.
func (c *chaos) answered(to *address, d *delivery) line {
	for pause := retryPause; ; pause = min(2*pause, maxPause) {
		if l := c.once(to, d); l.result != saidInfo || c.t.Context().Err() != nil {
			return l
		}
		<-time.After(pause)
	}
}

// persist is answered for postAll and postFor.
func (c *chaos) persist(to *address, d *delivery) { c.answered(to, d) }

// postAll posts deliveries side by side.
func (c *chaos) postAll(to *address, senders int, all []*delivery, post func(*address, *delivery)) {
	todo := make(chan *delivery, len(all))
	for _, d := range all {
		todo <- d
	}
	close(todo)
	var posting sync.WaitGroup
	for range senders {
		posting.Go(func() {
			for d := range todo {
				post(to, d)
			}
		})
	}
	posting.Wait()
}

// postFor posts fresh checkouts at a rate per second for a time and waits for the answers.
func (c *chaos) postFor(long time.Duration, perSecond float64, to *address, post func(*address, *delivery)) {
	ctx, cancel := context.WithTimeout(c.t.Context(), long)
	defer cancel()
	c.postUntil(ctx, perSecond, to, post)
}

// postUntil is postFor until ctx ends. Each delivery has a goroutine of its own, so that a slow answer holds up nobody.
func (c *chaos) postUntil(ctx context.Context, perSecond float64, to *address, post func(*address, *delivery)) {
	pace := rate.NewLimiter(rate.Limit(perSecond), 1)
	var posting sync.WaitGroup
	for pace.Wait(ctx) == nil {
		d := c.checkout()
		posting.Go(func() { post(to, d) })
	}
	posting.Wait()
}

// pace posts deliveries at a rate per second and waits for the answers.
func (c *chaos) pace(perSecond float64, all []*delivery, post func(*delivery)) {
	limit := rate.NewLimiter(rate.Limit(perSecond), 1)
	var posting sync.WaitGroup
	for _, d := range all {
		if limit.Wait(c.t.Context()) != nil {
			break
		}
		posting.Go(func() { post(d) })
	}
	posting.Wait()
}
