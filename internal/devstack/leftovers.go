package devstack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// commandLine returns the arguments a process was started with; nil for one that has ended or is a zombie. Only Linux
// keeps them apart; elsewhere the whole line is one string.
func commandLine(pid int) []string {
	if runtime.GOOS == "linux" {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || len(b) == 0 {
			return nil
		}
		return strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
	}
	out, err := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	if line := strings.TrimSpace(string(out)); err == nil && line != "" {
		return []string{line}
	}
	return nil
}

// processes lists all pids but our own.
func processes() []int {
	var names []string
	if runtime.GOOS == "linux" {
		names, _ = filepath.Glob("/proc/[0-9]*")
	} else {
		out, _ := exec.Command("ps", "-axo", "pid=").Output()
		names = strings.Fields(string(out))
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// startedWith reports whether args hold flag and value next to each other, as one of our own starts writes them. That
// identifies a server by what it works on, which a pid in a file cannot: pids are used again.
func startedWith(args []string, program, flag, value string) bool {
	if len(args) == 1 {
		first, rest, _ := strings.Cut(args[0], " "+flag+" "+value)
		return strings.Contains(first, program) && len(first) < len(args[0]) && (rest == "" || rest[0] == ' ')
	}
	i := slices.Index(args, flag)
	return i > 0 && i+1 < len(args) && args[i+1] == value && strings.Contains(filepath.Base(args[0]), program)
}

// postgresOf returns the processes of a cluster: the server, started with -D cluster, and on Linux its workers, which
// write over their command line and whose working directory is the cluster.
func postgresOf(cluster string) []int {
	var pids []int
	for _, pid := range processes() {
		args := commandLine(pid)
		if len(args) == 0 {
			continue
		}
		cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		if startedWith(args, "postgres", "-D", cluster) || cwd == cluster && strings.HasPrefix(args[0], "postgres: ") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// temporalOf returns the dev servers that keep their state in a file.
func temporalOf(file string) []int {
	var pids []int
	for _, pid := range processes() {
		if startedWith(commandLine(pid), "temporal", "--db-filename", file) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killAll sends SIGKILL and waits until none of the processes is left. It is for servers whose parent is not us, so
// there is nothing to reap.
func killAll(pids []int) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	awaitGone(ctx, func() []int {
		return slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return commandLine(pid) == nil })
	})
}

// awaitGone returns whether left became empty before ctx ended.
func awaitGone(ctx context.Context, left func() []int) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for len(left()) > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}

// takeDown ends what find returns: sig, up to 10 s of patience, then SIGKILL.
func takeDown(ctx context.Context, sig syscall.Signal, find func() []int) error {
	for _, pid := range find() {
		_ = syscall.Kill(pid, sig)
	}
	patience, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if awaitGone(patience, find) {
		return nil
	}
	left := find()
	killAll(left)
	if left = find(); len(left) > 0 {
		return fmt.Errorf("process %d does not end", left[0])
	}
	return nil
}
