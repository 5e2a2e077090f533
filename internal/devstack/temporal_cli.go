package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"hookflow/internal/folder"
	"hookflow/internal/progress"
)

// The CLI that is fetched or built where none is installed. cliCache is its folder in the user's cache; the number counts the
// ways in which we built it.
const (
	cliVersion = "v1.5.1"
	cliPackage = "github.com/temporalio/cli/cmd/temporal"
	cliCache   = "temporal-1.5.1-2"
)

// cliSource is where the CLI may come from; tests put their own in.
type cliSource struct {
	onPath   func() (string, error)
	cache    string // the folder of this version, in the user's cache
	download func(ctx context.Context, to string) error
	build    func(ctx context.Context, to string) error
	report   progress.Func
}

// findCLI returns the path of the official CLI.
func findCLI(ctx context.Context, report progress.Func) (string, error) {
	base, err := cacheFolder(os.UserCacheDir, user.Current)
	if err != nil {
		return "", err
	}
	s := cliSource{
		onPath: func() (string, error) { return exec.LookPath("temporal") },
		cache:  filepath.Join(base, "hookflow", cliCache),
		download: func(ctx context.Context, to string) error {
			return downloadCLI(ctx, cliInfoURL, archiveSums[runtime.GOOS+"/"+runtime.GOARCH], to)
		},
		build: func(ctx context.Context, to string) error {
			return buildCLI(ctx, report, to)
		},
		report: report,
	}
	return s.find(ctx)
}

// find tries PATH, the cache, a download, a build, in this order. What is fetched or built gets its name only when it
// is whole, and only one process at a time fetches or builds.
func (s cliSource) find(ctx context.Context) (string, error) {
	if path, err := s.onPath(); err == nil {
		if version, ok := cliUsable(ctx, path); ok {
			return path, nil
		} else if version != "" {
			s.report.Say("%s is %s; 1.5 or newer is needed, so it is not used.", path, version)
		}
	}
	cached := filepath.Join(s.cache, "temporal")
	if there, err := s.isCached(cached); there || err != nil {
		return cached, err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if there, err := s.isCached(cached); there || err != nil {
		return cached, err // the process that had the lock before us put it there
	}
	return cached, s.obtain(ctx, cached)
}

// isCached reports whether the cache holds the program. It fails where somebody else could have put it there.
func (s cliSource) isCached(cached string) (bool, error) {
	for _, path := range []string{filepath.Dir(s.cache), s.cache, cached} {
		if err := checkOwner(path); errors.Is(err, os.ErrNotExist) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("the Temporal CLI in the cache is not run: %w; remove it, or set XDG_CACHE_HOME to a folder of your own", err)
		}
	}
	return isProgram(cached), nil
}

// cacheFolder returns the user's cache folder. Without HOME (a bare container, a service) it is the one in the home of the
// user database. The temporary folder is no place for it: everybody may make a folder there before us.
func cacheFolder(userCache func() (string, error), current func() (*user.User, error)) (string, error) {
	base, err := userCache()
	if err == nil {
		return base, nil
	}
	u, userErr := current()
	if userErr != nil || !filepath.IsAbs(u.HomeDir) || u.HomeDir == "/" {
		return "", fmt.Errorf("there is no folder for the Temporal CLI: %w; set HOME or XDG_CACHE_HOME", err)
	}
	return filepath.Join(u.HomeDir, ".cache"), nil
}

// checkOwner fails for a file or folder that somebody else owns or may write, or that is a link: what is run from there
// would be theirs. Root's own are as good as ours.
func checkOwner(path string) error {
	st, err := os.Lstat(path)
	if err != nil {
		return err
	}
	switch sys, ok := st.Sys().(*syscall.Stat_t); {
	case st.Mode()&os.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link", path)
	case ok && int(sys.Uid) != os.Geteuid() && sys.Uid != 0:
		return fmt.Errorf("%s belongs to user %d", path, sys.Uid)
	case st.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s is writable by others (mode %04o)", path, st.Mode().Perm())
	}
	return nil
}

// obtain downloads the CLI, or builds it where that does not work.
func (s cliSource) obtain(ctx context.Context, cached string) error {
	work, err := os.MkdirTemp(s.cache, ".new-")
	if err != nil {
		return fmt.Errorf("make a place for the Temporal CLI: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	fresh := filepath.Join(work, "temporal")
	s.report.Say("No Temporal CLI on this machine: fetching %s.", cliVersion)
	if err := s.download(ctx, fresh); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.report.Say("It cannot be downloaded (%v), so it is built from source, once. This takes about 5 minutes on two cores.", err)
		if err := s.build(ctx, fresh); err != nil {
			return fmt.Errorf("build the Temporal CLI: %w; or install it from https://docs.temporal.io/cli", err)
		}
	}
	if version, ok := cliUsable(ctx, fresh); !ok {
		return fmt.Errorf("the Temporal CLI that was fetched does not run or is too old (%q); "+
			"install it from https://docs.temporal.io/cli", version)
	}
	if err := os.Rename(fresh, cached); err != nil {
		return fmt.Errorf("put the Temporal CLI in place: %w", err)
	}
	return nil
}

// lock waits for the right to fill the cache. What an interrupted holder left there is removed.
func (s cliSource) lock(ctx context.Context) (func(), error) {
	const otherwise = "set XDG_CACHE_HOME to a folder of your own"
	err := os.MkdirAll(s.cache, 0o700)
	if err == nil {
		err = folder.RunsPrograms(s.cache)
	}
	if err != nil {
		return nil, fmt.Errorf("the folder for the Temporal CLI cannot be used: %w", folder.Explain(err, s.cache, otherwise))
	}
	f, err := os.OpenFile(filepath.Join(s.cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the folder for the Temporal CLI: %w", folder.Explain(err, s.cache, otherwise))
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for waited := false; syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil; waited = true {
		if !waited {
			s.report.Say("Another process is fetching the Temporal CLI; waiting for it.")
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("wait for another process to fetch the Temporal CLI: %w", ctx.Err())
		case <-tick.C:
		}
	}
	rest, _ := filepath.Glob(filepath.Join(s.cache, ".new-*"))
	for _, dir := range rest {
		_ = os.RemoveAll(dir)
	}
	return func() { _ = f.Close() }, nil
}

func isProgram(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o111 != 0
}

// versions matches "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)".
var versions = regexp.MustCompile(`^temporal version (\d+)\.(\d+)\.\S*(?: \(Server (\d+)\.(\d+)\.)?`)

// cliUsable asks a CLI for its version and reports whether it is 1.5 or newer. One that `go install` built says
// 0.0.0-DEV, so the server inside counts too: CLI 1.5 carries server 1.29.
func cliUsable(ctx context.Context, path string) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := output(ctx, temporalEnv(os.TempDir()), path, "--version")
	m := versions.FindSubmatch(out)
	if err != nil || m == nil {
		return "", false
	}
	number := func(i int) int { n, _ := strconv.Atoi(string(m[i])); return n }
	atLeast := func(i, major, minor int) bool {
		return number(i) > major || number(i) == major && number(i+1) >= minor
	}
	return firstLineOf(out), atLeast(1, 1, 5) || atLeast(3, 1, 29)
}
