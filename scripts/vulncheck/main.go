// Vulncheck runs govulncheck. A database that cannot be reached within 30 s is a sentence, not a failure, so that a
// machine without the internet can still check everything else; a finding is a failure.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// reachWithin is how long the database may take to answer.
const reachWithin = 30 * time.Second

func main() {
	database := os.Getenv("GOVULNDB")
	if database == "" {
		database = "https://vuln.go.dev"
	}
	os.Exit(run(context.Background(), database, os.Stdout, govulncheck))
}

// run returns 0 when nothing was found or the database is out of reach, else 1.
func run(ctx context.Context, database string, out io.Writer, check func(context.Context) error) int {
	if err := reach(ctx, database); err != nil {
		_, _ = fmt.Fprintf(out, "Known vulnerabilities were not looked up: %v.\n", err)
		return 0
	}
	if err := check(ctx); err != nil {
		_, _ = fmt.Fprintln(out, "govulncheck:", err)
		return 1
	}
	return 0
}

// reach reads the smallest file of the database (https://go.dev/doc/security/vuln/database#api).
func reach(ctx context.Context, database string) error {
	if !strings.HasPrefix(database, "http") {
		return nil // a folder
	}
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(database, "/")+"/index/db.json", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s did not answer within %s", database, reachWithin)
	}
	if err != nil {
		return fmt.Errorf("%s is out of reach (%w)", database, errors.Unwrap(err))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", database, resp.Status)
	}
	return nil
}

func govulncheck(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "tool", "govulncheck", "./...")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
