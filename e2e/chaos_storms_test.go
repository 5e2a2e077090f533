package e2e_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Copies of one event that arrive at the same instant are one event. (1,000 of them: TestThousandCopiesOfOneEvent.)
func TestChaosStormOfOne(t *testing.T) {
	c := unleash(t, install(t))
	to := at(c.serve())
	c.persist(to, c.checkout())
	copies := scaled(300, 1000)
	d := c.checkout()
	c.postAll(to, copies, slices.Repeat([]*delivery{d}, copies), c.persist)
	c.requireTaken(c.history.all())
	got := tally(c.history.all())
	require.Equal(t, copies+1, got["200 accepted"]+got["200 duplicate"])
	require.LessOrEqual(t, got["200 accepted"], 2)
	require.Len(t, c.requireSound(), 2)
}

// Many storms at once, shuffled.
func TestChaosStorms(t *testing.T) {
	besideOthers(t)
	c := unleash(t, install(t))
	to := at(c.serve())
	ids, copies := scaled(30, 200), scaled(10, 50)
	all := slices.Repeat(c.checkoutsOf(ids), copies)
	c.random.shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	c.postAll(to, 64, all, c.persist)
	c.requireTaken(c.history.all())
	got := tally(c.history.all())
	require.Equal(t, ids*copies, got["200 accepted"]+got["200 duplicate"])
	require.LessOrEqual(t, got["200 accepted"], ids)
	require.Len(t, c.requireSound(), ids)
}
