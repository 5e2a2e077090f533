package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hookflow/internal/progress"
)

// sqliteVersion is the driver that the CLI is built with, the one of server 1.31. Those below 1.40 lose an open statement when a
// request is cancelled while its query ends; the next cancelled one then interrupts the server's only connection for good, and
// every answer after it is "interrupted (9)".
const sqliteVersion = "v1.44.3"

// cliBuild is the main module that the CLI is built in, since a version of a dependency is chosen by the main module alone.
const cliBuild = `module temporal.invalid

go 1.25.0

require (
	github.com/temporalio/cli ` + cliVersion + `
	modernc.org/sqlite ` + sqliteVersion + `
)
`

// cliImport makes the CLI's packages part of that module's graph.
const cliImport = `//go:build never

package never

import _ "` + cliPackage + `"
`

// buildCLI compiles the CLI from its module into the file to. The SQLite driver is pure Go, so no C compiler is needed. What is
// downloaded for it is held against Go's checksum database.
func buildCLI(ctx context.Context, report progress.Func, to string) error {
	folder, err := os.MkdirTemp(filepath.Dir(to), "build-")
	if err != nil {
		return fmt.Errorf("build the Temporal CLI: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := errors.Join(os.WriteFile(filepath.Join(folder, "go.mod"), []byte(cliBuild), 0o600),
		os.WriteFile(filepath.Join(folder, "import.go"), []byte(cliImport), 0o600)); err != nil {
		return fmt.Errorf("build the Temporal CLI: %w", err)
	}
	run := func(command *progress.GoCommand, args ...string) (string, error) {
		command.Report, command.Now = report, time.Now
		cmd := exec.CommandContext(ctx, "go", append(args, cliPackage)...)
		var printed strings.Builder
		cmd.Dir, cmd.Env, cmd.Stdout = folder, buildEnv(), &printed
		// Ctrl-C reaches the compiler too; ours is the one that decides.
		cmd.WaitDelay = 5 * time.Second
		if err := command.Run(cmd); err != nil {
			return "", fmt.Errorf("go %s %s: %w", args[0], cliPackage, errors.Join(ctx.Err(), err))
		}
		return printed.String(), nil
	}
	// Stale is what the build cache does not hold: after an interrupted build, some of it is there.
	stale, err := run(&progress.GoCommand{What: "Fetching the modules of the Temporal CLI"},
		"list", "-mod=mod", "-buildvcs=false", "-trimpath", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}")
	if err != nil {
		return err
	}
	if _, err := run(&progress.GoCommand{What: "Building the Temporal CLI", Total: strings.Count(stale, "\n")},
		"build", "-v", "-mod=mod", "-buildvcs=false", "-trimpath", "-o", to); err != nil {
		return err
	}
	// Under a umask of 002 the file is writable by the group, and such a program in the cache is not run.
	if err := os.Chmod(to, 0o755); err != nil {
		return fmt.Errorf("go build %s: %w", cliPackage, err)
	}
	return nil
}

// buildEnv is our environment without what would make the go command build something else.
func buildEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"GOBIN", "GOFLAGS", "GOOS", "GOARCH", "GOWORK", "CGO_ENABLED"}, name)
	})
	return append(env, "GOWORK=off", "CGO_ENABLED=0")
}
