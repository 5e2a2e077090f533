package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that is measured, in a process of its own.
type process struct {
	name    string
	address string // of the webhooks
	ops     string // of /v1, for hookflow
	cmd     *exec.Cmd
	stdin   io.Closer
	ended   chan struct{}
	tail    *tail
}

// startWithin bounds the start of a program.
const startWithin = 30 * time.Second

// startDoor starts a helper "door".
func (b *bench) startDoor(ctx context.Context, order doorOrder, env ...string) (*process, error) {
	text, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(b.self, "door", string(text))
	return b.launch(ctx, order.Kind, cmd, env, cmd.StdoutPipe, func(line []byte, p *process) bool {
		var answer doorAnswer
		if json.Unmarshal(line, &answer) != nil {
			return false
		}
		p.address = answer.Address
		return p.address != ""
	})
}

// startHookflow starts "hookflow serve" on free ports and waits until it serves. only is "", "api" or "worker".
func (b *bench) startHookflow(ctx context.Context, only string, env ...string) (*process, error) {
	args := []string{"serve"}
	if only != "" {
		args = append(args, "--only", only)
	}
	env = append([]string{
		// Two names for one address, so that the two listeners are two.
		"HOOKFLOW_HTTP_ADDR=127.0.0.1:0", "HOOKFLOW_OPS_ADDR=localhost:0", "HOOKFLOW_PUBLIC_URL=http://bench.example",
		"STRIPE_WEBHOOK_SECRET=" + stripeSecret, "TWILIO_AUTH_TOKEN=" + twilioToken, "HOOKFLOW_API_TOKEN=" + apiToken,
		"DATABASE_URL=" + b.postgres.URL(),
	}, env...)
	cmd := exec.Command(b.hookflow, args...)
	return b.launch(ctx, strings.TrimSpace("hookflow "+only), cmd, env, cmd.StderrPipe, func(line []byte, p *process) bool {
		var said struct{ Msg, Webhooks, Ops string }
		if json.Unmarshal(line, &said) != nil || said.Msg != "hookflow serves" {
			return false
		}
		p.address, p.ops = said.Webhooks, said.Ops
		return true
	})
}

// launch starts cmd with nothing of our environment but what it needs, and reads its lines until ready says so.
func (b *bench) launch(ctx context.Context, name string, cmd *exec.Cmd, env []string, pipe func() (io.ReadCloser, error),
	ready func([]byte, *process) bool) (*process, error) {
	p := &process{name: name, cmd: cmd, ended: make(chan struct{}), tail: &tail{}}
	cmd.Dir, cmd.Env = b.dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir}, env...)
	lines, err := pipe()
	if err != nil {
		return nil, err
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.tail
	}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	up := make(chan struct{})
	go func() {
		defer close(p.ended)
		announced := false
		s := bufio.NewScanner(lines)
		for s.Buffer(nil, 1<<20); s.Scan(); {
			_, _ = p.tail.Write(append(s.Bytes(), '\n'))
			if !announced && ready(s.Bytes(), p) {
				announced = true
				close(up)
			}
		}
		_ = cmd.Wait()
	}()
	select {
	case <-up:
		b.running = append(b.running, p)
		return p, nil
	case <-p.ended:
		err = errors.New("ended by itself")
	case <-time.After(startWithin):
		err = errors.New("is not up in time")
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.kill()
	return nil, fmt.Errorf("%s: %w: %s", name, err, p.tail)
}

// kill ends the process at once: what it had not started stays in the ledger, which the bench empties.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.ended
}

// tail keeps the end of what a process said.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - 4<<10; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

// usage is what a process has used. Zero where the system does not tell (only Linux has /proc).
type usage struct {
	peak int64 // bytes resident, at most
	cpu  time.Duration
}

func (p *process) usage() usage { return usageOf(p.cmd.Process.Pid) }

// ticksPerSecond is USER_HZ, which Linux fixes at 100 for what it shows in /proc: proc(5).
const ticksPerSecond = 100

func usageOf(pid int) usage {
	var u usage
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	status, _ := os.ReadFile(filepath.Join(folder, "status"))
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(rest)), " kB"), 10, 64)
			u.peak = kib << 10
		}
	}
	stat, _ := os.ReadFile(filepath.Join(folder, "stat"))
	// The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
	if i := bytes.LastIndexByte(stat, ')'); i >= 0 {
		if fields := strings.Fields(string(stat[i+1:])); len(fields) > 12 {
			user, _ := strconv.ParseInt(fields[11], 10, 64)
			system, _ := strconv.ParseInt(fields[12], 10, 64)
			u.cpu = time.Duration(user+system) * time.Second / ticksPerSecond
		}
	}
	return u
}

// load runs the load generator as a process of its own.
func (b *bench) load(ctx context.Context, order loadOrder) (loadResult, error) {
	var r loadResult
	return r, b.ask(ctx, "load", order, &r, nil)
}

// ask runs a helper to its end and reads its answer.
func (b *bench) ask(ctx context.Context, helper string, order, answer any, used func(*os.ProcessState)) error {
	text, err := json.Marshal(order)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, b.self, helper, string(text))
	said := &tail{}
	cmd.Dir, cmd.Env, cmd.Stderr = b.dir, []string{"HOME=" + b.dir}, said
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", helper, err, said)
	}
	if used != nil {
		used(cmd.ProcessState)
	}
	return json.Unmarshal(out, answer)
}
