package e2e_test

import (
	"testing"
	"time"

	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// A little of everything on both links: answers that come late, and connections that are cut in the middle of one.
// Senders come again, as providers do.
func TestChaosFaultsEverywhere(t *testing.T) {
	t.Parallel()
	in, postgres, temporal := proxied(t)
	c := unleash(t, in)
	to := at(c.serve())
	c.persist(to, c.checkout())
	c.settled()
	for i, link := range []*testkit.Proxy{postgres, temporal} {
		link.Delay(20*time.Millisecond, 20*time.Millisecond)
		link.CutResponses(0.01, c.seed+uint64(i))
	}
	c.postFor(scaled(8*time.Second, 8*time.Minute), duringOutages(), to, c.persist)
	postgres.Heal()
	temporal.Heal()
	require.Empty(t, c.history.keys(saidFail))
	c.requireSound()
}

// An outage that comes and goes, shorter and longer than every time-out on the way, now of one store and now of the other.
func TestChaosFlapping(t *testing.T) {
	t.Parallel()
	in, postgres, temporal := proxied(t)
	c := unleash(t, in)
	to := at(c.serve())
	c.persist(to, c.checkout())
	c.settled()
	posted := make(chan struct{})
	rounds := scaled(4, 40)
	pauses := []time.Duration{200 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond, 3500 * time.Millisecond}
	over := make(chan struct{})
	go func() {
		defer close(posted)
		for ended := false; !ended; {
			c.postFor(time.Second, duringOutages(), to, c.persist)
			select {
			case <-over:
				ended = true
			default:
			}
		}
	}()
	for range rounds {
		link := []*testkit.Proxy{postgres, temporal}[c.random.intN(2)]
		[]func(*testkit.Proxy){(*testkit.Proxy).Refuse, (*testkit.Proxy).Silence}[c.random.intN(2)](link)
		<-time.After(pauses[c.random.intN(len(pauses))])
		link.Heal()
		<-time.After(pauses[c.random.intN(2)])
	}
	close(over)
	<-posted
	require.Empty(t, c.history.keys(saidFail))
	c.requireSound()
}
