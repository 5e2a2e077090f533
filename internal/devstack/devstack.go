// Package devstack runs the two real servers that hookflow stands on, without Docker: a private Postgres from the
// binaries on this machine, and Temporal's dev server from the official CLI. `hookflow dev` keeps their state in a data
// folder; tests use temporary ones that cannot outlive the test process.
//
// The order for a data folder is Lock, StartPostgres, StartTemporal; Lock is also what takes down the servers that a
// killed start left behind. Linux and macOS.
package devstack

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// localhost is the only address the servers listen on.
const localhost = "127.0.0.1"

// rotateAt is the size from which a server's log file is put aside at the next start; one older file is kept.
const rotateAt = 4 << 20

// logTo returns where a server's output goes: the caller's writer, else NAME.log in dir. The closer may be called once
// the server has been started.
func logTo(w io.Writer, dir, name string) (io.Writer, func(), error) {
	if w != nil {
		return w, func() {}, nil
	}
	path := filepath.Join(dir, name+".log")
	if st, err := os.Stat(path); err == nil && st.Size() > rotateAt {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, nil, fmt.Errorf("put the old log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	return f, func() { _ = f.Close() }, nil
}

// absolute returns dir as an absolute path without symbolic links, so that one folder always has one name: locks and
// command lines are compared by it. The folder is made if it is missing, so
// that others may pass through it but not list it: Postgres may run as another user. What lies in it guards itself.
func absolute(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return "", fmt.Errorf("make the data folder: %w", err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("name the data folder: %w", err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", fmt.Errorf("name the data folder: %w", err)
	}
	return abs, nil
}
