package devstack

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// machine is what scripts/preflight.sh sees of one: programs on PATH (shell bodies), and folders below root.
type machine struct {
	root, bin string
}

// newMachine has the few tools that the script itself needs, and the programs given.
func newMachine(t *testing.T, programs map[string]string) machine {
	t.Helper()
	m := machine{root: t.TempDir(), bin: t.TempDir()}
	for _, tool := range []string{"sh", "grep", "mkdir", "cat", "mktemp", "rm", "touch", "chmod", "sleep", "tail", "ls", "dirname"} {
		if programs[tool] != "" {
			continue // written below: through a link it would replace this machine's
		}
		path, err := exec.LookPath(tool)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(m.bin, tool)))
	}
	for name, body := range programs {
		program(t, filepath.Join(m.bin, name), body)
	}
	return m
}

func (m machine) preflight(what string) (string, error) {
	script, err := filepath.Abs(filepath.Join("..", "..", "scripts", "preflight.sh"))
	if err != nil {
		return "", err
	}
	cmd := exec.Command("/bin/sh", script, what)
	cmd.Dir = m.root
	cmd.Env = []string{"PATH=" + m.bin, "PREFLIGHT_ROOT=" + m.root}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

const (
	asRoot  = "echo 0"
	asUser  = "echo 1000"
	linux   = "echo Linux"
	refused = "echo 'must not be called' >&2; exit 1"
	// aptGet notes how it was called and brings what the package brings.
	aptGet = `echo "$@" >>"$PREFLIGHT_ROOT/apt.log"
case "$*" in
*postgresql)
	mkdir -p "$PREFLIGHT_ROOT/usr/lib/postgresql/15/bin"
	for p in postgres initdb psql; do
		touch "$PREFLIGHT_ROOT/usr/lib/postgresql/15/bin/$p"
		chmod +x "$PREFLIGHT_ROOT/usr/lib/postgresql/15/bin/$p"
	done ;;
esac`
	policy = "etc/postgresql-common/createcluster.d/hookflow.conf"
)

// goOf is a Go of that version, with its folders below root.
func goOf(version string) string {
	return `case $1 in env) [ "$2" = GOTMPDIR ] || echo "$PREFLIGHT_ROOT/$2" ;; *) echo go version ` + version + ` linux/amd64 ;; esac`
}

// Where Go has nowhere to put what it compiles, its own message names nothing that can be set.
func TestPreflightGoFolders(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{"go": goOf("go1.26.1"), "id": asUser})
	require.NoError(t, os.WriteFile(filepath.Join(m.root, "GOMODCACHE"), nil, 0o600))
	out, err := m.preflight("go")
	require.Error(t, err)
	require.Regexp(t, `^GOMODCACHE=\S+ cannot be written by 1000 \(-rw.* \S+GOMODCACHE\): set HOME or GOMODCACHE to a folder of your own: HOME=FOLDER make …\n$`, out)

	m = newMachine(t, map[string]string{"go": `[ "$1" = version ] && echo go version go1.26.1 linux/amd64 || echo off`, "id": asUser})
	out, err = m.preflight("go")
	require.Error(t, err)
	require.Equal(t, "Go has no folder for what it compiles: HOME is not set, GOCACHE is off. Set HOME to a folder of your own: HOME=FOLDER make …\n", out)

	// A program that cannot be started, as on a file system that was mounted with noexec.
	m = newMachine(t, map[string]string{"go": goOf("go1.26.1"), "id": asUser, "chmod": "exit 0"})
	require.NoError(t, os.Mkdir(filepath.Join(m.root, "GOCACHE"), 0o755))
	out, err = m.preflight("go")
	require.Error(t, err)
	require.Regexp(t, `^GOCACHE=\S+ is on a file system that runs no programs`, out)
	left, err := filepath.Glob(filepath.Join(m.root, "GOCACHE", ".*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestPreflightGo(t *testing.T) {
	t.Parallel()
	for version, good := range map[string]bool{
		"go1.26.0": true, "go1.26": true, "go1.27rc1": true, "go2.0": true, "devel": true,
		"go1.25.9": false, "go1.9": false, "go1.25rc2": false,
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			out, err := newMachine(t, map[string]string{"go": goOf(version), "id": asUser}).preflight("go")
			if good {
				require.NoError(t, err, out)
				require.Empty(t, out)
				return
			}
			require.Error(t, err)
			require.Contains(t, out, version)
			require.Contains(t, out, "https://go.dev/dl/")
		})
	}
	out, err := newMachine(t, nil).preflight("go")
	require.Error(t, err)
	require.Regexp(t, `^[^\n]*https://go\.dev/dl/\n$`, out, "one sentence")
}

func TestPreflightPostgresIsInstalledByRoot(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{"id": asRoot, "uname": linux, "apt-get": aptGet})
	// The client alone, as the package postgresql-client-15 leaves it.
	program(t, filepath.Join(m.root, "usr/lib/postgresql/15/bin/psql"), "exit 0")
	out, err := m.preflight("postgres")
	require.NoError(t, err, out)
	require.Contains(t, out, "Installing the package postgresql")
	require.Equal(t, "create_main_cluster = false", lastLine([]byte(read(t, m, policy))))
	require.Contains(t, read(t, m, "apt.log"), "update -q\ninstall -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 postgresql")

	out, err = m.preflight("postgres")
	require.NoError(t, err)
	require.Empty(t, out, "nothing to do any more")
}

func TestPreflightPostgresKeepsTheClusterPolicy(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"createcluster.conf", "createcluster.d/site.conf"} {
		m := newMachine(t, map[string]string{"id": asRoot, "uname": linux, "apt-get": aptGet})
		path := filepath.Join(m.root, "etc/postgresql-common", file)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("create_main_cluster = true\n"), 0o644))
		out, err := m.preflight("postgres")
		require.NoError(t, err, out)
		require.NoFileExists(t, filepath.Join(m.root, policy))
		require.Equal(t, "create_main_cluster = true\n", read(t, m, filepath.Join("etc/postgresql-common", file)))
	}
}

func TestPreflightPostgresTellsTheCommand(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		programs map[string]string
		want     string
	}{
		"Debian": {map[string]string{"id": asUser, "uname": linux, "apt-get": refused, "sudo": refused},
			": sudo apt-get update && sudo apt-get install -y --no-install-recommends postgresql\n"},
		"no sudo": {map[string]string{"id": asUser, "uname": linux, "apt-get": refused},
			": as root, apt-get update && apt-get install -y --no-install-recommends postgresql\n"},
		"Fedora":        {map[string]string{"id": asUser, "uname": linux, "dnf": refused, "sudo": refused}, ": sudo dnf install"},
		"Arch":          {map[string]string{"id": asUser, "uname": linux, "pacman": refused, "sudo": refused}, ": sudo pacman -Sy "},
		"root, not apt": {map[string]string{"id": asRoot, "uname": linux, "apk": refused}, ": apk add -U postgresql\n"},
		"macOS":         {map[string]string{"id": asUser, "uname": "echo Darwin"}, "brew install postgresql@17"},
		"anything else": {map[string]string{"id": asUser, "uname": linux}, "https://www.postgresql.org/download/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := newMachine(t, tt.programs).preflight("postgres")
			require.Error(t, err)
			require.Contains(t, out, tt.want)
			require.NotContains(t, out, "must not be called")
		})
	}
}

func TestPreflightPostgresFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"usr/lib/postgresql/17/bin", "opt/homebrew/opt/postgresql@17/bin", "usr/pgsql-16/bin"} {
		m := newMachine(t, map[string]string{"id": asRoot, "uname": linux, "apt-get": refused})
		program(t, filepath.Join(m.root, dir, "postgres"), "exit 0")
		program(t, filepath.Join(m.root, dir, "initdb"), "exit 0")
		out, err := m.preflight("postgres")
		require.NoError(t, err, out)
		require.Empty(t, out)
	}
}

func TestPreflightCompiler(t *testing.T) {
	t.Parallel()
	cc, err := exec.LookPath("cc")
	require.NoError(t, err)
	out, err := newMachine(t, map[string]string{
		"cc": `PATH=/usr/bin:/bin exec ` + cc + ` "$@"`, "go": "echo cc", "id": asRoot, "apt-get": refused, "uname": linux,
	}).preflight("cc")
	require.NoError(t, err, out)

	m := newMachine(t, map[string]string{"id": asRoot, "apt-get": aptGet, "go": "echo gcc", "uname": linux})
	out, err = m.preflight("cc")
	require.Error(t, err, "apt-get brought nothing here")
	require.Contains(t, out, "Installing the packages gcc")
	require.Contains(t, read(t, m, "apt.log"), "gcc libc6-dev")

	out, err = newMachine(t, map[string]string{"id": asUser, "apt-get": refused, "uname": linux, "sudo": refused}).preflight("cc")
	require.Error(t, err)
	require.Contains(t, out, ": sudo apt-get update && sudo apt-get install -y --no-install-recommends gcc libc6-dev\n")
}

// apt's pages of output are shown where it fails, and only there.
func TestPreflightFoldsWhatAptPrints(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{"works": aptGet, "fails": "exit 100"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, map[string]string{"id": asRoot, "uname": linux, "apt-get": "echo a line of apt; echo a warning of debconf >&2\n" + end})
			out, err := m.preflight("postgres")
			if name == "works" {
				require.NoError(t, err, out)
				require.NotContains(t, out, "of apt")
				require.NotContains(t, out, "of debconf")
				return
			}
			require.Error(t, err)
			require.Contains(t, out, "a line of apt\na warning of debconf\n")
			require.Contains(t, out, "apt-get install postgresql failed (see above).")
		})
	}
}

func read(t *testing.T, m machine, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(m.root, path))
	require.NoError(t, err)
	return string(b)
}
