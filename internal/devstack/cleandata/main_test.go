package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hookflow/internal/devstack"
)

// answer runs the program on a folder with what is typed.
func answer(t *testing.T, dir, typed string) (int, string) {
	t.Helper()
	var out strings.Builder
	getenv := func(string) string { return dir }
	return run(t.Context(), getenv, strings.NewReader(typed), &out), out.String()
}

func dataFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	lock, err := devstack.Lock(t.Context(), dir, nil)
	require.NoError(t, err)
	require.NoError(t, lock.Release())
	return dir
}

func TestRemovesOnlyAfterYes(t *testing.T) {
	t.Parallel()
	dir := dataFolder(t)
	for _, typed := range []string{"", "\n", "n\n", "x\n"} {
		code, out := answer(t, dir, typed)
		require.Equal(t, 1, code)
		require.Contains(t, out, "Nothing was removed")
		require.DirExists(t, dir)
	}
	code, _ := answer(t, dir, "y\n")
	require.Equal(t, 0, code)
	require.NoDirExists(t, dir)
	code, out := answer(t, dir, "")
	require.Equal(t, 0, code)
	require.Contains(t, out, "no data folder")
}

func TestKeepsWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, out := answer(t, dir, "y\n")
	require.Equal(t, 1, code)
	require.Contains(t, out, "not a data folder")

	dir = dataFolder(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), nil, 0o600))
	code, out = answer(t, dir, "y\n")
	require.Equal(t, 1, code)
	require.Contains(t, out, "more than hookflow's data")
	require.DirExists(t, dir)
}

func TestKeepsAFolderInUse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	lock, err := devstack.Lock(t.Context(), dir, nil)
	require.NoError(t, err)
	code, out := answer(t, dir, "y\n")
	require.Equal(t, 1, code)
	require.Contains(t, out, "another hookflow")
	require.NoError(t, lock.Release())
}

func TestDataDir(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"":                                  ".hookflow",
		"OTHER=1\n":                         ".hookflow",
		"HOOKFLOW_DATA_DIR=/a\n":            "/a",
		"export HOOKFLOW_DATA_DIR='/a b'\n": "/a b",
		"#HOOKFLOW_DATA_DIR=/a\n":           ".hookflow",
	} {
		env := filepath.Join(t.TempDir(), ".env")
		require.NoError(t, os.WriteFile(env, []byte(file), 0o600))
		require.Equal(t, want, dataDir(func(string) string { return "" }, env), file)
		require.Equal(t, "/x", dataDir(func(string) string { return "/x" }, env))
	}
}
