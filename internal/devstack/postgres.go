package devstack

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hookflow/internal/ports"
	"hookflow/internal/progress"
)

// postgresUser is database and user of the private Postgres. It listens on 127.0.0.1 only.
const postgresUser = "hookflow"

// startWithin bounds the start of either server; crash recovery after a SIGKILL is part of it.
const startWithin = 90 * time.Second

// PostgresOptions say how to start a private Postgres. The zero value is a temporary one on a free port.
type PostgresOptions struct {
	// Dir is the data folder, which the caller has locked (Lock). Empty: a temporary one, removed at Stop.
	Dir string
	// Port on 127.0.0.1; 0 takes a free one. PortVariable is named in the error if the port is taken.
	Port         int
	PortVariable string
	// Password of the user hookflow, who is no superuser; empty generates one.
	Password string
	// Fast gives up durability: a crash of the machine may lose everything. For tests only.
	Fast bool
	// MaxConnections is Postgres' max_connections; 0 means its default of 100.
	MaxConnections int
	// DieWithParent ends the server when this process ends, however it does. Always so with a temporary folder or Fast.
	DieWithParent bool
	// Log receives the server's output; nil means postgres.log in the folder of the cluster.
	Log io.Writer
	// Progress receives a sentence before each step that takes long; may be nil.
	Progress progress.Func
}

// Postgres is a running private server.
type Postgres struct {
	Port int
	Pid  int
	// Cluster is its data directory.
	Cluster string

	roles  roles
	proc   *process
	remove string
}

// StartPostgres starts a private Postgres and returns once the database hookflow answers. It fails with ErrNoPostgres,
// *ports.TakenError, or what the server last said.
func StartPostgres(ctx context.Context, o PostgresOptions) (*Postgres, error) {
	pg := &Postgres{}
	as, home, err := pg.place(o)
	if err != nil {
		return nil, err
	}
	pg.Cluster = filepath.Join(home, clusterName)
	pg.roles = roles{password: cmp.Or(o.Password, rand.Text()), file: filepath.Join(home, superuserFile)}
	err = pg.start(ctx, o, as, home)
	if err != nil {
		pg.cleanUp()
		return nil, err
	}
	return pg, nil
}

// place finds who runs the server and where its files are.
func (pg *Postgres) place(o PostgresOptions) (*account, string, error) {
	if o.Dir == "" {
		as, err := chooseAccount("")
		if err != nil {
			return nil, "", err
		}
		pg.remove, err = temporaryHome(as)
		return as, pg.remove, err
	}
	dir, err := absolute(o.Dir)
	if err != nil {
		return nil, "", err
	}
	home, _ := ownHome(dir)
	as, err := chooseAccount(filepath.Join(home, clusterName))
	if err != nil {
		return nil, "", err
	}
	home, err = homeFor(dir, as, o.Progress)
	return as, home, err
}

func (pg *Postgres) start(ctx context.Context, o PostgresOptions, as *account, home string) error {
	bin, err := findPostgres(clusterMajor(pg.Cluster), binaryFolders)
	if err != nil {
		return err
	}
	if clusterMajor(pg.Cluster) == 0 {
		o.Progress.Say("Making a Postgres %d database in %s.", bin.major, pg.Cluster)
		if err := pg.initdb(ctx, bin, as, o.Fast); err != nil {
			return err
		}
	}
	if err := clearPidFile(pg.Cluster); err != nil {
		return err
	}
	out, closeLog, err := logTo(o.Log, home, "postgres")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		err = pg.launch(ctx, o, bin, as, out)
		if err == nil || ctx.Err() != nil || !pg.worthAnother(o) {
			break
		}
		o.Progress.Say("Postgres did not come up at once; trying again.")
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if err != nil {
		closeLog()
	}
	return err
}

// worthAnother reports whether the start failed for a reason that passes: the free port was taken in between, or the
// workers of a killed server have not noticed yet that it is gone.
func (pg *Postgres) worthAnother(o PostgresOptions) bool {
	if pg.proc == nil {
		return false
	}
	said := pg.proc.tail.String()
	return o.Port == 0 && strings.Contains(said, "could not bind") ||
		strings.Contains(said, "pre-existing shared memory block")
}

// launch starts the server once and waits until its database answers.
func (pg *Postgres) launch(ctx context.Context, o PostgresOptions, bin binaries, as *account, out io.Writer) error {
	if err := ports.Check(o.Port, "Postgres", o.PortVariable); err != nil {
		return err
	}
	if pg.Port = o.Port; pg.Port == 0 {
		free, err := ports.Free(1)
		if err != nil {
			return err
		}
		pg.Port = free[0]
	}
	cmd := exec.Command(bin.path("postgres"), postgresArgs(pg.Cluster, pg.Port, o)...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = pg.Cluster, quietEnv(), as.attr()
	proc, err := startProcess(cmd, out, o.DieWithParent || o.Fast || pg.remove != "", pg.remove)
	if err != nil {
		return err
	}
	pg.proc, pg.Pid = proc, proc.pid()
	if err := proc.waitFor(ctx, "Postgres", o.Progress, pg.prepare); err != nil {
		proc.kill()
		return err
	}
	return nil
}

// postgresArgs are the whole configuration, so that nothing hangs on a file in the cluster. No Unix socket: its path may
// not be longer than 107 bytes (104 on macOS), and a checkout can lie deeper.
func postgresArgs(cluster string, port int, o PostgresOptions) []string {
	set := []string{
		"listen_addresses=" + localhost,
		"port=" + strconv.Itoa(port),
		"unix_socket_directories=",
		"logging_collector=off",
		"timezone=UTC",
		"log_timezone=UTC",
	}
	if o.MaxConnections > 0 {
		set = append(set, "max_connections="+strconv.Itoa(o.MaxConnections))
	}
	if o.Fast {
		set = append(set, "fsync=off", "synchronous_commit=off", "full_page_writes=off",
			"wal_level=minimal", "max_wal_senders=0", "autovacuum_naptime=10min")
	}
	args := []string{"-D", cluster}
	for _, s := range set {
		args = append(args, "-c", s)
	}
	return args
}

// quietEnv is the environment of the Postgres programs: nothing of the caller's PG… or LC_… settings.
func quietEnv() []string { return []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"} }

// initdb makes the cluster under another name and renames it, so that an interrupted one leaves nothing half.
func (pg *Postgres) initdb(ctx context.Context, bin binaries, as *account, fast bool) error {
	fresh := pg.Cluster + ".new"
	password := pg.Cluster + ".password"
	defer func() { _ = os.Remove(password) }()
	superuser, err := pg.roles.newSuperuser()
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(fresh), os.Mkdir(fresh, 0o700), as.give(fresh),
		os.WriteFile(password, []byte(superuser+"\n"), 0o600), as.give(password)); err != nil {
		return fmt.Errorf("make a place for the database: %w", err)
	}
	args := []string{"-D", fresh, "-U", superuserName, "--pwfile", password, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C"}
	if fast {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, bin.path("initdb"), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = fresh, quietEnv(), as.attr()
	if out, err := cmd.CombinedOutput(); err != nil {
		said, advice := strings.TrimSpace(string(out)), ""
		if strings.Contains(said, "could not look up effective user ID") {
			advice = fmt.Sprintf("; Postgres needs a user with a name: add one for the id %d, as root: useradd -u %d hookflow", os.Geteuid(), os.Geteuid())
		}
		return fmt.Errorf("initdb: %w: %s%s", err, said, advice)
	}
	if err := os.Rename(fresh, pg.Cluster); err != nil {
		return fmt.Errorf("put the new database in place: %w", err)
	}
	return nil
}

// clearPidFile removes the postmaster.pid of a killed server whose pid may by now be another process: Postgres would take
// any live process for its predecessor and refuse to start.
func clearPidFile(cluster string) error {
	path := filepath.Join(cluster, "postmaster.pid")
	if firstLine(path) == "" {
		return nil
	}
	if pids := postgresOf(cluster); len(pids) > 0 {
		return fmt.Errorf("a Postgres already runs on %s (process %d)", cluster, pids[0])
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the pid file of a dead server: %w", err)
	}
	return nil
}

// prepare makes the user and the database hookflow as they should be. It fails while the server is still coming up.
func (pg *Postgres) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return pg.roles.prepare(ctx, pg.url)
}

// URL returns the connection string of the database hookflow, for its owner.
func (pg *Postgres) URL() string { return PostgresURL(pg.Port, pg.roles.password) }

// PostgresURL returns the connection string of a private Postgres on this machine, for the owner of its database hookflow.
func PostgresURL(port int, password string) string {
	return postgresURL(port, postgresUser, password, postgresUser)
}

// SuperuserURL returns the connection string of a database for the superuser.
func (pg *Postgres) SuperuserURL(database string) string {
	return pg.url(superuserName, pg.roles.superuser(), database)
}

func (pg *Postgres) url(user, password, database string) string {
	return postgresURL(pg.Port, user, password, database)
}

func postgresURL(port int, user, password, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, password), Host: net.JoinHostPort(localhost, strconv.Itoa(port)),
		Path: database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Done is closed when the server has ended, whoever ended it.
func (pg *Postgres) Done() <-chan struct{} { return pg.proc.done }

// Stop is a fast shutdown: open transactions are rolled back, clients disconnected. When ctx ends first, the shutdown is
// immediate and the next start recovers from the log. A temporary server's files are removed.
func (pg *Postgres) Stop(ctx context.Context) error {
	err := pg.proc.stop(ctx, syscall.SIGINT, syscall.SIGQUIT, 3*time.Second)
	pg.cleanUp()
	return err
}

// Kill ends the server and all its workers with SIGKILL, as a crash of the machine would.
func (pg *Postgres) Kill() {
	pids := postgresOf(pg.Cluster)
	pg.proc.kill()
	killAll(pids)
	pg.cleanUp()
}

func (pg *Postgres) cleanUp() {
	if pg.remove != "" {
		_ = os.RemoveAll(pg.remove)
	}
}
