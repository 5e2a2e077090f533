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

// cliPackages is how many packages `go list -deps` names for the CLI of cliVersion.
const cliPackages = 1297

// buildCLI compiles the CLI from its module into the file to. The SQLite driver is pure Go, so no C compiler is needed.
func buildCLI(ctx context.Context, report progress.Func, to string) error {
	cmd := exec.CommandContext(ctx, "go", "install", "-v", "-trimpath", cliModule)
	cmd.Dir = filepath.Dir(to)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"GOBIN", "GOFLAGS", "GOOS", "GOARCH", "GOWORK", "CGO_ENABLED"}, name)
	})
	cmd.Env = append(cmd.Env, "GOBIN="+filepath.Dir(to), "GOWORK=off", "CGO_ENABLED=0")
	// Ctrl-C reaches the compiler too; ours is the one that decides.
	cmd.WaitDelay = 5 * time.Second
	build := &progress.GoCommand{What: "Building the Temporal CLI", Total: cliPackages, Report: report, Now: time.Now}
	if err := build.Run(cmd); err != nil {
		return fmt.Errorf("go install %s: %w", cliModule, errors.Join(ctx.Err(), err))
	}
	// Under a umask of 002 the file is writable by the group, and such a program in the cache is not run.
	if err := os.Chmod(to, 0o755); err != nil {
		return fmt.Errorf("go install %s: %w", cliModule, err)
	}
	return nil
}
