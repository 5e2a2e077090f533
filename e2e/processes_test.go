package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// childrenByParent lists the processes of the machine by their parents. Linux has them in /proc, and a bare one has no ps.
func childrenByParent(t *testing.T) map[int][]int {
	t.Helper()
	children := map[int][]int{}
	if runtime.GOOS != "linux" {
		out, err := exec.Command("ps", "-axo", "pid=,ppid=").Output()
		require.NoError(t, err)
		for row := range strings.Lines(string(out)) {
			var pid, parent int
			_, err := fmt.Sscan(row, &pid, &parent)
			require.NoError(t, err)
			children[parent] = append(children[parent], pid)
		}
		return children
	}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		// "pid (name) state ppid …"; the name may hold anything (proc_pid_stat(5)).
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		behind := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		parent, err := strconv.Atoi(behind[1])
		require.NoError(t, err)
		children[parent] = append(children[parent], pid)
	}
	return children
}

func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	children := childrenByParent(t)[pid]
	require.NotEmpty(t, children)
	return children
}

// residentMiB is what the process holds in memory.
func (p *process) residentMiB(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(p.pid())).Output()
		require.NoError(t, err)
		kib, err := strconv.Atoi(strings.TrimSpace(string(out)))
		require.NoError(t, err)
		return kib / 1024
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
	require.NoError(t, err)
	_, behind, found := strings.Cut(string(status), "VmRSS:")
	require.True(t, found)
	kib, err := strconv.Atoi(strings.Fields(behind)[0])
	require.NoError(t, err)
	return kib / 1024
}
