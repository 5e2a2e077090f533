package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func once(s *store.Store) activities.Once { return activities.Once{Store: s, Now: clock} }

func nothing(pgx.Tx) (any, error) { return nil, nil }

// counter is a ledger with a table that counts effects, and the two ways of having them once.
type counter struct {
	*testing.T
	store *store.Store
	url   string
}

func countEffects(t *testing.T) counter {
	t.Helper()
	s, url := testkit.Store(t, store.Options{MaxConns: 8})
	testkit.Exec(t, url, `CREATE TABLE effects (step text CHECK (step <> 'refused'), by text)`)
	return counter{t, s, url}
}

const addEffect = `INSERT INTO effects (step, by) VALUES ($1, $2)`

var ways = map[string]func(o activities.Once, ctx context.Context, e *event.Event, by string) (json.RawMessage, error){
	"Batch": func(o activities.Once, ctx context.Context, e *event.Event, by string) (json.RawMessage, error) {
		effects := &pgx.Batch{}
		effects.Queue(addEffect, e.Step, by)
		return o.Batch(ctx, e, effects, map[string]string{"by": by})
	},
	"Tx": func(o activities.Once, ctx context.Context, e *event.Event, by string) (json.RawMessage, error) {
		return o.Tx(ctx, e, func(tx pgx.Tx) (any, error) {
			_, err := tx.Exec(ctx, addEffect, e.Step, by)
			return map[string]string{"by": by}, err
		})
	},
}

func eachWay(t *testing.T, test func(c counter, do func(e event.Event, by string) (json.RawMessage, error))) {
	t.Helper()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := countEffects(t)
			test(c, func(e event.Event, by string) (json.RawMessage, error) {
				return way(once(c.store), t.Context(), &e, by)
			})
		})
	}
}

func stepOf(step string, epoch int) event.Event {
	e := stripeEvent()
	e.Step, e.Epoch = step, epoch
	return e
}

func (c counter) effects() int {
	return testkit.Query[int](c, c.url, `SELECT count(*) FROM effects`)
}

func TestOnce_repeatedAttempts(t *testing.T) {
	t.Parallel()
	eachWay(t, func(c counter, do func(event.Event, string) (json.RawMessage, error)) {
		for _, by := range []string{"first", "second", "third"} {
			result, err := do(stepOf("a", 0), by)
			require.NoError(c, err)
			require.JSONEq(c, `{"by":"first"}`, string(result), "the stored result is returned")
		}
		require.Equal(c, 1, c.effects())

		for _, other := range []event.Event{stepOf("b", 0), stepOf("a", 1)} {
			result, err := do(other, "other")
			require.NoError(c, err)
			require.JSONEq(c, `{"by":"other"}`, string(result), "another step, or the step of another epoch, is another effect")
		}
		require.Equal(c, 3, c.effects())
		require.Equal(c, 3, testkit.Query[int](c, c.url, `SELECT count(*) FROM event_steps WHERE status = 'completed'`))
	})
}

// Two attempts at the same time: an attempt that timed out is still writing when the next one begins.
func TestOnce_concurrentAttempts(t *testing.T) {
	t.Parallel()
	eachWay(t, func(c counter, do func(event.Event, string) (json.RawMessage, error)) {
		var attempts sync.WaitGroup
		results := make([]string, 8)
		errs := make([]error, 8)
		for i := range results {
			attempts.Go(func() {
				result, err := do(stepOf("a", 0), string(rune('a'+i)))
				results[i], errs[i] = string(result), err
			})
		}
		attempts.Wait()
		require.Equal(c, 1, c.effects())
		won := testkit.Query[string](c, c.url, `SELECT by FROM effects`)
		for i := range results {
			require.NoError(c, errs[i])
			require.JSONEq(c, `{"by":"`+won+`"}`, results[i])
		}
	})
}

func TestOnce_errorUndoesEverything(t *testing.T) {
	t.Parallel()
	eachWay(t, func(c counter, do func(event.Event, string) (json.RawMessage, error)) {
		_, err := do(stepOf("refused", 0), "first")
		require.Error(c, err)
		require.False(c, activities.IsLedgerUnavailable(err), "a verdict on the data is the handler's failure")
		require.Zero(c, c.effects())
		require.Zero(c, testkit.Query[int](c, c.url, `SELECT count(*) FROM event_steps`), "the step is not done")
		testkit.Exec(c, c.url, `ALTER TABLE effects DROP CONSTRAINT effects_step_check`)
		_, err = do(stepOf("refused", 0), "second")
		require.NoError(c, err)
		require.Equal(c, 1, c.effects())
	})
}

func TestOnce_Tx_errorIsReturnedAsItIs(t *testing.T) {
	t.Parallel()
	c, e, refused := countEffects(t), stepOf("a", 0), errors.New("refused")
	_, err := once(c.store).Tx(t.Context(), &e, func(tx pgx.Tx) (any, error) {
		_, err := tx.Exec(t.Context(), addEffect, "a", "first")
		require.NoError(t, err)
		return nil, refused
	})
	require.Equal(t, refused, err)
	require.Zero(t, c.effects())

	_, err = once(c.store).Tx(t.Context(), &e, func(pgx.Tx) (any, error) { return make(chan int), nil })
	require.Error(t, err, "a result that is not JSON")
	require.Zero(t, testkit.Query[int](t, c.url, `SELECT count(*) FROM event_steps`))

	calls := 0
	for range 2 {
		_, err = once(c.store).Tx(t.Context(), &e, func(pgx.Tx) (any, error) { calls++; return "done", nil })
		require.NoError(t, err)
	}
	require.Equal(t, 1, calls, "effect is not called again")
}

func TestOnce_ledgerAway(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, e := countEffects(t), stepOf("a", 0)
			proxy, url := testkit.DatabaseProxy(t, c.url)
			o := once(testkit.OpenStore(t, url, store.Options{}))
			proxy.Refuse()
			_, err := way(o, t.Context(), &e, "first")
			requireFinal(t, err, routing.LedgerUnavailable)
			require.True(t, activities.IsLedgerUnavailable(err))
			require.NotContains(t, err.Error(), "hookflow:hookflow@", "no password in an error")
			proxy.Heal()
			_, err = way(o, t.Context(), &e, "second")
			require.NoError(t, err)
			require.Equal(t, 1, c.effects())
		})
	}
}

// The commit reached Postgres and its answer did not reach us: the next attempt finds the work done.
func TestOnce_Batch_lostAnswer(t *testing.T) {
	t.Parallel()
	c, e, way := countEffects(t), stepOf("a", 0), ways["Batch"]
	proxy, url := testkit.DatabaseProxy(t, c.url)
	o := once(testkit.OpenStore(t, url, store.Options{}))
	_, err := way(o, t.Context(), &e, "warm") // connects, and prepares the statements
	require.NoError(t, err)
	e.Epoch = 1
	proxy.Silence()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := way(o, ctx, &e, "lost"); done <- err }()
	testkit.Eventually(t, func() bool { return c.effects() == 2 }, "the effect is there")
	cancel()
	require.Error(t, <-done)
	proxy.Heal()
	result, err := way(o, t.Context(), &e, "again")
	require.NoError(t, err)
	require.JSONEq(t, `{"by":"lost"}`, string(result))
	require.Equal(t, 2, c.effects())
}

// A ledger that hangs is given up while the attempt can still say so, in the statements of an effect as well.
func TestOnce_ledgerHangs(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, e := countEffects(t), stepOf("a", 0)
			proxy, url := testkit.DatabaseProxy(t, c.url)
			o := once(testkit.OpenStore(t, url, store.Options{}))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			proxy.Silence()
			_, err := way(o, ctx, &e, "first")
			require.True(t, activities.IsLedgerUnavailable(err), err)
			require.NoError(t, ctx.Err())
		})
	}
}

func TestOnce_Tx_ledgerHangsUnderTheEffect(t *testing.T) {
	t.Parallel()
	c, e := countEffects(t), stepOf("a", 0)
	proxy, url := testkit.DatabaseProxy(t, c.url)
	o := once(testkit.OpenStore(t, url, store.Options{}))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := o.Tx(ctx, &e, func(tx pgx.Tx) (any, error) {
		proxy.Silence()
		longer, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := tx.Exec(longer, addEffect, "a", "first")
		return nil, err
	})
	require.True(t, activities.IsLedgerUnavailable(err), err)
	require.NoError(t, ctx.Err())
}

// What an effect does beside its statements may take as long as the attempt, and its connection serves the next.
func TestOnce_Tx_slowEffect(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{MaxConns: 1})
	testkit.Exec(t, url, `CREATE TABLE effects (step text, by text)`)
	e := stepOf("a", 0)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	result, err := once(s).Tx(ctx, &e, func(tx pgx.Tx) (any, error) {
		_, err := tx.Exec(ctx, addEffect, "a", "slow")
		<-time.After(time.Until(activities.SpeakBy(ctx)) + 50*time.Millisecond)
		return "done", err
	})
	require.NoError(t, err)
	require.JSONEq(t, `"done"`, string(result))
	e.Step = "b"
	_, err = once(s).Tx(t.Context(), &e, nothing)
	require.NoError(t, err)
	require.Equal(t, 1, testkit.Query[int](t, url, `SELECT count(*) FROM effects`))
}
