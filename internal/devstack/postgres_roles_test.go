package devstack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"hookflow/internal/ports"
)

func TestPostgresRoleIsNoSuperuser(t *testing.T) {
	t.Parallel()
	pg, err := StartPostgres(t.Context(), PostgresOptions{Fast: true, Password: "it's a / password"})
	require.NoError(t, err)
	t.Cleanup(pg.Kill)
	conn := connect(t, pg.URL())
	require.Equal(t, "it's a / password", conn.Config().Password)
	var rights string
	require.NoError(t, conn.QueryRow(t.Context(),
		"SELECT concat_ws(',', rolsuper, rolcreatedb, rolcreaterole, rolreplication) FROM pg_roles WHERE rolname = current_user").Scan(&rights))
	require.Equal(t, "f,f,f,f", rights)
	_, err = conn.Exec(t.Context(), "COPY (SELECT 1) TO PROGRAM 'cat'")
	var refused *pgconn.PgError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "42501", refused.Code, "insufficient_privilege")
	execURL(t, pg.URL(), "CREATE TABLE mine (v int)")
	require.Equal(t, "postgres", askURL(t, pg.SuperuserURL("postgres"), "SELECT current_user::text"))
}

func TestPostgresPasswordChanges(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	discard(t, dir)
	start := func(password string) *Postgres {
		lock, err := Lock(t.Context(), dir, nil)
		require.NoError(t, err)
		require.NoError(t, lock.Release())
		pg, err := StartPostgres(t.Context(), PostgresOptions{Dir: dir, DieWithParent: true, Password: password})
		require.NoError(t, err)
		t.Cleanup(pg.Kill)
		return pg
	}
	pg := start("first")
	execURL(t, pg.URL(), "CREATE TABLE kept AS SELECT 'here' AS v")
	pg.Kill()
	pg = start("second")
	require.Equal(t, "here", askURL(t, pg.URL(), "SELECT v FROM kept"))
	_, err := pgx.Connect(t.Context(), PostgresURL(pg.Port, "first"))
	require.ErrorContains(t, err, "password authentication failed")
}

// A data folder of the time when hookflow was the superuser, with its name for a password, goes on with both changed.
func TestPostgresTakesOverAnOlderCluster(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	discard(t, dir)
	pg := startOn(t, dir)
	home := filepath.Dir(pg.Cluster)
	pg.Kill()
	makeOlderCluster(t, pg.Cluster)
	require.NoError(t, os.Remove(filepath.Join(home, superuserFile)))

	// As an older hookflow left it: the objects belong to the superuser.
	older := startPlain(t, pg.Cluster)
	execURL(t, older("postgres"), "CREATE DATABASE hookflow")
	for _, sql := range []string{
		"CREATE TYPE mood AS ENUM ('good')",
		"CREATE TABLE kept (id bigserial PRIMARY KEY, at bigint GENERATED ALWAYS AS IDENTITY, v mood)",
		"CREATE VIEW seen AS SELECT v FROM kept",
		"CREATE SCHEMA apart CREATE TABLE apart.too (v int)",
		"CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"INSERT INTO kept (v) VALUES ('good')",
	} {
		execURL(t, older("hookflow"), sql)
	}
	older("stop")

	pg = startOn(t, dir)
	for _, sql := range []string{
		"INSERT INTO kept (v) VALUES ('good')", "ALTER TABLE kept ADD COLUMN more int", "ALTER TYPE mood ADD VALUE 'better'",
		"DROP VIEW seen", "DROP FUNCTION one()", "DROP SCHEMA apart CASCADE", "CREATE TABLE another (v int)",
	} {
		execURL(t, pg.URL(), sql)
	}
	require.Equal(t, "false", askURL(t, pg.URL(), "SELECT rolsuper::text FROM pg_roles WHERE rolname = 'hookflow'"))
	require.Equal(t, "2", askURL(t, pg.URL(), "SELECT count(*)::text FROM kept"))
	pg.Kill()
	pg = startOn(t, dir)
	require.Equal(t, "2", askURL(t, pg.URL(), "SELECT count(*)::text FROM kept"), "and once more")
	_, err := pgx.Connect(t.Context(), PostgresURL(pg.Port, "hookflow"))
	require.Error(t, err, "the old password is no longer good")
}

// makeOlderCluster makes the cluster anew as older versions did: hookflow is who initdb made.
func makeOlderCluster(t *testing.T, cluster string) {
	t.Helper()
	as, err := chooseAccount(cluster)
	require.NoError(t, err)
	bin, err := findPostgres(clusterMajor(cluster), binaryFolders)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(cluster))
	require.NoError(t, os.Mkdir(cluster, 0o700))
	require.NoError(t, as.give(cluster))
	password := cluster + ".password"
	require.NoError(t, os.WriteFile(password, []byte("hookflow\n"), 0o644))
	cmd := exec.Command(bin.path("initdb"), "-D", cluster, "-U", "hookflow", "--pwfile", password, "--auth=scram-sha-256", "--no-sync")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = cluster, quietEnv(), as.attr()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// startPlain starts a server that prepares nothing. The function returns URLs for the superuser of then, and ends the server
// when it is asked for the database "stop".
func startPlain(t *testing.T, cluster string) func(database string) string {
	t.Helper()
	as, err := chooseAccount(cluster)
	require.NoError(t, err)
	bin, err := findPostgres(clusterMajor(cluster), binaryFolders)
	require.NoError(t, err)
	free, err := ports.Free(1)
	require.NoError(t, err)
	cmd := exec.Command(bin.path("postgres"), postgresArgs(cluster, free[0], PostgresOptions{})...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = cluster, quietEnv(), as.attr()
	var output strings.Builder
	proc, err := startProcess(cmd, &output, true, "")
	require.NoError(t, err)
	t.Cleanup(proc.kill)
	urlOf := func(database string) string { return postgresURL(free[0], "hookflow", "hookflow", database) }
	require.Eventually(t, func() bool {
		conn, err := pgx.Connect(t.Context(), urlOf("postgres"))
		if err == nil {
			_ = conn.Close(t.Context())
		}
		return err == nil
	}, startWithin, startWithin/1000)
	return func(database string) string {
		if database == "stop" {
			pids := postgresOf(cluster)
			proc.kill()
			killAll(pids)
		}
		return urlOf(database)
	}
}
