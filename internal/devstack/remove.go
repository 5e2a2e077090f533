package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hookflow/internal/folder"
)

// Remove deletes a data folder and the cluster that belongs to it, wherever that is. Servers that a killed start left
// running are stopped first. It fails with *LockedError while hookflow runs on the folder, and refuses a folder that
// does not look like one of ours.
func Remove(ctx context.Context, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, lockName)); err != nil {
		return fmt.Errorf("%s is not a data folder of hookflow: it has no file %q", dir, lockName)
	}
	for _, foreign := range []string{".git", "go.mod", ".bashrc", ".profile"} {
		if _, err := os.Lstat(filepath.Join(dir, foreign)); err == nil {
			return fmt.Errorf("%s holds more than hookflow's data (%s), so it is not removed", dir, foreign)
		}
	}
	lock, err := Lock(ctx, dir, nil)
	if err != nil {
		return err
	}
	abs, err := absolute(dir)
	if err == nil {
		if home, ok := ownHome(abs); ok && home != abs {
			err = os.RemoveAll(home)
		}
	}
	if err = errors.Join(err, os.RemoveAll(abs), os.RemoveAll(dir), lock.Release()); err != nil {
		return fmt.Errorf("remove the data folder: %w%s", err, whoMayRemove(abs, err))
	}
	return nil
}

// whoMayRemove is the advice for a folder with files of others: those of a start as root.
func whoMayRemove(dir string, err error) string {
	if !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	return fmt.Sprintf("; parts of %s belong to others, and this is %s: run `make clean-data` as root", dir, folder.Name(os.Geteuid()))
}
