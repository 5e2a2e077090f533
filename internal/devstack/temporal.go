package devstack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"hookflow/event"
	"hookflow/internal/ports"
	"hookflow/internal/progress"
)

// retention is how long the dev server keeps closed runs. The CLI makes its namespaces with one day and has no flag for
// it, so the namespace is updated once the server is up.
const retention = 30 * 24 * time.Hour

// TemporalOptions say how to start a dev server. The zero value is one whose state goes with it, without UI, on free ports.
type TemporalOptions struct {
	// Dir is the data folder, which the caller has locked (Lock). Empty: the state is in a temporary folder.
	Dir string
	// Port of the gRPC frontend and UIPort of the web UI, both on 127.0.0.1; 0 takes a free one. The variables are named
	// in the error if a port is taken.
	Port, UIPort                 int
	PortVariable, UIPortVariable string
	// UI switches the web UI on.
	UI bool
	// Namespace to use; empty means "default". It is made if it is missing.
	Namespace string
	// DynamicConfig is added to the server's dynamic configuration; values are JSON.
	DynamicConfig map[string]string
	// LogLevel of the server: debug, info, warn, error or never; empty means error.
	LogLevel string
	// DieWithParent ends the server when this process ends, however it does. Always so without Dir.
	DieWithParent bool
	// Log receives the server's output; nil means temporal.log in Dir/temporal, or, without Dir, a file that
	// goes when the server does.
	Log io.Writer
	// Progress receives a sentence before each step that takes long, and how far it is; may be nil.
	Progress progress.Func
}

// Temporal is a running dev server.
type Temporal struct {
	Port, UIPort int // UIPort is 0 without a UI
	Pid          int
	Namespace    string

	httpPort int // of the HTTP API, which serves nobody
	remove   string
	done     chan struct{} // closed when the server has ended and is not started again

	watch    *connectionWatch
	mu       sync.Mutex // of what follows
	proc     *process
	stopping bool
}

// dynamicConfig lifts the limits that protect a shared cluster and only get in the way of one user's burst, and switches
// fairness between providers on. Keys: common/dynamicconfig/constants.go of the server.
var dynamicConfig = map[string]string{
	"matching.enableFairness":          "true",
	"frontend.rps":                     "100000",
	"frontend.namespaceRPS":            "100000",
	"frontend.namespaceRPS.visibility": "10000",
	"frontend.namespaceCount":          "10000",
	"history.rps":                      "100000",
	"matching.rps":                     "100000",
	"matching.persistenceMaxQPS":       "45000",
	// The HTTP API cannot be switched off by a flag, and takes a POST of text/plain, which any web page may send without
	// asking. No request has this host, so none is served; the UI and the SDKs use gRPC.
	"frontend.httpAllowedHosts": `["closed.invalid"]`,
}

// temporalFile is the state of a data folder's dev server. It is in a folder of its own that only we may enter, since the
// server makes its files readable for everybody.
func temporalFile(dir string) string { return filepath.Join(dir, "temporal", "temporal.db") }

// StartTemporal starts the dev server and returns once its namespace answers. The CLI is found, downloaded or built
// first, which Progress tells of. It fails with *ports.TakenError, or what the server last said.
func StartTemporal(ctx context.Context, o TemporalOptions) (*Temporal, error) {
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	cli, err := findCLI(ctx, o.Progress)
	if err != nil {
		return nil, err
	}
	home, t := "", &Temporal{Namespace: o.Namespace, done: make(chan struct{})}
	if o.Dir == "" {
		home, err = os.MkdirTemp("", "hookflow-temporal-")
		t.remove = home
	} else {
		home, err = prepareHome(o.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("make a place for Temporal: %w", err)
	}
	if err := t.start(ctx, o, cli, home); err != nil {
		t.cleanUp()
		return nil, err
	}
	return t, nil
}

// prepareHome makes the folder for the server's state.
func prepareHome(dir string) (string, error) {
	dir, err := absolute(dir)
	if err != nil {
		return "", err
	}
	file := temporalFile(dir)
	return filepath.Dir(file), errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), prepareFile(file))
}

// prepareFile removes a database that never became ready: the CLI lays out the schema when the file is missing and takes
// any file for complete, so one that a kill left half-made would never start again. It also refuses a second server.
func prepareFile(file string) error {
	if pids := temporalOf(file); len(pids) > 0 {
		return fmt.Errorf("a Temporal server already runs on %s (process %d)", file, pids[0])
	}
	if _, err := os.Stat(readyMark(file)); err == nil {
		return nil
	}
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(file + suffix); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// readyMark is a file that says the database was complete once.
func readyMark(file string) string { return file + ".ready" }

func (t *Temporal) start(ctx context.Context, o TemporalOptions, cli, home string) error {
	out, closeLog, err := logTo(o.Log, home, "temporal")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	t.watch = newConnectionWatch(out)
	// The server picks ports for its inner services itself, and another process may be quicker.
	for try := 0; ; try++ {
		err = t.launch(ctx, o, cli, home, t.watch)
		if err == nil || try == 4 || t.proc == nil || !strings.Contains(t.proc.tail.String(), "address already in use") {
			break
		}
	}
	if err != nil {
		closeLog()
		return err
	}
	if o.Dir != "" {
		if err := os.WriteFile(readyMark(filepath.Join(home, "temporal.db")), nil, 0o600); err != nil {
			t.proc.kill()
			return fmt.Errorf("mark the state as complete: %w", err)
		}
	}
	go t.keep(o, cli, home)
	return nil
}

// launch starts the server once and waits until its namespace answers.
func (t *Temporal) launch(ctx context.Context, o TemporalOptions, cli, home string, out io.Writer) error {
	t.proc = nil
	args, err := t.args(o, home)
	if err != nil {
		return err
	}
	cmd := exec.Command(cli, args...)
	cmd.Dir, cmd.Env = home, temporalEnv(home)
	proc, err := startProcess(cmd, out, o.DieWithParent || t.remove != "", t.remove)
	if err != nil {
		return err
	}
	t.proc, t.Pid = proc, proc.pid()
	probe, err := newProbe(t.Address(), t.Namespace)
	if err == nil {
		defer probe.close()
		err = proc.waitFor(ctx, "Temporal", o.Progress, probe.ready)
	}
	if err != nil {
		proc.kill()
		return err
	}
	return nil
}

// args picks the ports and writes the command line. All ports come from one draw, so they differ from each other.
func (t *Temporal) args(o TemporalOptions, home string) ([]string, error) {
	if err := errors.Join(ports.Check(o.Port, "Temporal", o.PortVariable),
		ports.Check(o.UIPort, "Temporal's UI", o.UIPortVariable)); err != nil {
		return nil, err
	}
	free, err := ports.Free(4)
	if err != nil {
		return nil, err
	}
	t.Port = cmp.Or(o.Port, free[0])
	args := []string{"server", "start-dev", "--ip", localhost, "--port", strconv.Itoa(t.Port)}
	if o.UI {
		t.UIPort = cmp.Or(o.UIPort, free[1])
		args = append(args, "--ui-port", strconv.Itoa(t.UIPort))
	} else {
		args = append(args, "--headless")
	}
	t.httpPort = free[2]
	args = append(args, "--http-port", strconv.Itoa(t.httpPort), "--metrics-port", strconv.Itoa(free[3]),
		"--log-level", cmp.Or(o.LogLevel, "error"), "--disable-config-file", "--disable-config-env",
		"--search-attribute", event.TypeAttribute+"=Keyword") // of namespaces that are made now
	if t.Namespace != "default" {
		args = append(args, "--namespace", t.Namespace)
	}
	// 44 completed runs a second on two cores, against 7 to 9 with SQLite's defaults. What nobody keeps is a file too, which the
	// server finds again when it is restarted.
	synchronous := "normal"
	if o.Dir == "" {
		synchronous = "off"
	}
	args = append(args, "--db-filename", filepath.Join(home, "temporal.db"),
		"--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous="+synchronous)
	values := maps.Clone(dynamicConfig)
	maps.Copy(values, o.DynamicConfig)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		args = append(args, "--dynamic-config-value", key+"="+values[key])
	}
	return args, nil
}

// temporalEnv is our environment without Temporal's own variables, which are meant for clients, and with a home of its
// own: the CLI reads and writes files there.
func temporalEnv(home string) []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "TEMPORAL_") || strings.HasPrefix(kv, "HOME=") || strings.HasPrefix(kv, "XDG_")
	})
	return append(env, "HOME="+home)
}

// Address returns host and port of the frontend.
func (t *Temporal) Address() string { return net.JoinHostPort(localhost, strconv.Itoa(t.Port)) }

// UIURL returns the address of the web UI, or "" without one.
func (t *Temporal) UIURL() string {
	if t.UIPort == 0 {
		return ""
	}
	return "http://" + net.JoinHostPort(localhost, strconv.Itoa(t.UIPort))
}

// Done is closed when the server has ended, whoever ended it.
func (t *Temporal) Done() <-chan struct{} { return t.done }

// Stop asks the server to stop; when ctx ends first, it is killed, which its state survives.
func (t *Temporal) Stop(ctx context.Context) error {
	err := t.end().stop(ctx, syscall.SIGTERM, syscall.SIGKILL, time.Second)
	t.cleanUp()
	return err
}

// Kill ends the server with SIGKILL, as a crash would.
func (t *Temporal) Kill() {
	t.end().kill()
	t.cleanUp()
}

func (t *Temporal) cleanUp() {
	if t.remove != "" {
		_ = os.RemoveAll(t.remove)
	}
}
