package migrations

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"
)

// How often the lock is asked for, and for how long.
const (
	lockInterval = time.Second
	lockTimeout  = 5 * time.Minute
)

// alone calls do while no other process migrates the schema. The lock belongs to a transaction that stays open beside the
// migrations, on a connection of its own: a lock of a session is of no use behind a pooler in transaction mode, which would take
// it in one session and give it back in another. Both kinds exclude each other, so releases that took a session's are kept out.
func alone(ctx context.Context, cfg *pgx.ConnConfig, schema string, do func() error) error {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	tx, err := take(ctx, conn, lockID(schema))
	if err != nil {
		return err
	}
	err = do()
	if lost := tx.Rollback(context.WithoutCancel(ctx)); lost != nil {
		err = errors.Join(err, fmt.Errorf("the connection with the lock was lost while migrating: %w", lost))
	}
	return err
}

// take returns the transaction that holds the lock. One that does not get it ends at once: those that wait take up no place in a
// pooler, which the migrating process needs.
func take(ctx context.Context, conn *pgx.Conn, id int64) (pgx.Tx, error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	again := time.NewTicker(lockInterval)
	defer again.Stop()
	for {
		tx, err := try(ctx, conn, id)
		if err != nil || tx != nil {
			return tx, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("another process has been migrating this schema: %w", ctx.Err())
		}
	}
}

// try returns nil where another process has the lock.
func try(ctx context.Context, conn *pgx.Conn, id int64) (pgx.Tx, error) {
	// Read committed holds no snapshot between statements, so that a transaction that stays open holds up no vacuum.
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return nil, err
	}
	var taken bool
	if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, id).Scan(&taken); err != nil {
		return nil, err
	}
	if !taken {
		return nil, tx.Rollback(ctx)
	}
	_, err = tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`)
	return tx, err
}

func lockID(schema string) int64 {
	h := fnv.New64a()
	h.Write([]byte("hookflow/" + schema))
	return int64(h.Sum64())
}
