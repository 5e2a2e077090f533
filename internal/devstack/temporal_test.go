package devstack

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
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
	require.NoError(t, s.Stop(context.Background()))
	require.NoDirExists(t, s.remove)
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
