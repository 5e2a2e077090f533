package devstack

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// startsIn makes the test binary play hookflow: it starts both servers on the folder named there ("" for temporary
// ones), prints what it started, and waits to be killed.
const startsIn = "DEVSTACK_TEST_STARTS_IN"

// started is what a played hookflow prints.
type started struct {
	Postgres, Temporal int
	URL, Address       string
	Cluster            string
}

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(startsIn); ok {
		if err := playHookflow(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func playHookflow(dir string) error {
	ctx := context.Background()
	if dir != "" {
		if _, err := Lock(ctx, dir, nil); err != nil {
			return err
		}
	}
	pg, err := StartPostgres(ctx, PostgresOptions{Dir: dir})
	if err != nil {
		return err
	}
	s, err := StartTemporal(ctx, TemporalOptions{Dir: dir})
	if err != nil {
		return err
	}
	err = json.NewEncoder(os.Stdout).Encode(started{pg.Pid, s.Pid, pg.URL(), s.Address(), pg.Cluster})
	if err == nil {
		_, err = io.Copy(io.Discard, os.Stdin)
	}
	return err
}

// play starts a played hookflow and returns what it started.
func play(t *testing.T, dir string) (*exec.Cmd, started) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), startsIn+"="+dir)
	cmd.Stderr = os.Stderr
	_, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err)
	var s started
	require.NoError(t, json.Unmarshal(line, &s))
	return cmd, s
}

// gone waits until none of the processes runs.
func gone(t *testing.T, pids ...int) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, pid := range pids {
			if commandLine(pid) != nil {
				return false
			}
		}
		return true
	}, 15*time.Second, 20*time.Millisecond)
}

// discard removes a data folder at the end, with what may still run on it.
func discard(t *testing.T, dir string) {
	t.Helper()
	t.Cleanup(func() {
		if _, err := os.Stat(dir); err == nil {
			require.NoError(t, Remove(context.Background(), dir))
		}
	})
}

// After SIGKILL of hookflow alone its servers run on; after SIGKILL of everything nothing does. Either way the next start
// finds the first one's data.
func TestNextStartAfterSIGKILL(t *testing.T) {
	t.Parallel()
	for name, everything := range map[string]bool{"of hookflow alone": false, "of everything": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			discard(t, dir)
			cmd, first := play(t, dir)
			c, err := client.Dial(client.Options{HostPort: first.Address})
			require.NoError(t, err)
			_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "nobody"}, "Nothing")
			c.Close()
			require.NoError(t, err)
			execURL(t, first.URL, "CREATE TABLE kept AS SELECT 'before' AS v")

			kill := []int{cmd.Process.Pid}
			if everything {
				kill = append(kill, first.Temporal, first.Postgres)
			}
			for _, pid := range kill {
				require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			}
			_ = cmd.Wait()
			if !everything {
				require.NotNil(t, commandLine(first.Postgres), "nobody stopped it")
				require.NotNil(t, commandLine(first.Temporal), "nobody stopped it")
			}

			_, second := play(t, dir)
			gone(t, first.Postgres, first.Temporal)
			c, err = client.Dial(client.Options{HostPort: second.Address})
			require.NoError(t, err)
			defer c.Close()
			_, err = c.DescribeWorkflowExecution(t.Context(), "kept", "")
			require.NoError(t, err)
			require.Equal(t, "before", askURL(t, second.URL, "SELECT v FROM kept"))
		})
	}
}

// Temporary servers do not outlive the process that started them, and leave no files.
func TestTemporaryServersDieWithTheirParent(t *testing.T) {
	t.Parallel()
	cmd, s := play(t, "")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	gone(t, s.Postgres, s.Temporal)
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Dir(s.Cluster))
		return os.IsNotExist(err)
	}, 15*time.Second, 20*time.Millisecond)
}

func TestLockIsForOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := Lock(t.Context(), dir, nil)
	require.NoError(t, err)
	_, err = Lock(t.Context(), dir, nil)
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, os.Getpid(), locked.PID)
	require.NoError(t, lock.Release())
	lock, err = Lock(t.Context(), dir, nil)
	require.NoError(t, err)
	require.NoError(t, lock.Release())
}

// Only a server of this very folder is taken for a leftover.
func TestStartedWith(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want bool
	}{
		{"as we start it", []string{"/usr/lib/postgresql/15/bin/postgres", "-D", "/a b", "-c", "port=1"}, true},
		{"another folder", []string{"postgres", "-D", "/a b/c"}, false},
		{"another program", []string{"vim", "-D", "/a b"}, false},
		{"the flag elsewhere", []string{"postgres", "/a b", "-D"}, false},
		{"ended", nil, false},
		{"one line, as ps prints it", []string{"/opt/bin/postgres -D /a b -c port=1"}, true},
		{"one line, at its end", []string{"/opt/bin/postgres -D /a b"}, true},
		{"one line, a longer folder", []string{"/opt/bin/postgres -D /a b/c"}, false},
		{"one line, another program", []string{"vim -D /a b"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, startedWith(tt.args, "postgres", "-D", "/a b"))
		})
	}
}
