package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"hookflow/config"
	"hookflow/migrations"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
)

// newMigrateCommand returns "hookflow migrate up|down|status".
func newMigrateCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: "migrate", Short: "Bring the schema of the ledger up to date"})
	var members []*cobra.Command
	add := func(use, short string, do func(cmd *cobra.Command, url string) error) {
		sub := quiet(&cobra.Command{Use: use, Short: short, Args: exactly(0)})
		sub.RunE = func(cmd *cobra.Command, _ []string) error {
			url := env.getenv("DATABASE_URL")
			if url == "" {
				return usageError("DATABASE_URL is not set; write: postgres://USER:PASSWORD@HOST:5432/DATABASE")
			}
			if err := checkDatabaseURL(url); err != nil {
				return err
			}
			err := do(cmd, url)
			if errors.Is(err, migrations.ErrForeign) {
				return failure("%v", err)
			}
			return err
		}
		members = append(members, sub)
	}
	add("up", "Apply every migration that is missing, and create Temporal's search attribute; several processes may do so at once", func(cmd *cobra.Command, url string) error {
		applied, err := migrations.Up(cmd.Context(), url)
		if err != nil {
			return err
		}
		if len(applied) == 0 {
			fmt.Fprintln(env.stdout, "The schema is up to date.")
		}
		for _, version := range applied {
			fmt.Fprintf(env.stdout, "Applied migration %d.\n", version)
		}
		return env.migrateTemporal(cmd.Context())
	})
	add("down", "Take back the newest migration, with the data that it holds", func(cmd *cobra.Command, url string) error {
		version, err := migrations.Down(cmd.Context(), url)
		switch {
		case err != nil:
			return err
		case version == 0:
			fmt.Fprintln(env.stdout, "There is nothing to take back.")
		default:
			fmt.Fprintf(env.stdout, "Took back migration %d.\n", version)
		}
		return nil
	})
	add("status", "List the migrations", func(cmd *cobra.Command, url string) error {
		list, err := migrations.List(cmd.Context(), url)
		for _, m := range list {
			state := "missing"
			if m.Applied {
				state = "applied"
			}
			fmt.Fprintf(env.stdout, "%-8s %5d  %s\n", state, m.Version, m.Name)
		}
		return err
	})
	return family(env, cmd, members...)
}

// checkDatabaseURL refuses what the driver cannot read: its own words quote it, and a password may stand in it.
func checkDatabaseURL(url string) error {
	if _, err := pgx.ParseConfig(url); err != nil {
		return failure("DATABASE_URL cannot be read; write: postgres://USER:PASSWORD@HOST:5432/DATABASE, special characters in the password as %%XX")
	}
	return nil
}

// migrateTemporal creates the search attribute in the namespace that the environment names. Where it names none, that is
// left to whoever does.
func (env environment) migrateTemporal(ctx context.Context) error {
	options, err := temporalOptions(config.Serve, env.getenv, slog.New(slog.DiscardHandler))
	if err != nil {
		return failure("%v", err)
	}
	if options.HostPort != "" {
		sentence, _ := addAttribute(ctx, options)
		fmt.Fprintln(env.stdout, sentence)
	}
	return nil
}
