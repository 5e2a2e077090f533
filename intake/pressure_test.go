package intake

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Starts step back for a crowd at the door, but not for ever.
func TestPressure(t *testing.T) {
	t.Parallel()
	const provider = "stripe"
	now := time.Unix(1_700_000_000, 0)
	p := newPressure(func() time.Time { return now })
	require.False(t, p.high(provider), "nobody has come")
	p.overflow(provider, crowd-1)
	require.False(t, p.high(provider), "a few are no crowd")
	now = now.Add(crowdFor)
	p.overflow(provider, crowd-1)
	require.False(t, p.high(provider), "nor are a few more")
	p.overflow(provider, 1)
	require.True(t, p.high(provider))
	now = now.Add(crowdFor)
	require.False(t, p.high(provider), "it has gone")

	began := now.Add(-crowdFor)
	for ; now.Sub(began) < deferFor; now = now.Add(crowdFor / 2) {
		p.overflow(provider, crowd)
		require.True(t, p.high(provider), "after %s", now.Sub(began))
	}
	p.overflow(provider, crowd)
	require.False(t, p.high(provider), "a crowd that stays")
	now = now.Add(calm)
	p.overflow(provider, crowd)
	require.False(t, p.high(provider), "the same crowd")
	now = now.Add(calm + 1)
	p.overflow(provider, crowd)
	require.True(t, p.high(provider), "another one")
	require.False(t, p.high("twilio"), "nobody came of the others")

	require.Equal(t, 200*time.Millisecond, p.rest(provider, 10*time.Millisecond))
	require.Equal(t, maxRest, p.rest(provider, time.Second))
	require.Zero(t, p.rest("twilio", time.Second))
}

// Starts of a provider that step back are made one at a time, with rests between them, and those of the others as ever.
func TestPressureHoldsBackItsProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPressure(time.Now)
		q := newQueues(p.high, func(int) {})
		go func() {
			for began := time.Now(); time.Since(began) < time.Second; time.Sleep(crowdFor / 2) {
				p.overflow("stripe", crowd)
			}
		}()
		synctest.Wait()
		for range 20 {
			push(t, q, "stripe", "")
			push(t, q, "twilio", "")
		}
		began, meanwhile := time.Now(), map[string]int{}
		var mu sync.Mutex
		for range starters {
			go func() {
				for {
					e, ok := q.pop()
					if !ok {
						return
					}
					time.Sleep(10 * time.Millisecond)
					mu.Lock()
					if time.Since(began) < time.Second {
						meanwhile[e.Provider]++
					}
					mu.Unlock()
					q.started(e, p.rest(e.Provider, 10*time.Millisecond))
				}
			}()
		}
		time.Sleep(900 * time.Millisecond)
		mu.Lock()
		require.Equal(t, map[string]int{"stripe": 5, "twilio": 20}, meanwhile, "each start of 10 ms is followed by a rest of 200 ms")
		mu.Unlock()
		time.Sleep(600 * time.Millisecond)
		require.True(t, q.empty(), "all are made when the crowd has gone")
		q.close()
	})
}
