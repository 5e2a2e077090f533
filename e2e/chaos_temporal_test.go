package e2e_test

import (
	"testing"
	"time"

	"hookflow/internal/testkit"
)

// outage is how long a store is away.
func outage() time.Duration { return scaled(5*time.Second, time.Minute) }

// backlogGone is what the relay and the workers have to get through what an outage left.
const backlogGone = time.Minute

// While Temporal is away, in whatever way, senders post on and hear 200; the backlog is handed over afterwards.
func TestChaosTemporalAway(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*testkit.Proxy){
		"refusing":   (*testkit.Proxy).Refuse,
		"black hole": (*testkit.Proxy).Silence,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, _, temporal := proxied(t)
			c := unleash(t, in)
			s := c.serve()
			to := at(s)
			c.postAll(to, 2, c.checkoutsOf(10), c.persist)
			c.settled()
			before := s.gauge("go_goroutines")

			mark := c.history.mark()
			fault(temporal)
			c.postFor(outage(), duringOutages(), to, c.persist)
			during := c.history.since(mark)
			c.requireTaken(during)
			c.within("p99 while Temporal is away", quantile(during, 0.99), 250*time.Millisecond)
			temporal.Heal()
			healed := time.Now()
			until(t, "the backlog is handed over", func() bool { return c.rows("dispatched_at IS NULL") == 0 })
			c.within("backlog handed over", time.Since(healed), backlogGone)
			c.within("all final after the heal", time.Since(healed)+c.settled(), 2*backlogGone)
			c.requireSound()
			until(t, "goroutines are back to where they were", func() bool { return s.gauge("go_goroutines") < before+50 })
		})
	}
}

// A Temporal that does what it is asked and then does not say so: the same start again finds the run that the first made.
func TestChaosTemporalLies(t *testing.T) {
	t.Parallel()
	in, _, temporal := proxied(t)
	c := unleash(t, in)
	s := c.serve()
	to := at(s)
	c.persist(to, c.checkout())
	c.settled()
	temporal.CutResponses(0.05, c.seed)
	c.postFor(scaled(6*time.Second, time.Minute), duringOutages(), to, c.persist)
	c.requireTaken(c.history.all())
	temporal.Heal()
	c.requireSound()
	t.Logf("starts that found their run already made: %g", s.labelled("hookflow_dispatches_total", "already_started"))
}
