package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"hookflow/internal/folder"
	"hookflow/internal/progress"
)

// LockedError says that another hookflow works on the data folder. PID is 0 if it did not write its pid yet.
type LockedError struct {
	Dir string
	PID int
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("another hookflow (process %d) runs on the data folder %s; stop it, or set HOOKFLOW_DATA_DIR to "+
		"another folder", e.PID, e.Dir)
}

// lockName is the file in a data folder that is locked while hookflow runs on it; it holds the pid.
const lockName = "lock"

// FolderLock is the right to run servers on a data folder. The kernel takes it back when the process ends.
type FolderLock struct{ file *os.File }

// Lock makes the data folder if it is missing, takes the only right to run servers on it, and takes down what a killed
// start left running for it. It fails with *LockedError while another process holds it.
func Lock(ctx context.Context, dir string, report progress.Func) (*FolderLock, error) {
	dir, err := absolute(dir)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the data folder: %w", folder.Explain(err, dir, "set HOOKFLOW_DATA_DIR to a folder of your own"))
	}
	l := &FolderLock{file: f}
	if err := l.take(dir); err != nil {
		_ = f.Close()
		return nil, err
	}
	if err := takeDownLeftovers(ctx, dir, report); err != nil {
		_ = f.Close()
		return nil, err
	}
	return l, nil
}

func (l *FolderLock) take(dir string) error {
	err := syscall.Flock(int(l.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid, _ := strconv.Atoi(firstLine(l.file.Name()))
		return &LockedError{Dir: dir, PID: pid}
	}
	if err == nil {
		err = l.file.Truncate(0)
	}
	if err == nil {
		_, err = l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return fmt.Errorf("lock the data folder %s: %w", dir, err)
	}
	return nil
}

// Release gives the folder free. The file stays: removing it could take away another process' lock.
func (l *FolderLock) Release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("release the data folder: %w", err)
	}
	return nil
}

// takeDownLeftovers stops the servers of a folder that nobody runs any more. SIGINT is Postgres' fast shutdown, which
// clients cannot delay; Temporal stops on SIGTERM.
func takeDownLeftovers(ctx context.Context, dir string, report progress.Func) error {
	temporal := func() []int { return temporalOf(temporalFile(dir)) }
	postgres := func() []int { return nil }
	if home, ok := ownHome(dir); ok {
		postgres = func() []int { return postgresOf(filepath.Join(home, clusterName)) }
	}
	if n := len(temporal()) + len(postgres()); n > 0 {
		report.Say("Stopping what an earlier start left running for %s.", dir)
	}
	if err := takeDown(ctx, syscall.SIGTERM, temporal); err != nil {
		return fmt.Errorf("stop the Temporal server that was left running: %w", err)
	}
	if err := takeDown(ctx, syscall.SIGINT, postgres); err != nil {
		return fmt.Errorf("stop the Postgres that was left running: %w", err)
	}
	return nil
}
