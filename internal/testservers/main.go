// Testservers runs a command with a Postgres and a Temporal server beside it, both for tests and both gone afterwards:
//
//	go run ./internal/testservers -- go test ./...
//	go run ./internal/testservers -busy 4 -- go test ./...
//
// With -busy it runs that many busy loops beside the command: what passes there passes on a machine that does other things.
// The command finds them in HOOKFLOW_TEST_DATABASE_URL and HOOKFLOW_TEST_TEMPORAL_ADDRESS; a server whose variable is
// already set is not started. One pair for a whole run of `go test` costs 3 s, where one per package would cost that
// much each.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"hookflow/internal/devstack"
	"hookflow/internal/progress"
)

// The variables that tests read.
const (
	databaseURL     = "HOOKFLOW_TEST_DATABASE_URL"
	temporalAddress = "HOOKFLOW_TEST_TEMPORAL_ADDRESS"
)

// maxConnections is shared by all packages of a run, each with some pools.
const maxConnections = 200

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go hangUpWithParent(signals, os.Getppid())
	os.Exit(run(context.Background(), signals, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// hangUpWithParent sends SIGHUP when the parent that started us is gone: `go run` and make die of a SIGTERM or SIGKILL
// without a word to what they run.
func hangUpWithParent(signals chan<- os.Signal, parent int) {
	for range time.Tick(time.Second) {
		if os.Getppid() != parent {
			signals <- syscall.SIGHUP
			return
		}
	}
}

// run returns the command's exit code, 128 plus the signal if one ended it, or 1 if the servers did not start.
func run(ctx context.Context, signals chan os.Signal, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("testservers", flag.ContinueOnError)
	flags.SetOutput(stderr)
	loops := flags.Int("busy", 0, "busy loops beside the command")
	if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
		_, _ = fmt.Fprintln(stderr, "usage: testservers [-busy N] -- command [arguments]")
		return 2
	}
	args = flags.Args()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopLoops, err := startLoops(*loops)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "testservers:", err)
		return 1
	}
	defer stopLoops()
	var s servers
	defer s.stop()
	started := make(chan error, 1)
	go func() { started <- s.start(ctx, getenv, stderr) }()
	select {
	case err := <-started:
		if err != nil {
			_, _ = fmt.Fprintln(stderr, "testservers:", err)
			return 1
		}
	case sig := <-signals:
		cancel()
		<-started
		return exitCode(sig)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Env = append(os.Environ(), s.env...)
	return supervise(cmd, signals, stderr)
}

// supervise runs the command in a process group of its own and passes signals on to all of it.
func supervise(cmd *exec.Cmd, signals <-chan os.Signal, stderr io.Writer) int {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_, _ = fmt.Fprintln(stderr, "testservers:", err)
		return 127
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	code := 0
	for {
		select {
		case err := <-done:
			if code == 0 {
				code = codeOf(err)
			}
			return code
		case sig := <-signals:
			code = exitCode(sig)
			_ = syscall.Kill(-cmd.Process.Pid, sig.(syscall.Signal))
		}
	}
}

func exitCode(sig os.Signal) int { return 128 + int(sig.(syscall.Signal)) }

func codeOf(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		return 1
	case exit.ExitCode() < 0:
		return exitCode(exit.Sys().(syscall.WaitStatus).Signal())
	}
	return exit.ExitCode()
}

// servers are those we started, and the variables that lead to them.
type servers struct {
	postgres *devstack.Postgres
	temporal *devstack.Temporal
	env      []string
}

func (s *servers) start(ctx context.Context, getenv func(string) string, stderr io.Writer) error {
	report := progress.New(stderr, "testservers: ", progress.IsTerminal(stderr), time.Now)
	group, ctx := errgroup.WithContext(ctx)
	if getenv(databaseURL) == "" {
		group.Go(func() (err error) {
			s.postgres, err = devstack.StartPostgres(ctx, devstack.PostgresOptions{
				Fast: true, MaxConnections: maxConnections, Progress: report,
			})
			return err
		})
	}
	if getenv(temporalAddress) == "" {
		group.Go(func() (err error) {
			s.temporal, err = devstack.StartTemporal(ctx, devstack.TemporalOptions{Progress: report})
			return err
		})
	}
	err := group.Wait()
	if s.postgres != nil {
		s.env = append(s.env, databaseURL+"="+s.postgres.URL())
	}
	if s.temporal != nil {
		s.env = append(s.env, temporalAddress+"="+s.temporal.Address())
	}
	return err
}

// stop ends the servers. Nothing of theirs is kept, so there is nothing to be gentle about.
func (s *servers) stop() {
	if s.postgres != nil {
		s.postgres.Kill()
	}
	if s.temporal != nil {
		s.temporal.Kill()
	}
}

// busyLoop burns a core until the process $1 is gone.
const busyLoop = `while kill -0 "$1" 2>/dev/null; do n=0; while [ "$n" -lt 100000 ]; do n=$((n+1)); done; done`

// startLoops starts n busy loops, which end with stop or with this process, however it ends.
func startLoops(n int) (stop func(), err error) {
	var loops []*exec.Cmd
	stop = func() {
		for _, loop := range loops {
			_ = loop.Process.Kill()
			_ = loop.Wait()
		}
	}
	for range n {
		loop := exec.Command("/bin/sh", "-c", busyLoop, "hookflow-busy-loop", strconv.Itoa(os.Getpid()))
		if err := loop.Start(); err != nil {
			stop()
			return nil, fmt.Errorf("start a busy loop: %w", err)
		}
		loops = append(loops, loop)
	}
	return stop, nil
}
