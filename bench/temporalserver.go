package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// serverVersion is the server inside the dev server's CLI 1.5.1, so that the two differ in their store only.
const serverVersion = "v1.29.1"

// serverModules are the server and the tool that lays out its schema.
var serverModules = []string{"go.temporal.io/server/cmd/server@" + serverVersion, "go.temporal.io/server/cmd/tools/sql@" + serverVersion}

//go:embed temporal.yaml
var serverConfig string

// serverLimits are those that internal/devstack lifts for the dev server.
const serverLimits = `
matching.enableFairness: [{value: true}]
frontend.rps: [{value: 100000}]
frontend.namespaceRPS: [{value: 100000}]
frontend.namespaceRPS.visibility: [{value: 10000}]
frontend.namespaceCount: [{value: 10000}]
history.rps: [{value: 100000}]
matching.rps: [{value: 100000}]
matching.persistenceMaxQPS: [{value: 45000}]
`

// temporalServer is a Temporal server of its own, on the bench's Postgres.
type temporalServer struct {
	address string
	cmd     *exec.Cmd
	said    *tail
	ended   chan struct{}
}

// startTemporalOnPostgres builds the server where the user's cache does not hold it, lays out its two databases in the
// bench's Postgres, and starts it.
func (b *bench) startTemporalOnPostgres(ctx context.Context) (*temporalServer, error) {
	programs, err := b.buildTemporal(ctx)
	if err != nil {
		return nil, err
	}
	home := filepath.Join(b.dir, "temporal-on-postgres")
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	for database, schema := range map[string]string{"temporal": "temporal", "temporal_visibility": "visibility"} {
		if _, err := b.ledger.Exec(ctx, "CREATE DATABASE "+database+" OWNER hookflow"); err != nil {
			return nil, err
		}
		if err := b.layOut(ctx, filepath.Join(programs, "sql"), database, schema); err != nil {
			return nil, err
		}
	}
	address, err := b.writeServerConfig(home)
	if err != nil {
		return nil, err
	}
	s := &temporalServer{address: address, said: &tail{}, ended: make(chan struct{})}
	s.cmd = exec.Command(filepath.Join(programs, "server"), "--root", home, "--config", ".", "--env", "bench", "start")
	s.cmd.Dir, s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = home, []string{"HOME=" + home}, s.said, s.said
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	if err := s.awaitUp(ctx); err != nil {
		s.kill()
		return nil, fmt.Errorf("%w: %s", err, s.said)
	}
	return s, nil
}

func (s *temporalServer) kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// buildTemporal returns the folder that holds the programs.
func (b *bench) buildTemporal(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	folder := filepath.Join(cache, "hookflow", "temporal-server-"+serverVersion[1:])
	if isFile(filepath.Join(folder, "server")) && isFile(filepath.Join(folder, "sql")) {
		return folder, nil
	}
	b.say("Building a Temporal server that persists to Postgres, once. This takes some minutes.")
	cmd := exec.CommandContext(ctx, "go", append([]string{"install", "-buildvcs=false"}, serverModules...)...)
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), "GOBIN="+folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the Temporal server: %w: %s", err, out)
	}
	return folder, nil
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// layOut makes the tables of one of the server's databases from the schema inside its tool.
func (b *bench) layOut(ctx context.Context, tool, database, schema string) error {
	u, err := pgx.ParseConfig(b.postgres.URL())
	if err != nil {
		return err
	}
	for _, step := range [][]string{
		{"setup-schema", "-v", "0.0"},
		{"update-schema", "--schema-name", "postgresql/v12/" + schema},
	} {
		args := append([]string{"--plugin", "postgres12", "--ep", u.Host, "-p", fmt.Sprint(u.Port), "-u", u.User, "--pw", u.Password, "--db", database}, step...)
		if out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("lay out the database %s: %w: %s", database, err, out)
		}
	}
	return nil
}

// writeServerConfig writes the server's files and returns the address of its frontend.
func (b *bench) writeServerConfig(home string) (string, error) {
	ports, err := freePorts(10)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	values := map[string]any{"Postgres": b.postgres.Port, "Ports": ports, "Limits": filepath.Join(home, "limits.yaml")}
	if err := template.Must(template.New("").Parse(serverConfig)).Execute(&text, values); err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0]), errors.Join(
		os.WriteFile(filepath.Join(home, "bench.yaml"), []byte(text.String()), 0o600),
		os.WriteFile(filepath.Join(home, "limits.yaml"), []byte(serverLimits), 0o600))
}

// awaitUp waits until the server takes workflows.
func (s *temporalServer) awaitUp(ctx context.Context) error {
	c, err := client.NewLazyClient(client.Options{HostPort: s.address, Logger: quiet{}})
	if err != nil {
		return err
	}
	defer c.Close()
	return until(ctx, 90*time.Second, "the Temporal server on Postgres is not up", func() (bool, error) {
		select {
		case <-s.ended:
			return false, errors.New("it ended by itself")
		default:
		}
		asked, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_, err := c.WorkflowService().ListNamespaces(asked, &workflowservice.ListNamespacesRequest{PageSize: 1})
		return err == nil, nil
	})
}

// temporalVersion asks a server for its version.
func temporalVersion(ctx context.Context, address string) string {
	c, err := client.NewLazyClient(client.Options{HostPort: address, Logger: quiet{}})
	if err != nil {
		return "unknown"
	}
	defer c.Close()
	info, err := c.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		return "unknown"
	}
	return "server " + info.GetServerVersion()
}

// freePorts returns n ports of this machine that nobody listens on. They are below 32,768: Temporal's tables on Postgres
// keep the port of each of its services in a smallint.
func freePorts(n int) ([]int, error) {
	const lowest, highest = 20_000, 32_000
	var ports []int
	for port := lowest + rand.IntN(highest-lowest-1000); len(ports) < n; port++ {
		if port > highest {
			return nil, errors.New("no free ports were found")
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		_ = l.Close()
		ports = append(ports, port)
	}
	return ports, nil
}
