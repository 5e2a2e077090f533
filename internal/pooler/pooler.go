// Package pooler finds out whether a connection pooler stands between us and Postgres, and of which kind. The store and the
// migrations ask; it imports the driver only.
package pooler

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const backend = `SELECT pg_backend_pid()`

// Between reports whether a pooler (PgBouncer, Odyssey, a cloud's proxy) answers at cfg: what it gave as the backend's process
// for cancel requests is not the process that runs statements. Under one of them a prepared statement may meet another session.
// An error is that of the connection.
func Between(ctx context.Context, cfg *pgx.ConnConfig) (bool, error) {
	conn, pid, err := ask(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(ctx) }()
	return pid != conn.PgConn().PID(), nil
}

// PerTransaction reports whether that pooler gives each transaction any session: two connections at the same time ran their
// statements in one. What lasts for a session, such as the lock of the migrations, cannot be had then.
func PerTransaction(ctx context.Context, cfg *pgx.ConnConfig) (bool, error) {
	first, pid, err := ask(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer func() { _ = first.Close(ctx) }()
	if pid == first.PgConn().PID() {
		return false, nil
	}
	second, other, err := ask(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer func() { _ = second.Close(ctx) }()
	return pid == other, nil
}

// ask connects and asks for the process that runs the statement, which is not prepared.
func ask(ctx context.Context, cfg *pgx.ConnConfig) (*pgx.Conn, uint32, error) {
	cfg = cfg.Copy()
	cfg.Tracer = nil
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, 0, err
	}
	var pid uint32
	if err := conn.QueryRow(ctx, backend, pgx.QueryExecModeSimpleProtocol).Scan(&pid); err != nil {
		_ = conn.Close(ctx)
		return nil, 0, err
	}
	return conn, pid, nil
}
