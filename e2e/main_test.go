// Package e2e_test drives the hookflow binary from outside: HTTP, its command line, signals, Temporal's client and SQL,
// against a real Temporal dev server and a real Postgres.
package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// hookflow is the binary under test, built once per test run.
var hookflow string

// side is how many tests run at a time, by the cores that there are (Go counts those of a cgroup). They wait for servers some of
// the time, so two a core; more of them load one Temporal server until nothing ends in time any more.
var side = strconv.Itoa(2 * runtime.GOMAXPROCS(0))

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		_ = flag.Set("test.parallel", side) // a number; cannot fail
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	folder, err := os.MkdirTemp("", "hookflow-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	hookflow = filepath.Join(folder, "hookflow")
	args := []string{"build", "-buildvcs=false", "-o", hookflow}
	if raceDetector {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "hookflow/cmd/hookflow")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build hookflow: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
