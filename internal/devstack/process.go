package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"hookflow/internal/progress"
)

// tailBytes is how much of a server's last output an error message quotes.
const tailBytes = 4 << 10

// errExited says that a server ended by itself.
var errExited = errors.New("ended by itself")

// process is a server in a process group of its own, so that the terminal's Ctrl-C reaches hookflow alone, which drains
// first and stops its servers afterwards.
type process struct {
	cmd  *exec.Cmd
	tail *tail
	dog  *watchdog
	done chan struct{}
}

// startProcess starts cmd with its output going to out. With guard set the server is ended, and the folder remove (unless
// empty) removed, when this process ends in whatever way.
func startProcess(cmd *exec.Cmd, out io.Writer, guard bool, remove string) (*process, error) {
	p := &process{cmd: cmd, tail: &tail{}, done: make(chan struct{})}
	cmd.Stdin = nil
	both := io.MultiWriter(p.tail, out)
	cmd.Stdout, cmd.Stderr = both, both
	// A worker of the server may hold the pipe a moment longer than the server itself.
	cmd.WaitDelay = 2 * time.Second
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	if guard {
		dog, err := startWatchdog(cmd.Process.Pid, remove)
		if err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return nil, err
		}
		p.dog = dog
	}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in ProcessState; its last words are in the tail
		if p.dog != nil {
			p.dog.dismiss()
		}
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop sends first and waits; when ctx ends before the server does, it sends second and, after grace, SIGKILL.
func (p *process) stop(ctx context.Context, first, second syscall.Signal, grace time.Duration) error {
	_ = p.cmd.Process.Signal(first)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	_ = p.cmd.Process.Signal(second)
	select {
	case <-p.done:
	case <-time.After(grace):
		p.kill()
	}
	return fmt.Errorf("%s did not stop in time: %w", p.cmd.Path, ctx.Err())
}

// kill sends SIGKILL to the whole group and waits for the end.
func (p *process) kill() {
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	_ = p.cmd.Process.Kill()
	<-p.done
}

// exitError is the error of a server that ended before it was ready, with its last output.
func (p *process) exitError(name string) error {
	return fmt.Errorf("%s %w (%s): %s", name, errExited, p.cmd.ProcessState, p.tail)
}

// tail keeps the end of what a server printed.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailBytes; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}

// watchdogScript waits until its standard input closes, which the kernel does however the parent ends. SIGQUIT is
// Postgres' immediate shutdown; SIGKILL to its postmaster would leave its shared memory segment behind.
const watchdogScript = `cat >/dev/null
kill -QUIT "$1" 2>/dev/null
n=0
while kill -0 "$1" 2>/dev/null && [ "$n" -lt 30 ]; do sleep 0.1; n=$((n+1)); done
kill -KILL "$1" 2>/dev/null
[ -z "$2" ] || rm -rf "$2"`

// watchdog is a shell that outlives this process just long enough to end a server. Linux' parent-death signal would be
// shorter, but it is tied to the thread that started the child, and macOS has none.
type watchdog struct {
	cmd  *exec.Cmd
	hold io.Closer
}

func startWatchdog(pid int, remove string) (*watchdog, error) {
	cmd := exec.Command("/bin/sh", "-c", watchdogScript, "hookflow-watchdog", fmt.Sprint(pid), remove)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Dir = "/"
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	return &watchdog{cmd: cmd, hold: hold}, nil
}

// dismiss ends the watchdog without letting it act: the server's pid may soon belong to somebody else.
func (w *watchdog) dismiss() {
	_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL)
	_ = w.cmd.Wait()
	_ = w.hold.Close()
}

// output runs a program that has just been written. While another goroutine is between fork and exec, its child still
// holds our descriptor of the file, and Linux refuses to run a file that is open for writing (golang.org/issue/22315).
func output(ctx context.Context, env []string, path string, args ...string) ([]byte, error) {
	for try := 0; ; try++ {
		cmd := exec.CommandContext(ctx, path, args...)
		cmd.Env = env
		out, err := cmd.Output()
		if !errors.Is(err, syscall.ETXTBSY) || try == 50 {
			return out, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// quietStart is how long a server may take to start before that is reported.
const quietStart = 5 * time.Second

// waitFor calls try every 25 ms until it returns nil, the server ends, or ctx does.
func (p *process) waitFor(ctx context.Context, name string, report progress.Func, try func(context.Context) error) error {
	began := time.Now()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.exitError(name)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (last: %v)", name, ctx.Err(), err)
		case <-tick.C:
		}
		if spent := time.Since(began).Round(time.Second); spent > quietStart && report != nil {
			report(progress.Report{Passing: true, Text: fmt.Sprintf("Waiting for %s to start (%s).", name, spent)})
		}
	}
}
