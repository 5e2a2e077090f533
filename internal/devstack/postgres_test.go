package devstack

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// exec runs one statement on a server's database.
func execSQL(t *testing.T, pg *Postgres, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pg.URL())
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// ask returns the text that a query gives.
func ask(t *testing.T, pg *Postgres, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pg.URL())
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	var s string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&s))
	return s
}

func TestPostgresTemporary(t *testing.T) {
	t.Parallel()
	pg, err := StartPostgres(t.Context(), PostgresOptions{Fast: true, MaxConnections: 200})
	require.NoError(t, err)
	for setting, want := range map[string]string{
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200",
		"fsync": "off", "synchronous_commit": "off", "TimeZone": "UTC", "server_encoding": "UTF8",
	} {
		require.Equal(t, want, ask(t, pg, "SHOW "+setting), setting)
	}
	require.Equal(t, "hookflow", ask(t, pg, "SELECT current_database() || ''"))
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
	start := func() *Postgres {
		lock, err := Lock(t.Context(), dir, nil)
		require.NoError(t, err)
		t.Cleanup(func() { _ = lock.Release() })
		defer func() { require.NoError(t, lock.Release()) }()
		pg, err := StartPostgres(t.Context(), PostgresOptions{Dir: dir, DieWithParent: true})
		require.NoError(t, err)
		return pg
	}
	pg := start()
	require.Equal(t, "on", ask(t, pg, "SHOW synchronous_commit"))
	execSQL(t, pg, "CREATE TABLE kept (v text)")
	execSQL(t, pg, "INSERT INTO kept VALUES ('stop')")
	require.NoError(t, pg.Stop(context.Background()))

	pg = start()
	execSQL(t, pg, "INSERT INTO kept VALUES ('kill')")
	pg.Kill()
	require.Empty(t, postgresOf(pg.Cluster))

	pg = start()
	require.Equal(t, "stop,kill", ask(t, pg, "SELECT string_agg(v, ',') FROM kept"))
	require.NoError(t, pg.Stop(context.Background()))
	home := filepath.Dir(pg.Cluster)
	if home != dir {
		require.NoError(t, os.RemoveAll(home))
	}
}
