// Package migrations holds the schema of the ledger, embedded, and applies it.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"hookflow/internal/pooler"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

//go:embed *.sql
var files embed.FS

// table holds the versions applied. Its name is ours, so that a database of another program that uses goose, or that has
// a webhook_events of its own (the Rails receiver has), is told apart.
const table = "hookflow_migrations"

// ErrForeign is returned when the schema holds a webhook_events that these migrations did not make.
var ErrForeign = errors.New("the database has a table webhook_events that hookflow did not create; " +
	"use another database, or another schema through search_path in the URL")

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
	cfg, err := pooler.Config(url)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	schema, err := own(ctx, db)
	if err != nil {
		return err
	}
	return alone(ctx, cfg, schema, func() error {
		store, err := database.NewStore(database.DialectPostgres, table)
		if err != nil {
			return err
		}
		provider, err := goose.NewProvider("", db, files, goose.WithStore(store))
		if err != nil {
			return err
		}
		return do(provider)
	})
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
