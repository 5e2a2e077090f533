// Package migrations holds the schema of the ledger, embedded, and applies it.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"

	"hookflow/internal/pooler"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed *.sql
var files embed.FS

// table holds the versions applied. Its name is ours, so that a database of another program that uses goose, or that has
// a webhook_events of its own (the Rails receiver has), is told apart.
const table = "hookflow_migrations"

// ErrForeign is returned when the schema holds a webhook_events that these migrations did not make.
var ErrForeign = errors.New("the database has a table webhook_events that hookflow did not create; " +
	"use another database, or another schema through search_path in the URL")

// ErrPooled is returned where each transaction may meet another session: the lock that lets one process migrate at a time would
// be taken in one and given back in another.
var ErrPooled = errors.New("DATABASE_URL leads through a pooler in transaction mode, which migrations cannot use; " +
	"give hookflow migrate the address of Postgres itself, or a pool in session mode")

// Status is one migration and whether it is applied.
type Status struct {
	Version int64
	Name    string
	Applied bool
}

// Up applies every migration that is missing. Several processes may call it at once: one applies, the others wait.
// It returns the versions applied by this call, and ErrForeign without touching anything for a schema not its own.
func Up(ctx context.Context, url string) ([]int64, error) {
	var applied []int64
	err := with(ctx, url, func(p *goose.Provider) error {
		results, err := p.Up(ctx)
		for _, r := range results {
			applied = append(applied, r.Source.Version)
		}
		return err
	})
	return applied, err
}

// Down takes back the newest migration and returns its version, 0 when there was none.
func Down(ctx context.Context, url string) (int64, error) {
	var version int64
	err := with(ctx, url, func(p *goose.Provider) error {
		result, err := p.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil
		}
		if err == nil {
			version = result.Source.Version
		}
		return err
	})
	return version, err
}

// List returns every migration in order.
func List(ctx context.Context, url string) ([]Status, error) {
	var list []Status
	err := with(ctx, url, func(p *goose.Provider) error {
		all, err := p.Status(ctx)
		for _, s := range all {
			list = append(list, Status{s.Source.Version, s.Source.Path, s.State == goose.StateApplied})
		}
		return err
	})
	return list, err
}

func with(ctx context.Context, url string, do func(*goose.Provider) error) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	if perTransaction, err := pooler.PerTransaction(ctx, cfg); err == nil && perTransaction {
		return ErrPooled
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	schema, err := own(ctx, db)
	if err != nil {
		return err
	}
	// One lock per schema; asked for every second, for five minutes.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID(schema)), lock.WithLockTimeout(1, 300))
	if err != nil {
		return err
	}
	store, err := database.NewStore(database.DialectPostgres, table)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider("", db, files, goose.WithStore(store), goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	return do(provider)
}

// own returns the current schema, or ErrForeign.
func own(ctx context.Context, db *sql.DB) (string, error) {
	var schema sql.NullString
	var events, versions bool
	err := db.QueryRowContext(ctx, `SELECT current_schema(),
		to_regclass(quote_ident(current_schema()) || '.webhook_events') IS NOT NULL,
		to_regclass(quote_ident(current_schema()) || '.`+table+`') IS NOT NULL`).Scan(&schema, &events, &versions)
	switch {
	case err != nil:
		return "", err
	case !schema.Valid:
		return "", errors.New("no schema of the search_path exists")
	case events && !versions:
		return "", ErrForeign
	}
	return schema.String, nil
}

func lockID(schema string) int64 {
	h := fnv.New64a()
	h.Write([]byte("hookflow/" + schema))
	return int64(h.Sum64())
}
