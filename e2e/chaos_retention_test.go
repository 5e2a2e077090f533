package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// expired writes n final events with content from a year ago.
const expired = `
WITH rows AS (
	INSERT INTO webhook_events (id, provider, scheme, event_id, event_type, status, workflow_id, received_at, dispatched_at, finished_at)
	SELECT gen_random_uuid(), 'stripe', 'stripe', 'evt_old_' || n, 'invoice.paid', 'completed', 'stripe:evt_old_' || n, old, old, old
	FROM generate_series(1, $1::int) n, LATERAL (SELECT now() - interval '1 year' + n * interval '1 second' AS old) o
	RETURNING id
), bodies AS (
	INSERT INTO webhook_bodies (id, headers, content_type, body) SELECT id, '{}', 'application/json', '{"a":1}' FROM rows
)
INSERT INTO webhook_payloads (id, payload) SELECT id, '{"a": 1}' FROM rows`

// The content of a crowd of old events is deleted while new ones arrive; their rows stay, and new content too.
func TestChaosRetention(t *testing.T) {
	besideOthers(t)
	c := unleash(t, install(t))
	n := scaled(2100, 100_000)
	testkit.Exec(t, c.database, expired, n)
	s := c.serve()
	to := at(s)
	c.persist(to, c.checkout())
	handle := c.temporal.ScheduleClient().GetHandle(t.Context(), "hookflow-retention")
	until(t, "the schedule is there", func() bool {
		_, err := handle.Describe(t.Context())
		return err == nil
	})
	require.NoError(t, handle.Trigger(t.Context(), client.ScheduleTriggerOptions{}))
	began := time.Now()
	mark := c.history.mark()
	for c.rows("id IN (SELECT id FROM webhook_bodies) AND event_id LIKE 'evt_old_%'") > 0 {
		require.Less(t, time.Since(began), 2*patience)
		c.postFor(500*time.Millisecond, duringOutages(), to, c.persist)
	}
	meanwhile := c.history.since(mark)
	c.within("content deleted", time.Since(began), time.Minute)
	if len(meanwhile) > 0 {
		c.within("p99 of senders meanwhile", quantile(meanwhile, 0.99), 100*time.Millisecond)
	}
	c.settled()
	c.requireTaken(c.history.all())
	require.Equal(t, n, c.rows("event_id LIKE 'evt_old_%'"))
	require.Zero(t, testkit.Query[int](t, c.database, "SELECT count(*)::int FROM webhook_payloads p JOIN webhook_events e USING (id) WHERE e.event_id LIKE 'evt_old_%'"))
	require.Equal(t, len(c.history.keys(saidOK)), c.rows("id IN (SELECT id FROM webhook_bodies)"))
	id := testkit.Query[string](t, c.database, "SELECT id::text FROM webhook_events WHERE event_id = 'evt_old_1'") // made up, not made from the key
	requireProblem(t, http.StatusGone, s.replay(id))
}
