package intake

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Starts step back for a crowd at the door, but not for ever.
func TestPressure(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	p := newPressure(func() time.Time { return now })
	require.False(t, p.high(), "nobody has come")
	p.overflow(crowd - 1)
	require.False(t, p.high(), "a few are no crowd")
	now = now.Add(crowdFor)
	p.overflow(crowd - 1)
	require.False(t, p.high(), "nor are a few more")
	p.overflow(1)
	require.True(t, p.high())
	now = now.Add(crowdFor)
	require.False(t, p.high(), "it has gone")

	began := now.Add(-crowdFor)
	for ; now.Sub(began) < deferFor; now = now.Add(crowdFor / 2) {
		p.overflow(crowd)
		require.True(t, p.high(), "after %s", now.Sub(began))
	}
	p.overflow(crowd)
	require.False(t, p.high(), "a crowd that stays")
	now = now.Add(calm)
	p.overflow(crowd)
	require.False(t, p.high(), "the same crowd")
	now = now.Add(calm + 1)
	p.overflow(crowd)
	require.True(t, p.high(), "another one")
}

// While it is crowded starts are made one at a time, with rests between them.
func TestPressureMakesStartersTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPressure(time.Now)
		go func() {
			for began := time.Now(); time.Since(began) < time.Second; time.Sleep(crowdFor / 2) {
				p.overflow(crowd)
			}
		}()
		synctest.Wait()
		began, started := time.Now(), make(chan time.Duration, 10)
		for range 2 {
			go func() {
				for range 5 {
					leave := p.enter(t.Context())
					time.Sleep(10 * time.Millisecond)
					started <- time.Since(began)
					leave()
				}
			}()
		}
		meanwhile := 0
		for range cap(started) {
			if <-started < time.Second {
				meanwhile++
			}
		}
		require.Equal(t, 5, meanwhile, "each start of 10 ms is followed by a rest of 200 ms")
		require.Less(t, time.Since(began), 2*time.Second, "and all are made at once when the crowd has gone")
	})
}
