// Preflight looks at what `make dev` stands on before anything is installed, downloaded or compiled: that its ports are free
// and that its data folder can be written. It prints everything that is wrong, each with what to do about it.
//
//	go run ./internal/preflight
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"hookflow/config"
	"hookflow/internal/folder"
	"hookflow/internal/ports"
)

func main() {
	os.Exit(run(os.Getenv, os.ReadFile, os.Stderr))
}

// run returns 1 where hookflow dev could not start.
func run(getenv func(string) string, readFile func(string) ([]byte, error), stderr io.Writer) int {
	getenv = withDotEnv(getenv, readFile)
	dir := cmp.Or(getenv("HOOKFLOW_DATA_DIR"), ".hookflow")
	found := []error{folder.CheckData(dir)}
	// What is wrong with settings is for dev to report, which reads all of them.
	if c, err := config.Load(config.Dev, getenv, readFile); err == nil {
		found = append(found, checkPorts(c, dir, readFile)...)
	}
	err := errors.Join(found...)
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintf(stderr, "hookflow dev cannot start:\n%v\n", err)
	return 1
}

// withDotEnv is what dev sees of the environment.
func withDotEnv(getenv func(string) string, readFile func(string) ([]byte, error)) func(string) string {
	text, err := readFile(".env")
	if err != nil {
		return getenv
	}
	values, _ := config.LoadDotEnv(strings.NewReader(string(text)))
	return config.Over(getenv, values)
}

func checkPorts(c config.Config, dir string, readFile func(string) ([]byte, error)) (found []error) {
	check := func(err error) {
		var taken *ports.TakenError
		if errors.As(err, &taken) && belongsTo(dir, taken.Command, readFile) {
			return // dev takes down what a killed start left
		}
		found = append(found, err)
	}
	check(ports.CheckAddress(c.HTTPAddr, "hookflow", "HOOKFLOW_HTTP_ADDR"))
	if !c.OneListener() {
		check(ports.CheckAddress(c.OpsAddr, "/v1", "HOOKFLOW_OPS_ADDR"))
	}
	if c.TemporalAddress == "" {
		check(ports.Check(c.TemporalPort, "Temporal", "HOOKFLOW_TEMPORAL_PORT"))
		check(ports.Check(c.TemporalUIPort, "Temporal's UI", "HOOKFLOW_TEMPORAL_UI_PORT"))
	}
	if c.DatabaseURL == "" {
		check(ports.Check(c.PostgresPort, "Postgres", "HOOKFLOW_POSTGRES_PORT"))
	}
	return found
}

// belongsTo reports whether a command line is that of a server of the data folder: it names the folder, or the one that its
// cluster is in.
func belongsTo(dir, command string, readFile func(string) ([]byte, error)) bool {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	pointer, _ := readFile(filepath.Join(abs, "postgres.path"))
	home := strings.TrimSpace(string(pointer))
	return strings.Contains(command, " "+abs+"/") || home != "" && strings.Contains(command, " "+home+"/")
}
