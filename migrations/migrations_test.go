package migrations_test

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"

	"hookflow/internal/testkit"
	"hookflow/migrations"

	"github.com/stretchr/testify/require"
)

// schemaDump describes everything that the migrations make: columns, constraints, indexes, functions, enums, storage
// parameters. The name of the schema is taken out, so that two schemas compare.
const schemaDump = `
SELECT coalesce(string_agg(replace(line, current_schema() || '.', ''), E'\n' ORDER BY line), '') FROM (
	SELECT format('column %s.%s %s %s default %s', table_name, column_name, udt_name, is_nullable, coalesce(column_default, '-')) AS line
		FROM information_schema.columns WHERE table_schema = current_schema()
	UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
		FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
	UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = current_schema()
	UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
	UNION ALL SELECT format('enum %s %s %s', typname, enumsortorder, enumlabel)
		FROM pg_enum JOIN pg_type t ON t.oid = enumtypid WHERE typnamespace = current_schema()::regnamespace
	UNION ALL SELECT format('storage %s %s', relname, reloptions) FROM pg_class
		WHERE relnamespace = current_schema()::regnamespace AND reloptions IS NOT NULL
	UNION ALL SELECT format('trigger %s %s', tgrelid::regclass, pg_get_triggerdef(oid))
		FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE '%'
			AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace)
) lines`

func dump(t *testing.T, u string) string {
	t.Helper()
	return testkit.Query[string](t, u, schemaDump)
}

// ours is a dump without goose's own table.
func ours(dump string) []string {
	var lines []string
	for line := range strings.SplitSeq(dump, "\n") {
		if !strings.Contains(line, "hookflow_migrations") && line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func up(t *testing.T, u string) []int64 {
	t.Helper()
	applied, err := migrations.Up(t.Context(), u)
	require.NoError(t, err)
	return applied
}

func down(t *testing.T, u string) int64 {
	t.Helper()
	version, err := migrations.Down(t.Context(), u)
	require.NoError(t, err)
	return version
}

// rows puts a row into every table.
func rows(t *testing.T, u string) {
	t.Helper()
	const id = "11111111-1111-8111-8111-111111111111"
	testkit.Exec(t, u, `INSERT INTO webhook_events (id, provider, scheme, event_id, event_type, workflow_id, received_at)
		VALUES ($1, 'stripe', 'stripe', 'evt_1', 't', 'stripe:evt_1', now())`, id)
	testkit.Exec(t, u, `INSERT INTO webhook_bodies (id, headers, content_type, body) VALUES ($1, '{}', '', 'x')`, id)
	testkit.Exec(t, u, `INSERT INTO webhook_payloads (id, payload) VALUES ($1, '{"a":[1]}')`, id)
	testkit.Exec(t, u, `SELECT complete_step($1, 'a', 0, now(), '{"n":1}')`, id)
	testkit.Exec(t, u, `INSERT INTO stripe_checkout_sessions (session_id, state, state_rank, event, updated_at) VALUES ('cs_1', 'paid', 3, $1, now())`, id)
	testkit.Exec(t, u, `INSERT INTO twilio_calls (call_sid, status, status_rank, event, updated_at) VALUES ('CA1', 'queued', 0, $1, now())`, id)
	testkit.Exec(t, u, `INSERT INTO twilio_messages (message_sid, status, status_rank, event, updated_at) VALUES ('SM1', 'sent', 3, $1, now())`, id)
	testkit.Exec(t, u, `INSERT INTO event_timeline (event, at, generation, kind) VALUES ($1, now(), 0, 'attempt_failed')`, id)
	testkit.Exec(t, u, `INSERT INTO plans (id, plan) VALUES ($1, '{}')`, id)
	testkit.Exec(t, u, `INSERT INTO vapi_calls (call_id, status, status_rank, event, updated_at) VALUES ('c', 'ended', 5, $1, now())`, id)
}

func TestUpDownUp(t *testing.T) {
	t.Parallel()
	u := testkit.EmptySchema(t)
	versions := up(t, u)
	require.NotEmpty(t, versions)
	first := dump(t, u)
	require.Contains(t, first, "webhook_events_unique")
	require.Contains(t, first, "function CREATE OR REPLACE FUNCTION complete_step")
	require.Contains(t, first, "fillfactor=80")
	require.Contains(t, first, "enum webhook_status 1 pending")
	rows(t, u)

	require.Empty(t, up(t, u), "nothing is missing")
	require.Equal(t, 1, testkit.Query[int](t, u, `SELECT count(*) FROM webhook_events`), "up leaves data alone")
	require.Equal(t, first, dump(t, u))

	for i := len(versions) - 1; i >= 0; i-- {
		require.Equal(t, versions[i], down(t, u), "the newest first, with data in it")
	}
	require.Zero(t, down(t, u), "nothing to take back")
	require.Empty(t, ours(dump(t, u)), "nothing stays behind")

	require.Equal(t, versions, up(t, u))
	require.Equal(t, first, dump(t, u))
	rows(t, u)
}

// One step back and forth at a time: each migration's down is the inverse of its own up.
func TestEachMigrationIsUndone(t *testing.T) {
	t.Parallel()
	u := testkit.EmptySchema(t)
	versions := up(t, u)
	whole := dump(t, u)
	for range versions {
		down(t, u)
		before := dump(t, u)
		up(t, u)
		require.Equal(t, whole, dump(t, u))
		require.NotEqual(t, whole, before, "a migration that changes nothing is none")
		for dump(t, u) != before {
			require.NotZero(t, down(t, u))
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	u := testkit.EmptySchema(t)
	applied := func() (n int) {
		list, err := migrations.List(t.Context(), u)
		require.NoError(t, err)
		for i, s := range list {
			require.True(t, i == 0 || list[i-1].Version < s.Version, "in order")
			require.NotEmpty(t, s.Name)
			if s.Applied {
				n++
			}
		}
		return n
	}
	require.Zero(t, applied())
	versions := up(t, u)
	require.Equal(t, len(versions), applied())
	down(t, u)
	require.Equal(t, len(versions)-1, applied())
}

// A webhook_events of somebody else is never touched.
func TestForeign(t *testing.T) {
	t.Parallel()
	u := testkit.EmptySchema(t)
	testkit.Exec(t, u, `CREATE TABLE webhook_events (id bigint PRIMARY KEY, payload text)`)
	testkit.Exec(t, u, `INSERT INTO webhook_events VALUES (1, 'theirs')`)
	before := dump(t, u)
	for name, do := range map[string]func() error{
		"up":   func() error { _, err := migrations.Up(t.Context(), u); return err },
		"down": func() error { _, err := migrations.Down(t.Context(), u); return err },
		"list": func() error { _, err := migrations.List(t.Context(), u); return err },
	} {
		require.ErrorIs(t, do(), migrations.ErrForeign, name)
	}
	require.Equal(t, before, dump(t, u))
	require.Equal(t, "theirs", testkit.Query[string](t, u, `SELECT payload FROM webhook_events`))
}

// A view or a table of another schema is nobody's obstacle; goose's usual table is another program's.
func TestBesideOthers(t *testing.T) {
	t.Parallel()
	u := testkit.EmptySchema(t)
	testkit.Exec(t, u, `CREATE TABLE goose_db_version (id int)`)
	require.NotEmpty(t, up(t, u))
	require.Zero(t, testkit.Query[int](t, u, `SELECT count(*) FROM goose_db_version`))
}

// Several processes start at once, and each migrates first.
func TestFiveAtOnce(t *testing.T) {
	t.Parallel()
	u := testkit.EmptySchema(t)
	var processes sync.WaitGroup
	applied, errs := make([][]int64, 5), make([]error, 5)
	for i := range applied {
		processes.Go(func() { applied[i], errs[i] = migrations.Up(t.Context(), u) })
	}
	processes.Wait()
	var worked [][]int64
	for i := range applied {
		require.NoError(t, errs[i])
		if len(applied[i]) > 0 {
			worked = append(worked, applied[i])
		}
	}
	require.Len(t, worked, 1, "one applies, the others wait")
	other := testkit.EmptySchema(t)
	up(t, other)
	require.Equal(t, dump(t, other), dump(t, u))
}

func TestBadURL(t *testing.T) {
	t.Parallel()
	_, err := migrations.Up(t.Context(), "postgres://hookflow:secret@127.0.0.1:notaport/x")
	require.ErrorContains(t, err, "DATABASE_URL")
	require.NotContains(t, err.Error(), "secret")

	parsed, err := url.Parse(testkit.EmptySchema(t))
	require.NoError(t, err)
	query := parsed.Query()
	query.Set("search_path", "no_such_schema")
	parsed.RawQuery = query.Encode()
	_, err = migrations.Up(t.Context(), parsed.String())
	require.ErrorContains(t, err, "no schema of the search_path exists")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = migrations.Up(ended, testkit.EmptySchema(t))
	require.ErrorIs(t, err, context.Canceled)
}

// What a pool reads of DATABASE_URL is nothing that Postgres is asked for.
func TestPoolSettingsInTheURL(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(testkit.EmptySchema(t))
	require.NoError(t, err)
	query := u.Query()
	query.Set("pool_max_conns", "10")
	query.Set("default_query_exec_mode", "cache_describe")
	u.RawQuery = query.Encode()
	up(t, u.String())
	state, err := migrations.Look(t.Context(), u.String())
	require.NoError(t, err)
	require.Empty(t, state.Missing)
}
