// Package pooler finds out whether a connection pooler stands between us and Postgres, and makes the settings of a connection
// that works behind one. The store, the migrations and doctor call it; it imports the driver only.
package pooler

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config returns the settings of one connection to the database at url that prepares no statement and keeps nothing in its
// session, so that a pooler may give each transaction another one. What only a pool reads (pool_max_conns and its like) is left
// out: Postgres would refuse it. The error is that of a url that cannot be read.
func Config(url string) (*pgx.ConnConfig, error) {
	pool, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg := pool.ConnConfig
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	return cfg, nil
}

// Between reports whether a pooler (PgBouncer, Odyssey, a cloud's proxy) answers at cfg: what it gave as the backend's process
// for cancel requests is not the process that runs statements. Under one of them a prepared statement may meet another session.
// An error is that of the connection.
func Between(ctx context.Context, cfg *pgx.ConnConfig) (bool, error) {
	cfg = cfg.Copy()
	cfg.Tracer = nil
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(ctx) }()
	var backend uint32
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&backend); err != nil {
		return false, err
	}
	return backend != conn.PgConn().PID(), nil
}
