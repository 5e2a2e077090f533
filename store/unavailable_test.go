package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// What an error means decides whether an event waits for the ledger or has failed. The errors are real ones.
func TestUnavailableAndRefused(t *testing.T) {
	t.Parallel()
	database := testkit.Database(t)
	for _, c := range []struct {
		name                 string
		err                  error
		unavailable, refused bool
	}{
		{"nothing", nil, false, false},
		{"no rows", pgx.ErrNoRows, false, false},
		{"an error of ours", event.ErrNotFound, false, false},
		{"an error of a handler", errors.New("no such account"), false, false},

		{"connection refused", refusedConnection(t, database), true, false},
		{"a closed pool", closedPool(t, database), true, false},
		{"a closed connection", closedConnection(t, database), true, false},
		{"cut within a statement", cutWithin(t, database), true, false},
		{"no answer in time", noAnswer(t, database), true, false},
		{"the caller gave up", gaveUp(t, database), false, false},
		{"the caller gave up while connecting", gaveUpConnecting(t), false, false},
		{"the caller gave up within a statement", gaveUpWithin(t, database), false, false},
		{"a wrong password", connectWith(t, database, func(u *url.URL) { u.User = url.UserPassword("nobody", "wrong") }), true, false},
		{"no such database", connectWith(t, database, func(u *url.URL) { u.Path = "/nothing_here" }), true, false},

		{"statement timeout", sqlError(t, database, `SET statement_timeout = '5ms'`, `SELECT pg_sleep(10)`), false, false},
		{"terminated by an administrator", sqlError(t, database, `SELECT pg_terminate_backend(pg_backend_pid())`), true, false},
		{"read-only after a failover", sqlError(t, database, `SET default_transaction_read_only = on`, `DELETE FROM webhook_events`), true, false},
		{"undefined table: a mistake of the statement", sqlError(t, database, `SELECT FROM no_such_table`), false, false},
		{"undefined column: the same", sqlError(t, database, `SELECT no_such_column FROM webhook_events`), false, false},

		{"unique violation", sqlError(t, database, `CREATE TEMP TABLE u (n int UNIQUE)`, `INSERT INTO u VALUES (1), (1)`), false, true},
		{"check violation", sqlError(t, database, `CREATE TEMP TABLE c (n int CHECK (n > 1))`, `INSERT INTO c VALUES (1)`), false, true},
		{"not null violation", sqlError(t, database, `INSERT INTO webhook_bodies (id) VALUES (gen_random_uuid())`), false, true},
		{"not JSON", sqlError(t, database, `SELECT '{'::jsonb`), false, true},
		{"NUL in JSON", sqlError(t, database, `SELECT '"\u0000"'::jsonb`), false, true},
		{"a number beyond numeric", sqlError(t, database, `SELECT '1e400000'::jsonb`), false, true},
		{"an integer out of range", sqlError(t, database, `SELECT 3000000000::int`), false, true},
		{"a key beyond an index", sqlError(t, database, `CREATE TEMP TABLE k (s text PRIMARY KEY)`,
			`INSERT INTO k SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) n`), false, true},
		{"a step that is completed", sqlError(t, database, completed, completed), false, false},
	} {
		require.Equal(t, c.unavailable, store.Unavailable(c.err), "%s: %v", c.name, c.err)
		require.Equal(t, c.refused, store.Refused(c.err), "%s: %v", c.name, c.err)
		if c.err != nil {
			wrapped := fmt.Errorf("while reading: %w", c.err)
			require.Equal(t, c.unavailable, store.Unavailable(wrapped), "%s, wrapped", c.name)
			require.Equal(t, c.refused, store.Refused(wrapped), "%s, wrapped", c.name)
			require.NotContains(t, c.err.Error(), "hookflow:hookflow@", "no password")
		}
	}
}

const completed = `SELECT complete_step('11111111-1111-8111-8111-111111111111', 'a', 0, now(), NULL)`

// sqlError returns the error of the last statement; the others succeed.
func sqlError(t *testing.T, database string, statements ...string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	for i, sql := range statements {
		if _, err = conn.Exec(t.Context(), sql); i < len(statements)-1 {
			require.NoError(t, err, sql)
		}
	}
	require.Error(t, err)
	return err
}

func connectWith(t *testing.T, database string, change func(*url.URL)) error {
	t.Helper()
	u, err := url.Parse(database)
	require.NoError(t, err)
	change(u)
	err = testkit.OpenStore(t, u.String(), store.Options{}).Ping(t.Context())
	require.Error(t, err)
	return err
}

func refusedConnection(t *testing.T, database string) error {
	proxy, through := testkit.DatabaseProxy(t, database)
	proxy.Refuse()
	err := testkit.OpenStore(t, through, store.Options{}).Ping(t.Context())
	require.ErrorContains(t, err, "refused")
	return err
}

func closedPool(t *testing.T, database string) error {
	s := testkit.OpenStore(t, database, store.Options{})
	s.Close()
	_, err := s.ReadEvent(t.Context(), event.ID("x"))
	require.Error(t, err)
	return err
}

func closedConnection(t *testing.T, database string) error {
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	_, err = conn.Exec(t.Context(), `SELECT 1`)
	require.Error(t, err)
	return err
}

// cutWithin cuts the connection while Postgres works on a statement.
func cutWithin(t *testing.T, database string) error {
	t.Helper()
	proxy, through := testkit.DatabaseProxy(t, database)
	return within(t.Context(), t, through, proxy.Refuse)
}

// gaveUpConnecting gives up on a server that takes the connection and says nothing.
func gaveUpConnecting(t *testing.T) error {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		if conn, err := silent.Accept(); err == nil {
			cancel()
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	_, err = pgx.Connect(ctx, "postgres://hookflow@"+silent.Addr().String()+"/hookflow?sslmode=disable")
	require.ErrorIs(t, err, context.Canceled)
	return err
}

func gaveUpWithin(t *testing.T, database string) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	err := within(ctx, t, database, cancel)
	require.ErrorIs(t, err, context.Canceled)
	return err
}

// within calls interrupt while Postgres works on a statement, and returns the statement's error.
func within(ctx context.Context, t *testing.T, database string, interrupt func()) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	watch := testkit.Database(t) // past any proxy
	failed := make(chan error, 1)
	go func() { _, err := conn.Exec(ctx, `SELECT pg_sleep(60)`); failed <- err }()
	testkit.Eventually(t, func() bool {
		return testkit.Query[bool](t, watch, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep')`,
			conn.PgConn().PID())
	}, "the statement is running")
	interrupt()
	err = <-failed
	require.Error(t, err)
	return err
}

func noAnswer(t *testing.T, database string) error {
	t.Helper()
	proxy, through := testkit.DatabaseProxy(t, database)
	s := testkit.OpenStore(t, through, store.Options{})
	require.NoError(t, s.Ping(t.Context()))
	proxy.Silence()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.ReadEvent(ctx, event.ID("x"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	return err
}

func gaveUp(t *testing.T, database string) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := testkit.OpenStore(t, database, store.Options{}).ReadEvent(ctx, event.ID("x"))
	require.ErrorIs(t, err, context.Canceled)
	return err
}
