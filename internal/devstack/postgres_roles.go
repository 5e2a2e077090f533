package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// superuserName is the superuser of a private cluster. Its password is in superuserFile, beside the cluster, which only we
// may read; nothing but the start uses it.
const (
	superuserName = "postgres"
	superuserFile = "postgres.superuser"
)

// roles are the two users of a private cluster: the superuser, and the owner of the database hookflow, as whom hookflow
// connects. A superuser may run programs and read files as the server's user, so hookflow is none.
type roles struct {
	password string // of hookflow
	file     string // holds the superuser's
}

// newSuperuser generates the superuser's password and keeps it.
func (r roles) newSuperuser() (string, error) {
	password := rand.Text()
	if err := os.WriteFile(r.file, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the password of the superuser: %w", err)
	}
	return password, nil
}

// superuser returns the superuser's password; empty for a cluster that was made when hookflow was the superuser.
func (r roles) superuser() string { return firstLine(r.file) }

// prepare sets both roles and the database up, each step only where it is not done yet. urlOf writes a connection string.
func (r roles) prepare(ctx context.Context, urlOf func(user, password, database string) string) error {
	if r.superuser() == "" {
		if err := r.addSuperuser(ctx, urlOf(postgresUser, postgresUser, "postgres")); err != nil {
			return err
		}
	}
	conn, err := pgx.Connect(ctx, urlOf(superuserName, r.superuser(), "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if err := r.addOwner(ctx, conn); err != nil {
		return err
	}
	var there bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", postgresUser).Scan(&there)
	if err == nil && !there {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+postgresUser+" OWNER "+postgresUser)
		return err
	}
	if err != nil {
		return err
	}
	return takeFromSuperuser(ctx, urlOf(superuserName, r.superuser(), postgresUser))
}

// addSuperuser makes the superuser of a cluster whose only role is hookflow, with a password that is its name. The file is
// written last, so that an interrupted one is repeated.
func (r roles) addSuperuser(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	password := rand.Text() // letters and digits
	for _, verb := range []string{"CREATE", "ALTER"} {
		_, err = conn.Exec(ctx, verb+" ROLE "+superuserName+" SUPERUSER LOGIN PASSWORD '"+password+"'")
		var sql *pgconn.PgError
		if !errors.As(err, &sql) || sql.Code != "42710" { // duplicate_object
			break
		}
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.file, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the password of the superuser: %w", err)
	}
	return nil
}

// addOwner makes the role hookflow, with the password of now. The role that initdb made cannot lose its rights (Postgres 16),
// so one of that name gets another name and no login.
func (r roles) addOwner(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `DO $$ BEGIN
		IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookflow' AND rolsuper) THEN
			ALTER ROLE hookflow RENAME TO hookflow_before;
			ALTER ROLE hookflow_before NOLOGIN;
		END IF;
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookflow') THEN
			CREATE ROLE hookflow LOGIN;
		END IF;
	END $$`)
	if err != nil {
		return err
	}
	var alter string
	if err := conn.QueryRow(ctx, "SELECT format('ALTER ROLE hookflow PASSWORD %L', $1::text)", r.password).Scan(&alter); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, alter); err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), r.password, "…"))
	}
	return nil
}

// takeFromSuperuser makes hookflow the owner of what a superuser of that name once owned: its database, and the schemas,
// tables, sequences, views, types and functions in it. REASSIGN OWNED refuses the role that initdb made.
func takeFromSuperuser(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, `DO $$ DECLARE before oid := (SELECT oid FROM pg_roles WHERE rolname = 'hookflow_before'); command text; BEGIN
		IF before IS NULL OR (SELECT datdba <> before FROM pg_database WHERE datname = 'hookflow') THEN
			RETURN;
		END IF;
		FOR command IN
			SELECT format('ALTER SCHEMA %I OWNER TO hookflow', nspname) FROM pg_namespace
				WHERE nspowner = before AND nspname !~ '^pg_' AND nspname <> 'information_schema'
			UNION ALL
			SELECT format('ALTER %s %I.%I OWNER TO hookflow',
					CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, nspname, relname)
				FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
				WHERE relowner = before AND relkind IN ('r', 'p', 'v', 'm', 'S') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
				-- A sequence of a column follows its table.
				AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND relkind = 'S' AND deptype IN ('a', 'i'))
			UNION ALL
			SELECT format('ALTER TYPE %I.%I OWNER TO hookflow', nspname, typname) FROM pg_type JOIN pg_namespace n ON n.oid = typnamespace
				WHERE typowner = before AND typtype IN ('e', 'd') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
			UNION ALL
			SELECT format('ALTER ROUTINE %s OWNER TO hookflow', p.oid::regprocedure) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
				WHERE proowner = before AND nspname !~ '^pg_' AND nspname <> 'information_schema'
			UNION ALL
			SELECT 'ALTER DATABASE hookflow OWNER TO hookflow'
		LOOP
			EXECUTE command;
		END LOOP;
	END $$`)
	return err
}
