package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// Every port that is taken is named at once, with who has it and what moves it, and so is a folder that is none.
func TestEverythingIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	vars := map[string]string{
		"HOOKFLOW_DATA_DIR": file, "HOOKFLOW_HTTP_ADDR": "127.0.0.1:" + listen(t), "HOOKFLOW_OPS_ADDR": "127.0.0.1:" + listen(t),
		"HOOKFLOW_TEMPORAL_PORT": listen(t), "HOOKFLOW_TEMPORAL_UI_PORT": listen(t),
	}
	postgres := listen(t)
	var out strings.Builder
	code := run(func(name string) string { return vars[name] }, func(name string) ([]byte, error) {
		require.True(t, name == ".env" || strings.HasSuffix(name, "postgres.path"), name)
		return []byte("HOOKFLOW_POSTGRES_PORT=" + postgres + "\n"), nil
	}, &out)
	require.Equal(t, 1, code)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 7, out.String())
	require.Contains(t, lines[1], file+" is a file, not a folder")
	for i, variable := range []string{"HOOKFLOW_HTTP_ADDR", "HOOKFLOW_OPS_ADDR", "HOOKFLOW_TEMPORAL_PORT", "HOOKFLOW_TEMPORAL_UI_PORT", "HOOKFLOW_POSTGRES_PORT"} {
		require.Contains(t, lines[i+2], fmt.Sprintf("is taken by process %d (", os.Getpid()))
		require.Contains(t, lines[i+2], "set "+variable+" to another port")
	}
}

func TestNothingIsWrong(t *testing.T) {
	t.Parallel()
	vars := map[string]string{
		"HOOKFLOW_DATA_DIR": filepath.Join(t.TempDir(), "data"), "HOOKFLOW_HTTP_ADDR": "127.0.0.1:0",
		"HOOKFLOW_TEMPORAL_PORT": "0", "HOOKFLOW_TEMPORAL_UI_PORT": "0", "HOOKFLOW_POSTGRES_PORT": "0",
	}
	var out strings.Builder
	require.Equal(t, 0, run(func(name string) string { return vars[name] }, func(string) ([]byte, error) { return nil, os.ErrNotExist }, &out))
	require.Empty(t, out.String())
	taken, err := strconv.Atoi(listen(t))
	require.NoError(t, err)
	vars["HOOKFLOW_POSTGRES_PORT"] = strconv.Itoa(taken)
	vars["DATABASE_URL"] = "postgres://db.example/hookflow"
	require.Equal(t, 0, run(func(name string) string { return vars[name] }, func(string) ([]byte, error) { return nil, os.ErrNotExist }, &out),
		"%s: no Postgres is started", out.String())
}

// Servers that a killed start left on the ports are dev's to take down.
func TestBelongsTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pointer := func(string) ([]byte, error) { return []byte("/var/lib/hookflow/1\n"), nil }
	for command, want := range map[string]bool{
		"/usr/lib/postgresql/15/bin/postgres -D " + dir + "/postgres -c port=1":       true,
		"temporal server start-dev --db-filename " + dir + "/temporal/temporal.db":    true,
		"/usr/lib/postgresql/15/bin/postgres -D /var/lib/hookflow/1/postgres -c x=1":  true,
		"/usr/lib/postgresql/15/bin/postgres -D /var/lib/hookflow/11/postgres -c x=1": false,
		"temporal server start-dev --db-filename " + dir + "2/temporal/temporal.db":   false,
		"": false,
	} {
		require.Equal(t, want, belongsTo(dir, command, pointer), command)
	}
}
