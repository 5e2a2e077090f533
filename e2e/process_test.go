package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is a running hookflow in a process group of its own. It ends with the test, and with the test binary however
// that ends.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *output
	done           chan struct{} // closed when it has ended
}

// run starts hookflow in a folder without a .env, with nothing but env as its environment.
func run(t *testing.T, env map[string]string, args ...string) *process {
	t.Helper()
	return runIn(t, t.TempDir(), env, args...)
}

func runIn(t *testing.T, folder string, env map[string]string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(hookflow, args...), stdout: &output{}, stderr: &output{}, done: make(chan struct{})}
	p.cmd.Dir = folder
	p.cmd.Env = environ(env)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second // the stores of a killed dev hold its pipes
	require.NoError(t, p.cmd.Start())
	dismiss := watch(t, p.pid())
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		dismiss()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		p.inspect(t)
	})
	return p
}

// environ is what a program needs to run at all, and what the test says. A program that looks for data races waits for a
// second at its end unless told otherwise.
func environ(env map[string]string) []string {
	all := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir(), "GORACE=atexit_sleep_ms=10"}
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	return all
}

// watchdog waits until its standard input closes, which the kernel does however the test binary ends. hookflow dev gets
// the time to stop its stores.
const watchdog = `cat >/dev/null
kill -TERM "$1" 2>/dev/null
n=0
while kill -0 "$1" 2>/dev/null && [ "$n" -lt 200 ]; do sleep 0.1; n=$((n+1)); done
kill -KILL "$1" 2>/dev/null`

func watch(t *testing.T, pid int) (dismiss func()) {
	t.Helper()
	dog := exec.Command("/bin/sh", "-c", watchdog, "hookflow-e2e-watchdog", fmt.Sprint(pid))
	dog.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	hold, err := dog.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, dog.Start())
	return func() {
		_ = syscall.Kill(-dog.Process.Pid, syscall.SIGKILL)
		_ = dog.Wait()
		_ = hold.Close()
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ended reports whether the process has.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill is SIGKILL: nothing is drained.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop sends a signal, waits for the end and returns the exit code.
func (p *process) stop(t *testing.T, sig syscall.Signal) int {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(sig))
	return p.exitCode(t)
}

// exitCode waits for the end.
func (p *process) exitCode(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		require.Fail(t, "hookflow does not end", "%s", p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// inspect fails the test for what no hookflow may ever print, and shows what it printed when the test failed.
func (p *process) inspect(t *testing.T) {
	t.Helper()
	for _, never := range []string{"WARNING: DATA RACE", "panic:", "fatal error:"} {
		if bytes.Contains(p.stderr.bytes(), []byte(never)) {
			t.Errorf("hookflow %v: %s", p.cmd.Args[1:], p.stderr)
			return
		}
	}
	if t.Failed() {
		t.Logf("hookflow %v\n%s%s", p.cmd.Args[1:], tail(p.stdout.bytes()), tail(p.stderr.bytes()))
	}
}

func tail(b []byte) []byte {
	const enough = 8 << 10
	return b[max(0, len(b)-enough):]
}

// finished is a command that has ended.
type finished struct {
	stdout, stderr string
	code           int
}

// command runs hookflow to its end.
func command(t *testing.T, env map[string]string, args ...string) finished {
	t.Helper()
	p := run(t, env, args...)
	code := p.exitCode(t)
	return finished{p.stdout.String(), p.stderr.String(), code}
}

// output gathers what a process prints while the test reads it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.b.Bytes())
}

// String is everything so far.
func (o *output) String() string { return string(o.bytes()) }

var _ io.Writer = (*output)(nil)
