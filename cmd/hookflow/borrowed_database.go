package main

import (
	"context"
	"fmt"
	"io"

	"hookflow/migrations"
)

// useDatabase is the variable with which a dev that nobody can ask takes the database of DATABASE_URL.
const useDatabase = "HOOKFLOW_DEV_USE_DATABASE_URL"

// mayUseDatabase fails where DATABASE_URL is of the environment, perhaps for another program, its schema holds no table of
// hookflow's, and nobody agrees to make them there. What .env names is meant for hookflow.
func (d *devRun) mayUseDatabase(ctx context.Context) error {
	if !d.borrowedDatabase || d.getenv(useDatabase) == "1" {
		return nil
	}
	state, err := migrations.Look(ctx, d.config.DatabaseURL)
	switch {
	case err != nil: // without a look, nothing is made
		return fmt.Errorf("DATABASE_URL of the environment cannot be used: %w", err)
	case state.Applied > 0:
		return nil
	}
	const what = "DATABASE_URL of the environment names a database that holds nothing of hookflow's"
	if in, ok := d.stdin.(io.Writer); !ok || !isTerminal(in) { // a terminal is an *os.File
		return failure("%s; write: %s=1 to have its tables made there, or unset DATABASE_URL for a private Postgres", what, useDatabase)
	}
	return agree(d.environment, what+". Make its tables there? [y/N] ", "nothing was made; unset DATABASE_URL for a private Postgres")
}
