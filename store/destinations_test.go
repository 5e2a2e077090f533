package store_test

import (
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

// ground is a ledger with one destination, and a clock.
type ground struct {
	*testing.T
	*store.Store
	now time.Time
}

func newGround(t *testing.T) *ground {
	t.Helper()
	s, _ := testkit.Store(t, store.Options{})
	p := &ground{t, s, time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	require.NoError(t, s.KnowDestinations(t.Context(), []string{"billing", "other"}, p.now))
	return p
}

// tell is a verdict under a limit of 3 and a pause of a minute. It returns how billing stands then.
func (p *ground) tell(by string, answered bool, failures int) event.Destination {
	p.Helper()
	v := store.Verdict{Answered: answered, Failures: failures, Last: "no answer"}
	require.NoError(p, p.NoteVerdict(p.Context(), "billing", by, v, 3, p.now.Add(time.Minute), p.now))
	return p.billing()
}

func (p *ground) billing() event.Destination {
	p.Helper()
	all, err := p.Destinations(p.Context())
	require.NoError(p, err)
	require.Len(p, all, 2)
	return all[0]
}

func (p *ground) probe(by string) bool {
	p.Helper()
	taken, err := p.TakeProbe(p.Context(), "billing", by, p.now.Add(10*time.Second), p.now)
	require.NoError(p, err)
	return taken
}

func TestDestinations_circuit(t *testing.T) {
	t.Parallel()
	p := newGround(t)
	require.Equal(t, event.Running, p.tell("a", false, 2).StateAt(p.now))
	require.Equal(t, 1, p.tell("b", true, 1).Failures, "an answer begins the count anew")
	require.Equal(t, 0, p.tell("b", true, 0).Failures)
	require.False(t, p.probe("a"), "a closed circuit needs none")

	p.tell("a", false, 2)
	d := p.tell("b", false, 1) // all processes together
	require.Equal(t, event.CircuitOpen, d.StateAt(p.now))
	require.Equal(t, "no answer", *d.LastFailure)
	require.Equal(t, p.now.Add(time.Minute), *d.RetryAt)
	require.False(t, p.probe("a"), "too early")
	require.Equal(t, event.CircuitOpen, p.tell("a", true, 0).StateAt(p.now), "attempts that were under way decide nothing")

	p.now = p.now.Add(time.Minute)
	require.Equal(t, event.Probing, p.billing().StateAt(p.now))
	require.True(t, p.probe("a"))
	require.True(t, p.probe("a"), "again")
	require.False(t, p.probe("b"), "one process decides")
	require.NotNil(t, p.tell("b", true, 0).OpenedAt)
	d = p.tell("a", false, 1)
	require.Equal(t, event.CircuitOpen, d.StateAt(p.now), "open for another pause")
	require.Equal(t, p.now.Add(time.Minute), *d.RetryAt)
	require.Equal(t, p.now.Add(-time.Minute), *d.OpenedAt, "since then")

	p.now = p.now.Add(time.Minute)
	require.True(t, p.probe("a"))
	p.now = p.now.Add(11 * time.Second)
	require.True(t, p.probe("b"), "the process that had it is gone")
	d = p.tell("b", true, 0)
	require.Equal(t, event.Running, d.StateAt(p.now))
	require.Nil(t, d.RetryAt)
	require.Nil(t, d.ProbeBy)
	require.Zero(t, d.Failures)
}

func TestDestinations_circuitThatNeverOpens(t *testing.T) {
	t.Parallel()
	p := newGround(t)
	v := store.Verdict{Failures: 1000}
	require.NoError(t, p.NoteVerdict(t.Context(), "billing", "a", v, 0, p.now, p.now))
	require.Equal(t, event.Running, p.billing().StateAt(p.now))
}

func TestDestinations_pause(t *testing.T) {
	t.Parallel()
	p := newGround(t)
	_, err := p.PauseDestination(t.Context(), "biling", "ann", "", p.now)
	require.ErrorIs(t, err, event.ErrNoDestination)
	_, err = p.ResumeDestination(t.Context(), "biling")
	require.ErrorIs(t, err, event.ErrNoDestination)
	p.tell("a", false, 3)
	d, err := p.PauseDestination(t.Context(), "billing", "ann", "they migrate", p.now)
	require.NoError(t, err)
	require.Equal(t, event.Paused, d.StateAt(p.now))
	d, err = p.PauseDestination(t.Context(), "billing", "bob", "", p.now.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, []string{"ann", "they migrate"}, []string{*d.PausedBy, *d.PauseReason})
	require.Equal(t, p.now, *d.PausedAt)
	p.now = p.now.Add(time.Hour)
	require.False(t, p.probe("a"), "an operator's word counts more than the circuit's")
	d, err = p.ResumeDestination(t.Context(), "billing")
	require.NoError(t, err)
	require.Equal(t, event.Running, d.StateAt(p.now))
	require.Nil(t, d.PausedBy)
}

func TestDestinations_known(t *testing.T) {
	t.Parallel()
	p := newGround(t)
	later := p.now.Add(time.Minute)
	require.NoError(t, p.KnowDestinations(t.Context(), []string{"other"}, later))
	require.NoError(t, p.KnowDestinations(t.Context(), []string{"other"}, p.now), "a clock that is behind")
	require.NoError(t, p.KnowDestinations(t.Context(), nil, later))
	all, err := p.Destinations(t.Context())
	require.NoError(t, err)
	require.True(t, all[0].ConfiguredAt.Equal(p.now))
	require.True(t, all[1].ConfiguredAt.Equal(later))
}
