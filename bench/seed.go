package main

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/jackc/pgx/v5"
)

//go:embed seed.sql
var seedTypes string

// seedEvents: half the events are Stripe's, a third Twilio's. The square makes low numbers frequent: the first type of a
// provider is its most frequent, and the first account has some per cent of all events.
const seedEvents = `
INSERT INTO webhook_events (id, provider, scheme, event_id, event_type, account, livemode, status, generation, workflow_id,
	run_id, original_run_id, attempts, last_error, last_error_type, occurred_at, received_at, dispatched_at, dispatch_attempts, started_at, finished_at)
SELECT md5(i::text)::uuid, provider, provider, 'evt_' || i, type, account, true, status::webhook_status, 0, provider || ':evt_' || i,
	md5('run' || i), md5('run' || i), CASE WHEN status = 'failed' THEN 3 ELSE 1 END,
	CASE WHEN status = 'failed' THEN 'the receiver answered 500' END, CASE WHEN status = 'failed' THEN 'ReceiverFailed' END,
	at - interval '1 s', at, at + interval '5 ms', 1, CASE WHEN status <> 'pending' THEN at + interval '10 ms' END,
	CASE WHEN status IN ('completed', 'failed') THEN at + interval '30 ms' END
FROM (
	SELECT i, provider, (SELECT type FROM types t WHERE t.provider = e.provider AND t.n = floor(kinds * r2 * r2)::int) AS type,
		CASE WHEN provider <> 'vapi' THEN 'acct_' || to_char(floor(3000 * r3 * r3)::int, 'FM0000') END AS account,
		CASE WHEN r4 < 0.02 THEN 'failed' WHEN r4 < 0.03 THEN 'processing' WHEN r4 < 0.04 THEN 'pending' ELSE 'completed' END AS status,
		now() - (i * (interval '90 days' / $1::int)) AS at
	FROM (
		SELECT i, CASE WHEN r1 < 0.5 THEN 'stripe' WHEN r1 < 0.85 THEN 'twilio' ELSE 'vapi' END AS provider,
			CASE WHEN r1 < 0.5 THEN 20 WHEN r1 < 0.85 THEN 12 ELSE 8 END AS kinds, r2, r3, r4
		FROM (SELECT i, random() AS r1, random() AS r2, random() AS r3, random() AS r4 FROM generate_series(1, $1::int) i) r
	) e
) e`

// seedPayloads: 1,000 campaigns of as many rows each, and 200,000 customers.
const seedPayloads = `
INSERT INTO webhook_payloads (id, payload)
SELECT md5(i::text)::uuid, jsonb_build_object('id', 'evt_' || i, 'object', 'event', 'livemode', true, 'campaign', i % greatest($1 / 1000, 1),
	'data', jsonb_build_object('object', jsonb_build_object('customer', 'cus_' || (i * 7919::bigint) % 200000, 'amount', i % 9973,
	'currency', 'eur', 'status', 'paid', 'email', 'customer' || i % 50000 || '@example.com', 'metadata', jsonb_build_object('order', i))))
FROM generate_series(1, $1::int) i`

// fill writes n events. The indexes are made afterwards, which takes a third of the time.
func fill(ctx context.Context, conn *pgx.Conn, n int) error {
	rows, err := conn.Query(ctx, `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
		AND tablename IN ('webhook_events', 'webhook_payloads') AND indexname NOT IN (SELECT conname FROM pg_constraint)`)
	if err != nil {
		return err
	}
	indexes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Name, Def string }])
	if err != nil {
		return err
	}
	statements := []string{"SET synchronous_commit = off", "SET maintenance_work_mem = '512MB'", "SET max_parallel_maintenance_workers = 2"}
	for _, index := range indexes {
		statements = append(statements, "DROP INDEX "+index.Name)
	}
	for _, sql := range append(statements, seedTypes) {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%.40s: %w", sql, err)
		}
	}
	for _, sql := range []string{seedEvents, seedPayloads} {
		if _, err := conn.Exec(ctx, sql, n); err != nil {
			return err
		}
	}
	for _, index := range indexes {
		if _, err := conn.Exec(ctx, index.Def); err != nil {
			return err
		}
	}
	_, err = conn.Exec(ctx, "VACUUM ANALYZE webhook_events, webhook_payloads")
	if err == nil {
		_, err = conn.Exec(ctx, "CHECKPOINT")
	}
	return err
}
