package e2e_test

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/devstack"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// home is a data folder of hookflow dev and what a developer types around it.
type home struct {
	t   *testing.T
	env map[string]string
}

// develop returns a home whose servers take free ports. At the end nothing runs on it any more.
func develop(t *testing.T) *home {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "data")
	t.Cleanup(func() {
		if _, err := os.Stat(folder); err == nil {
			require.NoError(t, devstack.Remove(context.WithoutCancel(t.Context()), folder))
		}
	})
	return &home{t: t, env: map[string]string{
		"HOOKFLOW_DATA_DIR": folder, "HOOKFLOW_HTTP_ADDR": "127.0.0.1:0",
		"HOOKFLOW_TEMPORAL_PORT": "0", "HOOKFLOW_TEMPORAL_UI_PORT": "0", "HOOKFLOW_POSTGRES_PORT": "0",
	}}
}

// dev is a running hookflow dev, with what its banner says.
type dev struct {
	*server
	postgres, ui string
}

var banner = map[string]*regexp.Regexp{
	"webhooks": regexp.MustCompile(`POST (http://\S+)/webhooks/stripe`),
	"ops":      regexp.MustCompile(`Events +(http://\S+)/v1/events`),
	"ui":       regexp.MustCompile(`Temporal UI +(http://\S+)`),
	"postgres": regexp.MustCompile(`Postgres +(postgres://\S+)`),
	"token":    regexp.MustCompile(`API token +(\S+)`),
}

// start runs hookflow dev until it says that it is ready.
func (h *home) start() *dev {
	h.t.Helper()
	p := run(h.t, h.env, "dev")
	ready := func() bool { return strings.Contains(p.stdout.String(), "Ctrl-C drains and stops.") }
	until(h.t, "dev is ready", func() bool { return ready() || p.ended() })
	require.True(h.t, ready(), "%s%s", p.stdout, p.stderr)
	said := func(what string) string {
		found := banner[what].FindStringSubmatch(p.stdout.String())
		require.Len(h.t, found, 2, "%s in %s", what, p.stdout)
		return found[1]
	}
	in := &installation{t: h.t, env: h.env, database: said("postgres"), token: said("token")}
	return &dev{
		server:   &server{process: p, installation: in, webhooks: said("webhooks"), ops: said("ops")},
		postgres: said("postgres"), ui: said("ui"),
	}
}

var sentKey = regexp.MustCompile(`(?m)^key +(\S+)$`)

// send is hookflow send, typed beside the running dev; it returns the event's key.
func (d *dev) send(args ...string) string {
	d.t.Helper()
	env := map[string]string{"HOOKFLOW_DATA_DIR": d.env["HOOKFLOW_DATA_DIR"]}
	sent := command(d.t, env, append([]string{"send", "--url", d.webhooks}, args...)...)
	require.Zero(d.t, sent.code, sent.stderr)
	require.Contains(d.t, sent.stdout, "200 accepted")
	found := sentKey.FindStringSubmatch(sent.stdout)
	require.Len(d.t, found, 2, sent.stdout)
	return found[1]
}

// family is the process with everything that descends from it.
func (p *process) family(t *testing.T) []int {
	t.Helper()
	children := childrenByParent(t)
	all := []int{p.pid()}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// killFamily is SIGKILL of everything at once, as a machine that loses power.
func (p *process) killFamily(t *testing.T) {
	t.Helper()
	family := p.family(t)
	require.Greater(t, len(family), 2, "both stores are of the family")
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
}

// What dev holds survives SIGKILL of dev, SIGKILL of everything, and Ctrl-C, events in flight included.
func TestDevKeepsItsState(t *testing.T) {
	t.Parallel()
	h := develop(t)
	routes := filepath.Join(t.TempDir(), "routes.yaml")
	require.NoError(t, os.WriteFile(routes, []byte(before), 0o600))
	in, api := (&installation{t: t, env: h.env}).withStripeAPI()
	h.env = in.with("HOOKFLOW_CONFIG", routes).env

	d := h.start()
	require.Equal(t, http.StatusOK, d.get("/readyz").status)
	require.Regexp(t, "^dev|^[A-Z0-9]+$", d.token)
	done := d.send("twilio", "call.completed")
	d.awaitCompleted(done)
	api.outOfOrder.Store(true)
	running := []string{d.send("stripe", "checkout.session.completed")}
	d.awaitTrying(running...)
	d.kill()

	d = h.start()
	require.Contains(t, d.stdout.String(), "an earlier start left running")
	require.Equal(t, event.Completed, d.show(done).Status)
	running = append(running, d.send("stripe", "checkout.session.completed"))
	d.awaitTrying(running...)
	d.killFamily(t)

	d = h.start()
	running = append(running, d.send("stripe", "checkout.session.completed"))
	d.awaitTrying(running...)
	require.Zero(t, d.stop(t, syscall.SIGINT), "%s", d.stderr)
	require.Contains(t, d.stdout.String(), "Draining; Ctrl-C again stops at once.")
	require.Contains(t, d.stdout.String(), "Events in flight go on at the next start.")
	requireGone(t, d)

	d = h.start()
	api.outOfOrder.Store(false)
	d.awaitCompleted(append(running, done)...)
	require.Len(t, d.list().Events, 4)
	for _, key := range running {
		require.Equal(t, 1, len(d.show(key).Steps))
	}
}

// requireGone requires that neither of dev's stores answers any more.
func requireGone(t *testing.T, d *dev) {
	t.Helper()
	for _, address := range []string{d.ui, d.postgres} {
		host := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(address)
		require.NotEmpty(t, host)
		_, err := net.DialTimeout("tcp", host, time.Second)
		require.ErrorIs(t, err, syscall.ECONNREFUSED, address)
	}
}

// The links of the banner lead somewhere, a second dev on the folder is refused, and a second Ctrl-C does not wait.
func TestDevForANewcomer(t *testing.T) {
	t.Parallel()
	h := develop(t)
	d := h.start()
	key := d.send("stripe", "checkout.session.completed")
	d.awaitCompleted(key)
	for _, page := range []string{d.ui, *d.show(key).TemporalURL} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
		require.NoError(t, err)
		got, err := exchange(r)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, got.status, page)
	}
	require.Equal(t, "hookflow", testkit.Query[string](t, d.postgres, "SELECT current_database()::text"))
	listed := command(t, map[string]string{"HOOKFLOW_DATA_DIR": h.env["HOOKFLOW_DATA_DIR"]}, "events", "list", "--url", d.ops)
	require.Zero(t, listed.code, listed.stderr)
	require.Contains(t, listed.stdout, "checkout.session.completed")

	second := command(t, h.env, "dev")
	require.Equal(t, 1, second.code)
	require.Contains(t, second.stderr, "another hookflow (process "+strconv.Itoa(d.pid())+")")
	require.Contains(t, second.stderr, "HOOKFLOW_DATA_DIR")

	stopsAtOnce(t, d)
	requireGone(t, d)
}

// stopsAtOnce holds a request open, which the first Ctrl-C waits for, and sends the second.
func stopsAtOnce(t *testing.T, d *dev) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.webhooks, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"))
	require.NoError(t, err)
	require.NoError(t, d.cmd.Process.Signal(os.Interrupt))
	until(t, "dev drains", func() bool { return strings.Contains(d.stdout.String(), "Draining") })
	require.Equal(t, 130, d.stop(t, syscall.SIGINT))
	require.Contains(t, d.stderr.String(), "Stopped at once.")
}

// A port that is taken: which, by whom, and what moves it.
func TestDevPortsTaken(t *testing.T) {
	t.Parallel()
	for _, variable := range []string{"HOOKFLOW_HTTP_ADDR", "HOOKFLOW_POSTGRES_PORT", "HOOKFLOW_TEMPORAL_PORT", "HOOKFLOW_TEMPORAL_UI_PORT"} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer listener.Close()
			_, port, err := net.SplitHostPort(listener.Addr().String())
			require.NoError(t, err)
			h := develop(t)
			h.env[variable] = port
			if variable == "HOOKFLOW_HTTP_ADDR" {
				h.env[variable] = listener.Addr().String()
			}
			ended := command(t, h.env, "dev")
			require.Equal(t, 1, ended.code)
			require.Contains(t, ended.stderr, "port "+port)
			require.Contains(t, ended.stderr, "process "+strconv.Itoa(os.Getpid()))
			require.Contains(t, ended.stderr, variable)
		})
	}
}

// A .env beside the checkout is read, and the environment stands over it.
func TestDevReadsDotEnv(t *testing.T) {
	t.Parallel()
	folder, token := t.TempDir(), rand.Text()
	database, namespace := testkit.EmptySchema(t), testkit.Namespace(t)
	dotEnv := "DATABASE_URL=" + database + "\nTEMPORAL_ADDRESS=" + testkit.TemporalAddress(t) + "\nTEMPORAL_NAMESPACE=" + namespace +
		"\nHOOKFLOW_API_TOKEN=me:" + token + "\nHOOKFLOW_HTTP_ADDR=127.0.0.1:1\n"
	require.NoError(t, os.WriteFile(filepath.Join(folder, ".env"), []byte(dotEnv), 0o600))
	p := runIn(t, folder, map[string]string{"HOOKFLOW_HTTP_ADDR": "127.0.0.1:0"}, "dev")
	until(t, "dev is ready", func() bool { return strings.Contains(p.stdout.String(), "Ctrl-C drains") || p.ended() })
	require.Contains(t, p.stdout.String(), "USING THE DATABASE OF DATABASE_URL")
	require.Contains(t, p.stdout.String(), token)
	require.Equal(t, 0, testkit.Query[int](t, database, "SELECT count(*)::int FROM webhook_events"), "migrated")
	require.Zero(t, p.stop(t, syscall.SIGTERM), "%s", p.stderr)
}

// A DATABASE_URL that was exported for something else gets no tables of ours, unless somebody wants them there.
func TestDevDoesNotBorrowADatabase(t *testing.T) {
	t.Parallel()
	database := testkit.EmptySchema(t)
	env := map[string]string{
		"DATABASE_URL": database, "TEMPORAL_ADDRESS": testkit.TemporalAddress(t), "TEMPORAL_NAMESPACE": testkit.Namespace(t),
		"HOOKFLOW_HTTP_ADDR": "127.0.0.1:0", "HOOKFLOW_DATA_DIR": t.TempDir(),
	}
	refused := command(t, env, "dev")
	require.Equal(t, 1, refused.code)
	require.Contains(t, refused.stderr, "HOOKFLOW_DEV_USE_DATABASE_URL=1")
	require.Zero(t, tables(t, database))
	env["HOOKFLOW_DEV_USE_DATABASE_URL"] = "1"
	for _, value := range []string{"1", ""} { // once its tables are there, nobody asks
		env["HOOKFLOW_DEV_USE_DATABASE_URL"] = value
		p := run(t, env, "dev")
		until(t, "dev is ready", func() bool { return strings.Contains(p.stdout.String(), "Ctrl-C drains") || p.ended() })
		require.Contains(t, p.stdout.String(), "USING THE DATABASE OF DATABASE_URL")
		require.Zero(t, p.stop(t, syscall.SIGTERM), "%s", p.stderr)
	}
}

// A key of the environment goes nowhere that a .env of the folder names: dev does not start, and doctor asks nobody.
func TestDotEnvBorrowsNoCredential(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, ".env"), []byte("TEMPORAL_ADDRESS=temporal.example:7233\n"), 0o600))
	env := map[string]string{"TEMPORAL_API_KEY": "the-environments-own"}
	const want = "TEMPORAL_API_KEY of the environment is not sent where TEMPORAL_ADDRESS names in .env"
	p := runIn(t, folder, env, "dev")
	require.Equal(t, 1, p.exitCode(t))
	require.Contains(t, p.stderr.String(), want)
	p = runIn(t, folder, env, "doctor")
	require.Equal(t, 1, p.exitCode(t))
	require.Contains(t, p.stdout.String(), want)
	require.NotContains(t, p.stdout.String(), "error")
}
