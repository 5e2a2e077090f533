package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hookflow/config"
	"hookflow/internal/pooler"
	"hookflow/migrations"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// oldestPostgres is the oldest major version that is still maintained (postgresql.org/support/versioning).
	oldestPostgres = 15
	// slightSkew is what a clock may be wrong by before anybody notices, grossSkew what comes near the 300 s in which
	// providers' signatures are valid.
	slightSkew = 2 * time.Second
	grossSkew  = time.Minute
)

// examinePostgres looks at the ledger's server and schema.
func (p *patient) examinePostgres(ctx context.Context) []finding {
	const check = "postgres"
	advice := "start it, or mend DATABASE_URL"
	if p.mode == config.Dev {
		advice = "make dev starts it; HOOKFLOW_POSTGRES_PORT says where"
	}
	if p.config.DatabaseURL == "" {
		return []finding{failed(check, "DATABASE_URL cannot be used", "write: postgres://USER:PASSWORD@HOST:5432/DATABASE")}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	cfg, err := pooler.Config(p.config.DatabaseURL)
	if err != nil {
		return []finding{failed(check, "DATABASE_URL cannot be read", advice)}
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if refusedParameter(err) {
		advice = "take the parameter out of DATABASE_URL, which a pooler does not pass on: ALTER ROLE … SET, or its connect_query"
	}
	if err != nil {
		return []finding{failed(check, oneLine(err), advice)}
	}
	defer conn.Close(context.WithoutCancel(ctx))
	s, err := askPostgres(ctx, conn)
	if err != nil {
		return []finding{failed(check, oneLine(err), "the role of DATABASE_URL must be able to ask this")}
	}
	found := []finding{s.server(conn.Config()), s.durability(), takesWrites(ctx, conn), skew("postgres clock", s.skew, s.uncertain)}
	return append(found, p.examinePooler(ctx, cfg), examineMigrations(ctx, p.config.DatabaseURL))
}

// pgSettings is what a server says of itself.
type pgSettings struct {
	version                  int // as 170004
	commit, fsync, fullPages string
	standby, readOnly        bool
	used, most               int // connections
	skew, uncertain          time.Duration
}

func askPostgres(ctx context.Context, conn *pgx.Conn) (pgSettings, error) {
	var s pgSettings
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit'),
		current_setting('fsync'), current_setting('full_page_writes'), pg_is_in_recovery(),
		current_setting('default_transaction_read_only')::bool, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
		current_setting('max_connections')::int`).
		Scan(&s.version, &s.commit, &s.fsync, &s.fullPages, &s.standby, &s.readOnly, &s.used, &s.most)
	if err != nil {
		return s, err
	}
	var theirs time.Time
	asked := time.Now()
	err = conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&theirs)
	s.uncertain = time.Since(asked) / 2
	s.skew = theirs.Sub(asked.Add(s.uncertain))
	return s, err
}

func (s pgSettings) server(at *pgx.ConnConfig) finding {
	const check = "postgres"
	detail := fmt.Sprintf("version %d.%d at %s:%d, database %s, %d of %d connections in use",
		s.version/10000, s.version%10000, at.Host, at.Port, at.Database, s.used, s.most)
	switch {
	case s.standby || s.readOnly:
		return failed(check, detail+"; it takes no writes", "point DATABASE_URL at the primary")
	case s.version/10000 < oldestPostgres:
		return warning(check, detail+"; this version is no longer maintained", fmt.Sprintf("upgrade to %d or newer", oldestPostgres))
	case s.used*10 > s.most*9:
		return warning(check, detail, "raise max_connections, or run fewer processes")
	}
	return fine(check, "%s", detail)
}

// durability is what an accepted event relies on.
func (s pgSettings) durability() finding {
	const check = "synchronous_commit"
	switch {
	case s.fsync == "off":
		return failed(check, "fsync is off: a crash of the machine can destroy the ledger", "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf()")
	case s.commit == "off":
		return failed(check, "it is off: events that were answered 200 can be lost in a crash",
			"ALTER ROLE … SET synchronous_commit = on, or wherever it was switched off")
	case s.fullPages == "off":
		return warning(check, s.commit+", with full_page_writes off: a torn page after a crash stays torn", "ALTER SYSTEM SET full_page_writes = on")
	}
	return fine(check, "%s", s.commit)
}

// takesWrites writes a megabyte into a table that is gone before anybody sees it: a full disk is noticed by writing only.
func takesWrites(ctx context.Context, conn *pgx.Conn) finding {
	const check = "postgres writes"
	_, err := conn.Exec(ctx, `BEGIN;
		CREATE TEMP TABLE hookflow_doctor ON COMMIT DROP AS SELECT repeat(md5(n::text), 60) FROM generate_series(1, 512) n;
		ROLLBACK`)
	if err != nil {
		return failed(check, oneLine(err), "make room: the volume of Postgres, its WAL, HOOKFLOW_PAYLOAD_RETENTION")
	}
	return fine(check, "taken")
}

// skew judges how far a clock is from ours. uncertain is how far that may be wrong.
func skew(check string, by, uncertain time.Duration) finding {
	detail := fmt.Sprintf("%s, give or take %s", apart(by), uncertain.Round(time.Millisecond))
	const advice = "let both machines keep their time with NTP (timedatectl)"
	switch off := by.Abs() - uncertain; {
	case off > grossSkew:
		return failed(check, detail+"; signatures are valid for 300 s", advice)
	case off > slightSkew:
		return warning(check, detail, advice)
	}
	return fine(check, "%s", detail)
}

func apart(by time.Duration) string {
	switch by = by.Round(time.Millisecond); {
	case by > 0:
		return by.String() + " ahead of this machine's"
	case by < 0:
		return (-by).String() + " behind this machine's"
	}
	return "as this machine's"
}

// refusedParameter reports whether a pooler refused a setting of the session that the URL sets (PgBouncer: "unsupported startup
// parameter", with Postgres' code for a protocol violation).
func refusedParameter(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "08P01" && strings.Contains(refused.Message, "startup parameter")
}

// examinePooler says whether a pooler is between us and Postgres, and warns of a DATABASE_URL that prepares statements there.
func (p *patient) examinePooler(ctx context.Context, cfg *pgx.ConnConfig) finding {
	const check, mode = "connection", "default_query_exec_mode"
	between, err := pooler.Between(ctx, cfg)
	switch {
	case err != nil:
		return warning(check, oneLine(err), "a second connection must be possible")
	case !between:
		return fine(check, "to Postgres itself")
	}
	// pgx takes the mode out of the settings, pgconn leaves it in.
	plain, err := pgconn.ParseConfig(p.config.DatabaseURL)
	if err == nil && slices.Contains([]string{"cache_statement", "describe_exec"}, plain.RuntimeParams[mode]) {
		return warning(check, "through a pooler, and "+mode+"="+plain.RuntimeParams[mode]+" of DATABASE_URL prepares statements: "+
			"\"prepared statement … does not exist\" where another session runs them",
			"leave "+mode+" out: what fits a pooler is then taken")
	}
	return fine(check, "through a pooler: statements are not prepared")
}

func examineMigrations(ctx context.Context, url string) finding {
	const check = "migrations"
	state, err := migrations.Look(ctx, url)
	switch {
	case errors.Is(err, migrations.ErrForeign):
		return failed(check, oneLine(err), "see there")
	case err != nil:
		return failed(check, oneLine(err), "the role of DATABASE_URL must be able to read the table of the migrations")
	case len(state.Missing) > 0:
		return failed(check, "missing: "+strings.Join(state.Missing, ", "), "hookflow migrate up")
	case state.Newest < state.Applied:
		return warning(check, fmt.Sprintf("the schema is at %d, this binary knows %d", state.Applied, state.Newest), "run the newer binary everywhere")
	}
	return fine(check, "all applied, up to %d", state.Newest)
}
