package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// minPostgres is the oldest major version that is still maintained upstream and that the migrations run on.
const minPostgres = 14

// ErrNoPostgres says that no Postgres server binaries are on this machine. A client (psql) alone does not count.
var ErrNoPostgres = errors.New("no Postgres server binaries (postgres and initdb) of version 14 or newer found; " +
	"`make` can install them, or tells how")

// binaryFolders are the patterns beside PATH where distributions keep the server binaries: Debian and Ubuntu, Red Hat,
// Alpine, Homebrew on both kinds of Mac, Postgres.app. scripts/preflight.sh has the same list.
var binaryFolders = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/libexec/postgresql*",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// binaries is one installed Postgres server.
type binaries struct {
	dir   string
	major int
}

func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

// findPostgres returns the server binaries to use. An existing cluster needs its own major version; a new one (major 0)
// gets the one on PATH, else the newest.
func findPostgres(major int, patterns []string) (binaries, error) {
	all := installedPostgres(patterns)
	for _, b := range all {
		if major == b.major || major == 0 && b.major >= minPostgres {
			return b, nil
		}
	}
	if major == 0 || len(all) == 0 {
		return binaries{}, ErrNoPostgres
	}
	return binaries{}, fmt.Errorf("the data folder was made by Postgres %d, and only version %d is installed: "+
		"install postgresql-%d, or start over with `make clean-data`", major, all[0].major, major)
}

// installedPostgres lists what is installed: PATH first, then the newest first.
func installedPostgres(patterns []string) []binaries {
	var found []binaries
	for _, pattern := range patterns {
		dirs, _ := filepath.Glob(pattern)
		for _, dir := range dirs {
			if b, ok := inspect(dir); ok {
				found = append(found, b)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b binaries) int { return b.major - a.major })
	if p, err := exec.LookPath("postgres"); err == nil {
		// A link such as /usr/local/bin/postgres leads to the folder that also has initdb.
		if real, err := filepath.EvalSymlinks(p); err == nil {
			if b, ok := inspect(filepath.Dir(real)); ok {
				found = slices.Insert(found, 0, b)
			}
		}
	}
	return found
}

// inspect asks the postgres in dir for its version: "postgres (PostgreSQL) 17.2 (Debian …)", "… 18beta1".
func inspect(dir string) (binaries, bool) {
	b := binaries{dir: dir}
	if _, err := os.Stat(b.path("initdb")); err != nil {
		return b, false
	}
	out, err := output(context.Background(), quietEnv(), b.path("postgres"), "--version")
	if err != nil {
		return b, false
	}
	_, version, _ := strings.Cut(string(out), "(PostgreSQL) ")
	digits := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if digits <= 0 {
		return b, false
	}
	b.major, err = strconv.Atoi(version[:digits])
	return b, err == nil
}

// clusterMajor reads the major version that made a cluster; 0 if there is none.
func clusterMajor(cluster string) int {
	major, _ := strconv.Atoi(firstLine(filepath.Join(cluster, "PG_VERSION")))
	return major
}
