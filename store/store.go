// Package store is Postgres: SQL in constants, one file per table or walk, no business rules. Times come in as
// arguments, so the clock is the caller's.
package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store is a pool of connections to the ledger. It is safe for concurrent use.
type Store struct {
	pool   *pgxpool.Pool
	recent *recent
}

// Options tune Open. The zero value is what a process needs.
type Options struct {
	MaxConns int32           // default 16
	Tracer   pgx.QueryTracer // sees every statement; for counting
}

// Open prepares a pool for the database at url (a libpq URL or keyword string). It connects lazily, so it succeeds while
// Postgres is away; an error means that url cannot be read.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	cfg.MaxConns = 16
	if o.MaxConns > 0 {
		cfg.MaxConns = o.MaxConns
	}
	cfg.ConnConfig.ConnectTimeout = 2 * time.Second
	cfg.ConnConfig.Tracer = o.Tracer
	// Rows that a pooled connection holds after a failover are stale within half an hour at most.
	cfg.MaxConnLifetime = 30 * time.Minute
	cfg.HealthCheckPeriod = 5 * time.Second
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return &Store{pool: pool, recent: newRecent()}, nil
}

// Close closes the pool and waits for the statements under way.
func (s *Store) Close() { s.pool.Close() }

// Ping answers whether Postgres does.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Refused reports whether err is Postgres's verdict on the data itself (data exception, integrity violation, program
// limit), so that a repetition cannot help.
func Refused(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) < 2 {
		return false
	}
	switch pg.Code[:2] {
	case "22", "23", "54":
		return true
	}
	return false
}

// Unavailable reports whether err means that the ledger could not be asked, or is in no state to answer (away, full,
// starting, read-only after a failover, not migrated): anything but a verdict on the data, or the caller giving up.
func Unavailable(err error) bool {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, pgx.ErrNoRows), Refused(err):
		return false
	}
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	if errors.As(err, &pg) {
		return pg.Code != codeStepCompleted
	}
	return errors.As(err, &connect) || errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) ||
		pgconn.SafeToRetry(err) || lostConnection(err)
}

// text is s as a Postgres text can hold it, without NUL and in UTF-8; NULL where nothing is left.
func text(s string) *string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if s == "" {
		return nil
	}
	return &s
}

// when is NULL for the zero time.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
