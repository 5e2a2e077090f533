package folder

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "data")
	require.NoError(t, CheckData(dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "the probe is gone")
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, path := range []string{file, filepath.Join(file, "below")} {
		require.ErrorContains(t, CheckData(path), file+" is a file, not a folder: move it away, or set HOOKFLOW_DATA_DIR")
	}
}

// Each cause is named with what to do; the advice never gives away a folder of the system.
func TestExplain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inside := filepath.Join(dir, "it's", "data")
	for name, c := range map[string]struct {
		err  error
		path string
		want []string
	}{
		"read-only":  {&fs.PathError{Op: "mkdir", Path: inside, Err: syscall.EROFS}, inside, []string{dir + " is on a read-only file system: do that"}},
		"full":       {&fs.PathError{Op: "write", Path: inside, Err: syscall.ENOSPC}, inside, []string{"the disk of " + dir + " is full (no space left on device): make room, or do that"}},
		"permission": {&fs.PathError{Op: "mkdir", Path: inside, Err: syscall.EACCES}, inside, []string{dir + " belongs to user ", fmt.Sprintf("`sudo install -d -o %d ", os.Geteuid()), quoted(inside), "or do that"}},
		"own folder": {&fs.PathError{Op: "open", Path: dir, Err: syscall.EACCES}, dir, []string{dir + " belongs to user ", "`sudo chown -R ", "or do that"}},
		"system":     {&fs.PathError{Op: "mkdir", Path: "/var/lib", Err: syscall.EACCES}, "/var/lib", []string{"/var/lib belongs to user root (mode 0755), and this is user ", ": do that"}},
		"other":      {&fs.PathError{Op: "mkdir", Path: inside, Err: syscall.ENAMETOOLONG}, inside, []string{"file name too long: do that"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, want := range c.want {
				require.ErrorContains(t, Explain(c.err, c.path, "do that"), want)
			}
			if name == "system" {
				require.NotContains(t, Explain(c.err, c.path, "do that").Error(), "chown")
			}
		})
	}
	require.Equal(t, `'/a/it'\''s'`, quoted("/a/it's"))
}
