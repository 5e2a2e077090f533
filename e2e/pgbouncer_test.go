package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/migrations"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pgBouncer starts a PgBouncer in transaction mode before a schema, and returns the URL through it: the search_path, a setting of
// the session, is set by PgBouncer. It does not run as root.
func pgBouncer(t *testing.T, database string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // where Debian has it, which is not on everybody's PATH
	}
	if _, err := os.Stat(program); err != nil {
		require.Empty(t, os.Getenv("CI"), ".ci/run installs pgbouncer")
		t.Skip("there is no pgbouncer on this machine; apt-get install pgbouncer brings it")
	}
	u, err := url.Parse(database)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	folder := t.TempDir()
	password, _ := u.User.Password()
	users := fmt.Sprintf("%q %q\n", u.User.Username(), password)
	settings := fmt.Sprintf(`[databases]
* = host=%s port=%s user=%s password=%s connect_query='SET search_path TO %s'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
`, u.Hostname(), u.Port(), u.User.Username(), password, u.Query().Get("search_path"), port, filepath.Join(folder, "users"))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "users"), []byte(users), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ini"), []byte(settings), 0o644))
	cmd := exec.Command(program, "-q", filepath.Join(folder, "ini"))
	if os.Geteuid() == 0 {
		nobody, err := user.Lookup("nobody")
		require.NoError(t, err)
		uid, err := strconv.Atoi(nobody.Uid)
		require.NoError(t, err)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
		for at := folder; len(at) > len(os.TempDir()); at = filepath.Dir(at) {
			require.NoError(t, os.Chmod(at, 0o755))
		}
	}
	var said strings.Builder
	cmd.Stderr = &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	u.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	u.RawQuery = "sslmode=disable"
	until(t, "pgbouncer listens", func() bool {
		conn, err := net.Dial("tcp", u.Host)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return u.String()
}

// Behind PgBouncer in transaction mode everything works: migrations, deliveries, replays, questions.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	in := install(t)
	in = in.with("DATABASE_URL", pgBouncer(t, in.database))

	s := in.serve()
	var all []*delivery
	for range 10 {
		all = append(all, s.checkout(), s.sample("twilio", "call.completed"), s.sample("vapi", "end-of-call-report"))
	}
	for _, d := range all {
		require.Equal(t, "200 accepted", describe(s.post(d)))
		require.Equal(t, "200 duplicate", describe(s.post(d)))
	}
	for _, d := range all {
		s.awaitStatus(d.key(), event.Completed)
	}
	require.Equal(t, 202, s.replay(all[0].key()).status)
	until(t, "it is replayed", func() bool { d := s.show(all[0].key()); return d.Generation == 1 && d.Status == event.Completed })
	require.Equal(t, 200, s.get("/v1/stats?since=1h&by=provider").status)
	require.Equal(t, 200, s.get("/v1/events?q="+url.QueryEscape(`{"object":"event"}`)).status)
	doctor := command(t, in.env, "doctor")
	require.Contains(t, doctor.stdout, "through a pooler: statements are not prepared")
	require.NotContains(t, doctor.stdout, "prepared statement")
	require.NotContains(t, s.stderr.String(), "prepared statement")
	s.drain()
}

// Several processes migrate at once through a PgBouncer that others use too, so that no two transactions of theirs need meet one
// session: one applies, the others wait, and no lock stays behind.
func TestPgBouncer_migrations(t *testing.T) {
	t.Parallel()
	database := testkit.EmptySchema(t)
	pooled := pgBouncer(t, database)
	ctx, stop := context.WithCancel(t.Context())
	var others, migrating sync.WaitGroup
	for range 4 {
		others.Go(func() {
			conn, err := pgx.Connect(ctx, pooled)
			if err != nil {
				return
			}
			defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
			for ctx.Err() == nil {
				_, _ = conn.Exec(ctx, "SELECT 1", pgx.QueryExecModeSimpleProtocol)
			}
		})
	}
	var applied atomic.Int64
	for range 4 {
		migrating.Go(func() {
			versions, err := migrations.Up(t.Context(), pooled)
			assert.NoError(t, err)
			if len(versions) > 0 {
				applied.Add(1)
			}
		})
	}
	migrating.Wait()
	stop()
	others.Wait()
	require.EqualValues(t, 1, applied.Load())
	state, err := migrations.Look(t.Context(), pooled)
	require.NoError(t, err)
	require.Empty(t, state.Missing)
	version, err := migrations.Down(t.Context(), database) // which would wait for a lock that stayed behind
	require.NoError(t, err)
	require.Equal(t, state.Newest, version)
}

// Doctor names what a URL has that a pooler cannot take.
func TestPgBouncer_doctor(t *testing.T) {
	t.Parallel()
	in := install(t)
	pooled := pgBouncer(t, in.database)
	for more, want := range map[string]string{
		"&default_query_exec_mode=cache_statement": "default_query_exec_mode=cache_statement of DATABASE_URL prepares statements",
		"&statement_timeout=5000":                  "take the parameter out of DATABASE_URL",
		"&pool_max_conns=10":                       "through a pooler: statements are not prepared",
	} {
		require.Contains(t, command(t, in.with("DATABASE_URL", pooled+more).env, "doctor").stdout, want)
	}
}
