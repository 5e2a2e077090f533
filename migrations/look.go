package migrations

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"hookflow/internal/pooler"

	"github.com/jackc/pgx/v5/stdlib"
)

// State is how a schema stands to the migrations of this binary.
type State struct {
	Missing []string // names of files, in order
	// Newest is the newest version that this binary knows, Applied the newest that the schema has.
	Newest, Applied int64
}

// Look compares the schema with the migrations without touching it, as List does not. It returns ErrForeign for a schema
// not its own.
func Look(ctx context.Context, url string) (State, error) {
	cfg, err := pooler.Config(url)
	if err != nil {
		return State{}, fmt.Errorf("DATABASE_URL: %w", err)
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	if _, err := own(ctx, db); err != nil {
		return State{}, err
	}
	var there bool
	if err := db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, table).Scan(&there); err != nil {
		return State{}, err
	}
	applied := map[int64]bool{}
	var s State
	if there {
		rows, err := db.QueryContext(ctx, `SELECT version_id FROM `+table+` WHERE is_applied`)
		if err != nil {
			return State{}, err
		}
		defer rows.Close()
		for rows.Next() {
			var version int64
			if err := rows.Scan(&version); err != nil {
				return State{}, err
			}
			applied[version] = true
			s.Applied = max(s.Applied, version)
		}
		if err := rows.Err(); err != nil {
			return State{}, err
		}
	}
	names, err := fs.Glob(files, "*.sql")
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		version, _ := strconv.ParseInt(number, 10, 64) // goose refuses a file without a number
		s.Newest = max(s.Newest, version)
		if !applied[version] {
			s.Missing = append(s.Missing, name)
		}
	}
	return s, err
}
