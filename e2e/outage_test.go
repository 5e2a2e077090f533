package e2e_test

import (
	"net/http"
	"strconv"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// proxied is an installation whose processes reach both stores through proxies.
func proxied(t *testing.T) (in *installation, postgres, temporal *testkit.Proxy) {
	t.Helper()
	in = install(t)
	postgres, database := testkit.DatabaseProxy(t, in.database)
	temporal = testkit.NewProxy(t, testkit.TemporalAddress(t))
	return in.with("DATABASE_URL", database).with("TEMPORAL_ADDRESS", temporal.Address()), postgres, temporal
}

// While Temporal is away the ledger takes the events; the backlog is handed over afterwards.
func TestTemporalAway(t *testing.T) {
	t.Parallel()
	in, _, temporal := proxied(t)
	effects := in.watchCheckouts()
	s := in.serve()
	keys := []string{s.acceptNew()}
	s.awaitCompleted(keys...)

	temporal.Refuse()
	for range 20 {
		keys = append(keys, s.acceptNew())
	}
	require.Equal(t, event.Pending, s.show(keys[20]).Status)
	require.Equal(t, http.StatusOK, s.get("/readyz").status, "one durable place is enough")
	temporal.Heal()
	requireEachOnce(t, in, effects, keys)
}

// While Postgres is away Temporal takes the events, body and all; the rows are written afterwards.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*testkit.Proxy){
		"refusing": (*testkit.Proxy).Refuse,
		"silent":   (*testkit.Proxy).Silence,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, postgres, _ := proxied(t)
			effects := in.watchCheckouts()
			s := in.serve()
			keys := []string{s.acceptNew()}
			s.awaitCompleted(keys...)

			fault(postgres)
			for range 10 {
				d := s.checkout()
				require.Equal(t, "200 accepted", describe(s.post(d)))
				require.Equal(t, "200 duplicate", describe(s.post(d)))
				keys = append(keys, d.key())
			}
			requireProblem(t, http.StatusServiceUnavailable, s.get("/v1/events"))
			require.Equal(t, http.StatusOK, s.get("/readyz").status, "one durable place is enough")
			postgres.Heal()
			requireEachOnce(t, in, effects, keys)
		})
	}
}

// An event whose handler began before Postgres went away goes on afterwards, without a failed attempt to its name.
func TestPostgresAwayUnderARunningEvent(t *testing.T) {
	t.Parallel()
	in, postgres, _ := proxied(t)
	in, api := in.withStripeAPI()
	in = in.routed(before)
	effects := in.watchCheckouts()
	api.outOfOrder.Store(true)
	s := in.serve()
	key := s.acceptNew()
	s.awaitTrying(key)
	postgres.Refuse()
	api.outOfOrder.Store(false)
	until(t, "the outage is noticed", func() bool { return s.get("/v1/events").status == http.StatusServiceUnavailable })
	postgres.Heal()
	s.awaitCompleted(key)
	requireEachOnce(t, in, effects, []string{key})
}

// With nothing durable in reach the sender is asked to come again, before its patience ends, and nothing is kept.
func TestBothAway(t *testing.T) {
	t.Parallel()
	in, postgres, temporal := proxied(t)
	effects := in.watchCheckouts()
	s := in.serve()
	first := s.acceptNew()
	s.awaitCompleted(first)

	postgres.Refuse()
	temporal.Refuse()
	d := s.checkout()
	for range 3 {
		got := s.post(d) // within the time that senders wait; TestChaosBothAway has the figure
		require.Equal(t, "unavailable", requireProblem(t, http.StatusServiceUnavailable, got).Code)
		seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
		require.NoError(t, err)
		require.Positive(t, seconds)
	}
	until(t, "the server knows", func() bool { return s.get("/readyz").status == http.StatusServiceUnavailable })
	require.Equal(t, http.StatusOK, s.get("/livez").status, "a restart would help nobody")

	postgres.Heal()
	temporal.Heal()
	until(t, "the sender's next try is taken", func() bool {
		got, err := d.try(t.Context(), s.webhooks)
		return err == nil && got.status == http.StatusOK
	})
	requireEachOnce(t, in, effects, []string{first, d.key()})
}

// A server starts while both stores are away, and works once they are there.
func TestStartBeforeTheStores(t *testing.T) {
	t.Parallel()
	in, postgres, temporal := proxied(t)
	effects := in.watchCheckouts()
	postgres.Refuse()
	temporal.Refuse()
	s := in.serve()
	d := s.checkout()
	requireProblem(t, http.StatusServiceUnavailable, s.post(d))
	postgres.Heal()
	temporal.Heal()
	until(t, "the sender's next try is taken", func() bool {
		got, err := d.try(t.Context(), s.webhooks)
		return err == nil && got.status == http.StatusOK
	})
	requireEachOnce(t, in, effects, []string{d.key()})
}
