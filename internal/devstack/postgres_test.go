package devstack

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// execURL runs one statement.
func execURL(t *testing.T, url, sql string) {
	t.Helper()
	_, err := connect(t, url).Exec(t.Context(), sql)
	require.NoError(t, err)
}

// askURL returns the text that a query gives.
func askURL(t *testing.T, url, sql string) (answer string) {
	t.Helper()
	require.NoError(t, connect(t, url).QueryRow(t.Context(), sql).Scan(&answer))
	return answer
}

func TestPostgresTemporary(t *testing.T) {
	t.Parallel()
	pg, err := StartPostgres(t.Context(), PostgresOptions{Fast: true, MaxConnections: 200})
	require.NoError(t, err)
	for setting, want := range map[string]string{
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200",
		"fsync": "off", "synchronous_commit": "off", "TimeZone": "UTC", "server_encoding": "UTF8",
	} {
		require.Equal(t, want, askURL(t, pg.SuperuserURL("hookflow"), "SHOW "+setting), setting)
	}
	require.Equal(t, "hookflow", askURL(t, pg.URL(), "SELECT current_database() || ''"))
	require.NoError(t, pg.Stop(context.Background()))
	require.NoDirExists(t, pg.Cluster)
	require.Empty(t, postgresOf(pg.Cluster))
}

func TestPostgresRefusesAWrongPassword(t *testing.T) {
	t.Parallel()
	pg, err := StartPostgres(t.Context(), PostgresOptions{Fast: true})
	require.NoError(t, err)
	t.Cleanup(pg.Kill)
	c, err := pgx.ParseConfig(pg.URL())
	require.NoError(t, err)
	c.Password = "wrong"
	_, err = pgx.ConnectConfig(t.Context(), c)
	require.ErrorContains(t, err, "password authentication failed")
}

// A data folder lives through an orderly stop, and through SIGKILL of the server with all its workers.
func TestPostgresKeepsItsData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	discard(t, dir)
	pg := startOn(t, dir)
	require.Equal(t, "on", askURL(t, pg.URL(), "SHOW synchronous_commit"))
	require.Equal(t, "on", askURL(t, pg.URL(), "SHOW fsync"))
	execURL(t, pg.URL(), "CREATE TABLE kept (v text)")
	execURL(t, pg.URL(), "INSERT INTO kept VALUES ('stop')")
	require.NoError(t, pg.Stop(context.Background()))

	pg = startOn(t, dir)
	execURL(t, pg.URL(), "INSERT INTO kept VALUES ('kill')")
	pg.Kill()
	require.Empty(t, postgresOf(pg.Cluster))

	pg = startOn(t, dir)
	require.Equal(t, "stop,kill", askURL(t, pg.URL(), "SELECT string_agg(v, ',') FROM kept"))
	require.NoError(t, pg.Stop(context.Background()))
}

// startOn starts a server on a data folder, as dev does.
func startOn(t *testing.T, dir string) *Postgres {
	t.Helper()
	lock, err := Lock(t.Context(), dir, nil)
	require.NoError(t, err)
	require.NoError(t, lock.Release())
	pg, err := StartPostgres(t.Context(), PostgresOptions{Dir: dir, DieWithParent: true})
	require.NoError(t, err)
	t.Cleanup(pg.Kill)
	return pg
}

// What a killed start leaves must not keep the next one from starting: half an initdb, and a pid file whose pid has
// become another process.
func TestPostgresStartsOverTheRestOfAKilledOne(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	discard(t, dir)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "postgres.new", "base"), 0o700))
	pg := startOn(t, dir)
	pg.Kill()
	require.NoDirExists(t, pg.Cluster+".new")

	sleeper := exec.Command("sleep", "60")
	as, err := chooseAccount(pg.Cluster)
	require.NoError(t, err)
	sleeper.SysProcAttr = as.attr()
	require.NoError(t, sleeper.Start())
	defer func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() }()
	pidFile := filepath.Join(pg.Cluster, "postmaster.pid")
	b, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(b), "\n")
	require.NoError(t, os.WriteFile(pidFile, []byte(strconv.Itoa(sleeper.Process.Pid)+"\n"+rest), 0o600))
	startOn(t, dir)
	require.NotNil(t, commandLine(sleeper.Process.Pid), "it is not ours")
}

func TestPostgresSecondServerIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	discard(t, dir)
	startOn(t, dir)
	_, err := StartPostgres(t.Context(), PostgresOptions{Dir: dir, DieWithParent: true})
	require.ErrorContains(t, err, "already runs")
}

// A folder that the unprivileged user cannot enter, as a checkout under /root is.
func TestPostgresInAClosedFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root runs Postgres as another user")
	}
	closed := t.TempDir()
	require.NoError(t, os.Chmod(closed, 0o700))
	dir := filepath.Join(closed, "data")
	discard(t, dir)
	pg := startOn(t, dir)
	home := filepath.Dir(pg.Cluster)
	require.Equal(t, outside, filepath.Dir(home))
	execURL(t, pg.URL(), "CREATE TABLE kept AS SELECT 'here' AS v")
	require.NoError(t, pg.Stop(context.Background()))

	moved := filepath.Join(closed, "moved")
	discard(t, moved)
	require.NoError(t, os.Rename(dir, moved))
	pg = startOn(t, moved)
	require.Equal(t, "here", askURL(t, pg.URL(), "SELECT v FROM kept"))
	require.NoError(t, pg.Stop(context.Background()))

	copied := filepath.Join(closed, "copied")
	discard(t, copied)
	require.NoError(t, os.CopyFS(copied, os.DirFS(moved)))
	other := startOn(t, copied)
	require.NotEqual(t, pg.Cluster, other.Cluster, "two folders never share a database")
	other.Kill()

	require.NoError(t, Remove(t.Context(), moved))
	require.NoDirExists(t, home)
}

func TestFindPostgres(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for version, text := range map[string]string{
		"9": "postgres (PostgreSQL) 9.6.24", "16": "postgres (PostgreSQL) 16.4 (Debian 16.4-1)", "98": "postgres (PostgreSQL) 98beta1",
	} {
		program(t, filepath.Join(root, version, "bin", "postgres"), "echo '"+text+"'")
		program(t, filepath.Join(root, version, "bin", "initdb"), "exit 0")
	}
	program(t, filepath.Join(root, "99", "bin", "psql"), "exit 0") // the client alone
	all := installedPostgres([]string{filepath.Join(root, "*", "bin")})
	var majors []int
	for _, b := range all {
		if strings.HasPrefix(b.dir, root) {
			majors = append(majors, b.major)
		}
	}
	require.Equal(t, []int{98, 16, 9}, majors)

	b, err := findPostgres(16, []string{filepath.Join(root, "*", "bin")})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "16", "bin"), b.dir)
	_, err = findPostgres(97, []string{filepath.Join(root, "*", "bin")})
	require.ErrorContains(t, err, "made by Postgres 97")
}

// program writes a shell script that can be run.
func program(t *testing.T, path, body string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	// A link that stands there leads to a program of this machine.
	require.NoFileExists(t, path)
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755))
}
