// Package testkit gives tests the real thing: a Postgres schema each, a Temporal namespace each, counted statements.
package testkit

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"hookflow/internal/devstack"
	"hookflow/migrations"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// DatabaseVariable names the Postgres that tests use, if it is set. Otherwise the first test of a package starts a
// private one that ends with the process.
const DatabaseVariable = "HOOKFLOW_TEST_DATABASE_URL"

var privatePostgres = sync.OnceValues(func() (string, error) {
	if given := os.Getenv(DatabaseVariable); given != "" {
		return given, nil
	}
	pg, err := devstack.StartPostgres(context.Background(), devstack.PostgresOptions{Fast: true, DieWithParent: true, MaxConnections: 200})
	if err != nil {
		return "", err
	}
	return pg.URL(), nil
})

// EmptySchema returns a URL whose search_path is a fresh schema, dropped when the test ends.
func EmptySchema(t testing.TB) string {
	t.Helper()
	server, err := privatePostgres()
	require.NoError(t, err)
	schema := "test_" + strings.ToLower(rand.Text()[:12])
	execute(t, server, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { execute(t, server, "DROP SCHEMA "+schema+" CASCADE") })
	u, err := url.Parse(server)
	require.NoError(t, err)
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}

// Database returns the URL of a fresh, migrated schema, dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	u := EmptySchema(t)
	_, err := migrations.Up(t.Context(), u)
	require.NoError(t, err)
	return u
}

// Store opens a store on a fresh schema and returns it with the schema's URL. It is closed when the test ends.
func Store(t testing.TB, o store.Options) (*store.Store, string) {
	t.Helper()
	u := Database(t)
	return OpenStore(t, u, o), u
}

// OpenStore opens a store on url, closed when the test ends.
func OpenStore(t testing.TB, url string, o store.Options) *store.Store {
	t.Helper()
	if o.MaxConns == 0 {
		o.MaxConns = 4
	}
	s, err := store.Open(t.Context(), url, o)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func execute(t testing.TB, server, sql string) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	require.NoError(t, err)
}

// Query runs a statement that returns one value.
func Query[T any](t testing.TB, url, sql string, args ...any) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	var value T
	require.NoError(t, conn.QueryRow(t.Context(), sql, args...).Scan(&value), sql)
	return value
}

// Exec runs a statement.
func Exec(t testing.TB, url, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// Statements counts round trips to Postgres: a statement or a batch is one.
type Statements struct {
	// Ignore leaves statements out of the count, by their text; nil counts all.
	Ignore func(sql string) bool

	mu   sync.Mutex
	seen []string
}

// Take returns the statements since the last call, a batch by the text of its first statement.
func (s *Statements) Take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

func (s *Statements) note(sql string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Ignore == nil || !s.Ignore(sql) {
		s.seen = append(s.seen, sql)
	}
}

// TraceQueryStart counts a statement.
func (s *Statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	s.note(q.SQL)
	return ctx
}

// TraceQueryEnd does nothing.
func (s *Statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart counts a batch.
func (s *Statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, b pgx.TraceBatchStartData) context.Context {
	s.note(b.Batch.QueuedQueries[0].SQL)
	return ctx
}

// TraceBatchQuery does nothing: the statements of a batch travel together.
func (s *Statements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd does nothing.
func (s *Statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// Patience is how long a test waits for a condition before it fails. A green run never waits so long; a machine on which others
// work too, or one of half the speed, is no reason to fail.
const Patience = 5 * time.Minute

// Eventually waits until condition holds, and fails the test when it does not within Patience.
func Eventually(t testing.TB, condition func() bool, format string, args ...any) {
	t.Helper()
	require.Eventually(t, condition, Patience, 20*time.Millisecond, fmt.Sprintf(format, args...))
}
