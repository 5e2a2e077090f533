package e2e_test

import (
	"context"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// awaitAnswers waits until the senders got n answers since a mark.
func (c *chaos) awaitAnswers(mark, n int) {
	c.t.Helper()
	until(c.t, "senders are answered", func() bool { return len(c.history.since(mark)) >= n })
}

// awaitBegun waits until a worker has begun n events.
func (c *chaos) awaitBegun(n int) {
	c.t.Helper()
	until(c.t, "events are begun", func() bool { return c.rows("started_at IS NOT NULL") >= n })
}

// Workers are killed while events arrive and are handled; a worker's death is noticed by Temporal, not by us.
func TestChaosWorkerKilled(t *testing.T) {
	t.Parallel()
	c := unleash(t, install(t))
	events, kills := scaled(80, 1000), scaled(2, 10)
	to := at(c.serve("--only", "api"))
	worker := c.serve("--only", "worker")
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		c.postAll(to, 4, c.checkoutsOf(events), c.persist)
	}()
	for i := range kills {
		c.awaitBegun((i + 1) * events / (kills + 2))
		worker.kill()
		worker = c.serve("--only", "worker")
	}
	last := time.Now()
	<-posted
	c.settled()
	c.within("all final after the last kill", time.Since(last), 2*time.Minute)
	require.Len(t, c.requireSound(), events)
	c.requireTaken(c.history.all()) // no sender notices a worker's death
}

// The process that answers is killed between any two of reading, keeping, answering and starting; senders come again.
func TestChaosAPIKilled(t *testing.T) {
	t.Parallel()
	c := unleash(t, install(t))
	kills := scaled(2, 10)
	s := c.serve("--only", "api")
	to := at(s)
	worker := c.serve("--only", "worker")
	ctx, enough := context.WithCancel(t.Context())
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		c.postUntil(ctx, scaled(40.0, 200.0), to, c.persist)
	}()
	for range kills {
		c.awaitAnswers(c.history.mark(), scaled(25, 80))
		s.kill()
		s = c.serve("--only", "api")
		to.move(s)
	}
	enough()
	<-posted
	require.NotEmpty(t, c.requireSound())
	worker.drain()
}

// Deploys: a new process starts beside the old one, and the old one is asked to stop, over and over. Senders go on calling
// the old one until its /readyz says that it leaves, as a load balancer does. Nobody's request is refused.
func TestChaosRollingStops(t *testing.T) {
	t.Parallel()
	c := unleash(t, install(t).with("HOOKFLOW_DRAIN_DELAY", "1s"))
	s := c.serve()
	to := at(s)
	deploys := scaled(2, 20)
	ctx, enough := context.WithCancel(t.Context())
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		c.postUntil(ctx, scaled(10.0, 50.0), to, c.persist)
	}()
	var slowest time.Duration
	for range deploys {
		c.awaitAnswers(c.history.mark(), scaled(5, 100))
		next := c.serve()
		began := time.Now()
		require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
		until(t, "the process says that it leaves", func() bool {
			got, err := s.readiness()
			return err != nil || got == http.StatusServiceUnavailable
		})
		to.move(next)
		require.Zero(t, s.exitCode(t), "%s", s.stderr)
		slowest = max(slowest, time.Since(began))
		s = next
	}
	enough()
	<-posted
	c.requireTaken(c.history.all())
	c.within("slowest drain", slowest, 30*time.Second)
	c.requireSound()
	s.drain()
}

// readiness is the status of /readyz where senders call.
func (s *server) readiness() (int, error) {
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.webhooks+"/readyz", nil)
	if err != nil {
		return 0, err
	}
	got, err := exchange(r)
	if err != nil {
		return 0, err
	}
	return got.status, nil
}
