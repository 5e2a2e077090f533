// Cleandata removes the data folder of `hookflow dev`, after asking. It is behind `make clean-data`.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"hookflow/internal/devstack"
)

func main() {
	os.Exit(run(context.Background(), os.Getenv, os.Stdin, os.Stdout))
}

// run returns 0 when the folder is gone or never was, else 1.
func run(ctx context.Context, getenv func(string) string, stdin io.Reader, stdout io.Writer) int {
	dir := dataDir(getenv, ".env")
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		_, _ = fmt.Fprintf(stdout, "There is no data folder %s.\n", dir)
		return 0
	}
	_, _ = fmt.Fprintf(stdout, "Remove %s with every event, every run and the generated secrets in it? [y/N] ", dir)
	answer, _ := bufio.NewReader(stdin).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		_, _ = fmt.Fprintln(stdout, "Nothing was removed.")
		return 1
	}
	if err := devstack.Remove(ctx, dir); err != nil {
		_, _ = fmt.Fprintln(stdout, err)
		return 1
	}
	_, _ = fmt.Fprintf(stdout, "Removed %s.\n", dir)
	return 0
}

// dataDir is HOOKFLOW_DATA_DIR from the environment, else from the file that dev reads, else the default.
func dataDir(getenv func(string) string, envFile string) string {
	const name = "HOOKFLOW_DATA_DIR"
	if dir := getenv(name); dir != "" {
		return dir
	}
	b, err := os.ReadFile(envFile)
	if err != nil {
		return ".hookflow"
	}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if value = strings.Trim(strings.TrimSpace(value), `"'`); strings.TrimSpace(key) == name && value != "" {
			return value
		}
	}
	return ".hookflow"
}
