// Package store is Postgres: SQL in constants, one file per table or walk, no business rules. Times come in as
// arguments, so the clock is the caller's.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store is the ledger behind three pools of connections, so that questions never hold up the work, and neither holds up
// the door. It is safe for concurrent use.
type Store struct {
	door      *pgxpool.Pool // what a sender waits for, and the dispatch
	runs      *pgxpool.Pool // Begin, steps, Finish
	questions *pgxpool.Pool // /v1, housekeeping
	recent    *recent
	plans     plans
	ledger    atomic.Pointer[string]
	pooled    pooled
}

// Options tune Open. The zero value is what a process needs.
type Options struct {
	MaxConns int32           // of runs; default 12
	Tracer   pgx.QueryTracer // sees every statement; for counting
}

// doorConns: two batches, the relay, the notes. questionConns: a dashboard's worth.
const (
	doorConns     = 4
	runConns      = 12
	questionConns = 4
	allConns      = doorConns + runConns + questionConns
)

// Open prepares the pools for the database at url (a libpq URL or keyword string). It connects lazily, so it succeeds
// while Postgres is away; an error means that url cannot be read.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	s := &Store{recent: newRecent()}
	var err error
	if s.door, err = s.openPool(ctx, url, doorConns, o.Tracer); err != nil {
		return nil, err
	}
	if s.runs, err = s.openPool(ctx, url, cmp.Or(o.MaxConns, runConns), o.Tracer); err != nil {
		return nil, err
	}
	s.questions, err = s.openPool(ctx, url, questionConns, o.Tracer)
	return s, err
}

func (s *Store) openPool(ctx context.Context, url string, most int32, tracer pgx.QueryTracer) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	given, err := poolSettings(url)
	if err != nil {
		return nil, err
	}
	if cfg.MaxConns = most; given.most > 0 {
		cfg.MaxConns = max(given.most*most/allConns, 1)
	}
	if cfg.ConnConfig.ConnectTimeout == 0 || !given.connectTimeout {
		cfg.ConnConfig.ConnectTimeout = 2 * time.Second
	}
	cfg.ConnConfig.Tracer = tracer
	// Connections that a failover left on a standby are gone within half an hour at most.
	if !given.lifetime {
		cfg.MaxConnLifetime = 30 * time.Minute
	}
	if !given.healthCheck {
		cfg.HealthCheckPeriod = 5 * time.Second
	}
	if !given.execMode {
		cfg.BeforeConnect = s.pooled.prepare
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return pool, nil
}

// given is what a connection string says of pools.
type given struct {
	most                                  int32 // pool_max_conns: of all pools of a process together; 0 where it says nothing
	connectTimeout, lifetime, healthCheck bool
	execMode                              bool // default_query_exec_mode: how statements are sent
}

// poolSettings reads the settings of pgxpool out of a connection string (https://pkg.go.dev/github.com/jackc/pgx/v5/pgxpool#ParseConfig),
// which fills what is left out with its own defaults: what an operator wrote is not overwritten by ours.
func poolSettings(url string) (given, error) {
	plain, err := pgconn.ParseConfig(url)
	if err != nil {
		return given{}, fmt.Errorf("DATABASE_URL: %w", err)
	}
	_, lifetime := plain.RuntimeParams["pool_max_conn_lifetime"]
	_, healthCheck := plain.RuntimeParams["pool_health_check_period"]
	_, execMode := plain.RuntimeParams["default_query_exec_mode"]
	g := given{lifetime: lifetime, execMode: execMode, healthCheck: healthCheck, connectTimeout: strings.Contains(url, "connect_timeout")}
	if text, there := plain.RuntimeParams["pool_max_conns"]; there {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return given{}, errors.New("DATABASE_URL: pool_max_conns is no number from 1 on")
		}
		g.most = int32(n)
	}
	return g, nil
}

// ReadLedger reads which ledger this is, once; Ledger returns it then.
func (s *Store) ReadLedger(ctx context.Context) error {
	var ledger string
	if err := s.questions.QueryRow(ctx, `SELECT ledger::text FROM installation`).Scan(&ledger); err != nil {
		return err
	}
	s.ledger.Store(&ledger)
	return nil
}

// Ledger returns the uuid of the ledger, "" before it was read.
func (s *Store) Ledger() string {
	if ledger := s.ledger.Load(); ledger != nil {
		return *ledger
	}
	return ""
}

// Close closes the pools and waits for the statements under way.
func (s *Store) Close() {
	s.door.Close()
	s.runs.Close()
	s.questions.Close()
}

// Ping answers whether Postgres can take events: that it answers is not enough, it may be a standby, or not migrated.
func (s *Store) Ping(ctx context.Context) error {
	var readOnly bool
	err := s.door.QueryRow(ctx, ping).Scan(&readOnly)
	if err == nil && readOnly {
		err = errReadOnly
	}
	return err
}

const ping = `SELECT current_setting('transaction_read_only')::boolean AND count(*) >= 0 FROM (SELECT FROM webhook_events LIMIT 1) e`

var errReadOnly = errors.New("the ledger takes no writes: a standby, or read-only")

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

// Unavailable reports whether err means that the ledger could not be asked, or is in no state to answer: away, full,
// starting, read-only after a failover. A verdict on the data or the statement is none of it, nor the caller giving up.
func Unavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, pgx.ErrNoRows) {
		return false
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return true // whatever the reason: a wrong password keeps us out as an outage does
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return unavailableState(pg.Code)
	}
	return errors.Is(err, errReadOnly) || errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) ||
		pgconn.SafeToRetry(err) || lostConnection(err)
}

// unavailableState tells by the SQLSTATE (Postgres documentation, appendix A).
func unavailableState(code string) bool {
	switch code {
	case "25006", // read-only: a standby
		"55P03": // a lock was not to be had in time
		return true
	}
	switch code[:min(len(code), 2)] {
	case "08", // connection
		"40", // deadlock, serialization
		"53", // disk full, out of memory, too many connections
		"58", // the system under Postgres
		"XX": // Postgres itself
		return true
	}
	return strings.HasPrefix(code, "57P") // shutting down, starting
}

// text is s as a Postgres text can hold it: a NUL, and what is not UTF-8, is U+FFFD. Empty is NULL.
func text(s string) *string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
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
