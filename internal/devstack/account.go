package devstack

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"hookflow/internal/folder"
	"hookflow/internal/progress"
)

// outside is where a cluster goes that the unprivileged user could not reach in the data folder.
const outside = "/var/lib/hookflow"

// The names inside a data folder, and inside a folder of outside.
const (
	clusterName = "postgres"      // the cluster itself
	pointerName = "postgres.path" // in a data folder: the cluster is in the folder named here
	ownerName   = "owner"         // in a folder of outside: the data folder it belongs to
)

// account is the unprivileged user that Postgres runs as: it refuses to run as root. nil means the user we are.
type account struct {
	name     string
	uid, gid uint32
}

// chooseAccount returns nil unless we are root; then the owner of an existing cluster, else the user postgres, else
// nobody.
func chooseAccount(cluster string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if st, err := os.Stat(cluster); err == nil {
		if sys, ok := st.Sys().(*syscall.Stat_t); ok && sys.Uid != 0 {
			return &account{name: strconv.Itoa(int(sys.Uid)), uid: sys.Uid, gid: sys.Gid}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, errors.New("postgres does not run as root, and this system has neither the user postgres nor nobody")
}

// attr makes cmd run as the account.
func (a *account) attr() *syscall.SysProcAttr {
	if a == nil {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.uid, Gid: a.gid}}
}

// give makes the account the owner of path.
func (a *account) give(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Chown(path, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("give %s to user %s: %w", path, a.name, err)
	}
	return nil
}

// reaches reports whether the account can work inside a folder under dir: every folder on the way must let it through.
func (a *account) reaches(dir string) bool {
	if a == nil {
		return true
	}
	probe, err := os.MkdirTemp(dir, ".reach-")
	if err != nil {
		return false
	}
	defer func() { _ = os.RemoveAll(probe) }()
	if a.give(probe) != nil {
		return false
	}
	cmd := exec.Command("/bin/sh", "-c", `cd "$1" && : >f`, "sh", probe)
	cmd.Dir, cmd.SysProcAttr = "/", a.attr()
	return cmd.Run() == nil
}

// ownHome returns the folder that holds the cluster of a data folder: dir itself, or where its pointer leads if what is
// there belongs to dir. A data folder that was moved takes its home along; one that was copied gets a new one, since
// the pointer of the first still leads there.
func ownHome(dir string) (string, bool) {
	if _, err := os.Stat(filepath.Join(dir, clusterName, "PG_VERSION")); err == nil {
		return dir, true
	}
	home := pointerOf(dir)
	owner := ownerOf(home)
	if home == "" || owner == "" {
		return "", false
	}
	if owner == dir {
		return home, true
	}
	if pointerOf(owner) == home {
		return "", false
	}
	return home, os.WriteFile(filepath.Join(home, ownerName), []byte(dir+"\n"), 0o644) == nil
}

func pointerOf(dir string) string { return firstLine(filepath.Join(dir, pointerName)) }

func ownerOf(home string) string { return firstLine(filepath.Join(home, ownerName)) }

// firstLine returns the first line of a file, or "".
func firstLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

// homeFor returns the folder for the cluster of a data folder, making it if need be: dir itself where the account
// reaches it, else /var/lib/hookflow/<hash of dir>, with a pointer in dir.
func homeFor(dir string, as *account, report progress.Func) (string, error) {
	if home, ok := ownHome(dir); ok {
		return home, nil
	}
	if as.reaches(dir) {
		return dir, nil
	}
	return makeOutside(dir, as, report)
}

// makeOutside makes the home in /var/lib/hookflow. The pointer is written first, so a home without a pointer to it is
// the rest of a data folder that was deleted, and goes with it.
func makeOutside(dir string, as *account, report progress.Func) (string, error) {
	sum := sha256.Sum256([]byte(dir))
	home := filepath.Join(outside, hex.EncodeToString(sum[:8]))
	if pointerOf(dir) == "" && ownerOf(home) == dir {
		report.Say("Removing %s: its data folder was deleted.", home)
		if err := os.RemoveAll(home); err != nil {
			return "", fmt.Errorf("remove the rest of a deleted data folder: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, pointerName), []byte(home+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("write where the database is: %w", err)
	}
	for _, d := range []string{outside, home} {
		// Explicitly, since the umask may take away what the account needs.
		if err := errors.Join(os.MkdirAll(d, 0o755), os.Chmod(d, 0o755)); err != nil {
			return "", fmt.Errorf("user %s, whom Postgres runs as, cannot reach %s, and the database cannot be outside either: %w", as.name, dir,
				folder.Explain(err, d, "set HOOKFLOW_DATA_DIR to a folder that this user can reach, such as one below /srv"))
		}
	}
	if err := os.WriteFile(filepath.Join(home, ownerName), []byte(dir+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("write whose database it is: %w", err)
	}
	report.Say("User %s cannot reach %s, so the database is in %s.", as.name, dir, home)
	return home, nil
}

// temporaryHome makes a folder that the account can reach: in the temporary folder, else in /var/lib/hookflow.
func temporaryHome(as *account) (string, error) {
	base := os.TempDir()
	if !as.reaches(base) {
		base = outside
		if err := errors.Join(os.MkdirAll(base, 0o755), os.Chmod(base, 0o755)); err != nil {
			return "", fmt.Errorf("make a place for the database: %w", err)
		}
	}
	home, err := os.MkdirTemp(base, "hookflow-postgres-")
	if err != nil {
		return "", fmt.Errorf("make a place for the database: %w", err)
	}
	if err := os.Chmod(home, 0o711); err != nil {
		return "", fmt.Errorf("open the place of the database: %w", err)
	}
	return home, nil
}
