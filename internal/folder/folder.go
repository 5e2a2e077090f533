// Package folder finds out whether a folder can hold what hookflow writes, and says whose it is and what to do where it
// cannot. It imports the standard library only, so that folders are looked at before anything is downloaded or compiled.
// Linux and macOS.
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// leastFree is what two new servers write at least: a new Postgres cluster has 40 MB and its log segments of 16 MB each.
const leastFree = 200 << 20

// CheckData returns why the data folder dir cannot be used, with what to do about it. It makes the folder if it is missing, so
// that others may pass through it but not list it. What lies in it must be ours too: servers that once ran as root leave files
// that nobody else can open.
func CheckData(dir string) error {
	const otherwise = "set HOOKFLOW_DATA_DIR to a folder of your own"
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return fmt.Errorf("the data folder cannot be made: %w", Explain(err, dir, otherwise))
	}
	if err := writable(dir); err != nil {
		return fmt.Errorf("the data folder cannot be written: %w", Explain(err, dir, otherwise))
	}
	if err := ours(dir, otherwise); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, "lock")); err == nil {
		return nil // its databases are there already
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err == nil {
		if free := int64(disk.Bavail) * int64(disk.Bsize); free < leastFree {
			return fmt.Errorf("the disk of the data folder %s has %d MiB left, and the databases need %d MiB to begin with: make room, or %s",
				dir, free>>20, leastFree>>20, otherwise)
		}
	}
	return nil
}

// writable writes a file and takes it away.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// RunsPrograms returns why a program in dir could not be run, though it can be written: its file system may be mounted so.
func RunsPrograms(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString("#!/bin/sh\n")
	if err := errors.Join(err, f.Chmod(0o700), f.Close()); err != nil {
		return err
	}
	if err := exec.Command(f.Name()).Run(); errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s is on a file system that runs no programs (mounted with noexec)", dir)
	}
	return nil // another error (a text that is busy, for one) says nothing about the folder
}

// ours finds files of a data folder that another user owns, and a cluster that is elsewhere. Root may write all of them.
func ours(dir, otherwise string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	// As internal/devstack writes it: the folder of a cluster that its user could not reach in the data folder.
	pointer, _ := os.ReadFile(filepath.Join(dir, "postgres.path"))
	home := strings.TrimSpace(string(pointer))
	if uid := owner(home); home != "" && uid != os.Geteuid() {
		return fmt.Errorf("the database of the data folder %s is in %s, which belongs to %s, and this is %s: it was made as root, "+
			"so run hookflow as root again, remove it as root with `make clean-data`, or %s", dir, home, Name(uid), Name(os.Geteuid()), otherwise)
	}
	foreign := ""
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		switch {
		case owner(path) != os.Geteuid():
			foreign = path
			return fs.SkipAll
		case err != nil, path != dir && filepath.Base(path) == "postgres":
			return fs.SkipDir // the cluster has one owner throughout
		}
		return nil
	})
	if foreign == "" {
		return nil
	}
	return fmt.Errorf("%s belongs to %s, and this is %s: an earlier start ran as somebody else. `%s` gives the folder back; or %s",
		foreign, Name(owner(foreign)), Name(os.Geteuid()), chown(dir), otherwise)
}

// Explain says of an error that came from a path, or from making it, whose the path is and what to do. Otherwise is what can
// be done instead.
func Explain(err error, path, otherwise string) error {
	if abs, absErr := filepath.Abs(path); absErr == nil {
		path = abs
	}
	at := existing(path)
	st, _ := os.Stat(at)
	switch {
	case st != nil && !st.IsDir() && (errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist)):
		return fmt.Errorf("%s is a file, not a folder: move it away, or %s", at, otherwise)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s is on a read-only file system: %s", at, otherwise)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("the disk of %s is full (%w): make room, or %s", at, unwrapped(err), otherwise)
	case errors.Is(err, fs.ErrPermission) && st != nil:
		whose := fmt.Sprintf("%s belongs to %s (mode %04o), and this is %s", at, Name(owner(at)), st.Mode().Perm(), Name(os.Geteuid()))
		if at != path {
			return fmt.Errorf("%s: `sudo install -d -o %d %s` makes it for you; or %s", whose, os.Geteuid(), quoted(path), otherwise)
		}
		if slices.Contains(shared, at) {
			return fmt.Errorf("%s: %s", whose, otherwise)
		}
		return fmt.Errorf("%s: `%s` gives it to you; or %s", whose, chown(at), otherwise)
	}
	return fmt.Errorf("%w: %s", err, otherwise)
}

// existing is the path or the nearest of its parents that is there.
func existing(path string) string {
	for {
		_, err := os.Stat(path)
		if err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

func unwrapped(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// shared are folders that nobody should be advised to give away.
var shared = []string{"/", "/etc", "/home", "/mnt", "/opt", "/root", "/srv", "/tmp", "/usr", "/usr/local", "/var", "/var/lib", "/var/tmp"}

func chown(path string) string { return fmt.Sprintf("sudo chown -R %d %s", os.Geteuid(), quoted(path)) }

func quoted(path string) string {
	if strings.ContainsAny(path, " \t'\"$&;()<>|*?`\\") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// owner returns the user id of a file's owner, ours where it cannot be told.
func owner(path string) int {
	st, err := os.Lstat(path)
	if err != nil {
		return os.Geteuid()
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(sys.Uid)
	}
	return os.Geteuid()
}

// Name is how messages call a user: by name, where there is one.
func Name(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return "user " + u.Username
	}
	return "user " + strconv.Itoa(uid)
}
