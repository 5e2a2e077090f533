package devstack

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"hookflow/internal/ports"
)

func dial(t *testing.T, s *Temporal) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: s.Address(), Namespace: s.Namespace})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestTemporalInMemory(t *testing.T) {
	t.Parallel()
	s, err := StartTemporal(t.Context(), TemporalOptions{UI: true, Namespace: "elsewhere"})
	require.NoError(t, err)
	c := dial(t, s)
	ns, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "elsewhere"})
	require.NoError(t, err)
	require.Equal(t, 720*time.Hour, ns.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "a", TaskQueue: "nobody"}, "Nothing")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		resp, err := http.Get(s.UIURL())
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 10*time.Second, 50*time.Millisecond)
	require.Equal(t, http.StatusForbidden, startByForm(t, s.httpPort), "a web page starts no workflow")
	require.NoError(t, s.Stop(context.Background()))
	require.NoDirExists(t, s.remove)
}

// startByForm sends what any web page may send without asking the server first, and returns the status.
func startByForm(t *testing.T, port int) int {
	t.Helper()
	target := "http://127.0.0.1:" + strconv.Itoa(port) + "/api/v1/namespaces/elsewhere/workflows/b"
	resp, err := http.Post(target, "text/plain", strings.NewReader(`{"workflowType":{"name":"Nothing"},"taskQueue":{"name":"nobody"}}`))
	require.NoError(t, err)
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestTemporalKeepsItsData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() *Temporal {
		s, err := StartTemporal(t.Context(), TemporalOptions{Dir: dir, DieWithParent: true})
		require.NoError(t, err)
		return s
	}
	s := start()
	_, err := dial(t, s).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "nobody"}, "Nothing")
	require.NoError(t, err)
	s.Kill()

	s = start()
	run, err := dial(t, s).DescribeWorkflowExecution(t.Context(), "kept", "")
	require.NoError(t, err)
	require.Equal(t, "Nothing", run.GetWorkflowExecutionInfo().GetType().GetName())
	require.NoError(t, s.Stop(context.Background()))
}

// The CLI takes any file for a complete database, so half of one, left by a kill during the first start, must go.
func TestTemporalStartsOverHalfADatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := temporalFile(dir)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte("half"), 0o600))
	s, err := StartTemporal(t.Context(), TemporalOptions{Dir: dir, DieWithParent: true})
	require.NoError(t, err)
	t.Cleanup(s.Kill)
	_, err = StartTemporal(t.Context(), TemporalOptions{Dir: dir, DieWithParent: true})
	require.ErrorContains(t, err, "already runs")
}

func TestTemporalPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	taken := l.Addr().(*net.TCPAddr).Port
	_, err = StartTemporal(t.Context(), TemporalOptions{UI: true, UIPort: taken, UIPortVariable: "HOOKFLOW_TEMPORAL_UI_PORT"})
	var port *ports.TakenError
	require.ErrorAs(t, err, &port)
	require.Equal(t, taken, port.Port)
	require.Equal(t, os.Getpid(), port.PID)
	require.Contains(t, port.Command, filepath.Base(os.Args[0]))
	require.Contains(t, err.Error(), "HOOKFLOW_TEMPORAL_UI_PORT")
	_, err = StartPostgres(t.Context(), PostgresOptions{Port: taken, Fast: true, PortVariable: "HOOKFLOW_POSTGRES_PORT"})
	require.ErrorAs(t, err, &port)
	require.Equal(t, "HOOKFLOW_POSTGRES_PORT", port.Variable)
}
