package worker

import (
	"sync/atomic"
	"testing"
	"time"

	"hookflow/activities"
	"hookflow/internal/testkit"
	"hookflow/store"
	"hookflow/telemetry"
	"hookflow/workflows"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"
)

// A workflow that panics is blocked and does not fail; it is reported once, however often its task is tried, and goes on
// with a worker that is mended.
func TestPanicInAWorkflowBlocksItUntilTheFix(t *testing.T) {
	t.Parallel()
	c := testkit.Client(t, testkit.Namespace(t))
	var broken atomic.Bool
	var reported, panicked atomic.Int32
	broken.Store(true)
	start := func() (stop func()) {
		w := newWorker(Config{
			Temporal: c, Store: &store.Store{}, Mirror: &activities.Mirror{}, Now: time.Now,
			Panicked: func(telemetry.Failure, any) { reported.Add(1) },
		}, func(error) {})
		w.RegisterWorkflowWithOptions(func(workflow.Context) (string, error) {
			if broken.Load() {
				panicked.Add(1)
				panic("index out of range")
			}
			return "done", nil
		}, workflow.RegisterOptions{Name: "Breaks"})
		require.NoError(t, w.Start())
		return w.Stop
	}
	stop := start()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: workflows.TaskQueue}, "Breaks")
	require.NoError(t, err)
	testkit.Eventually(t, func() bool { return panicked.Load() >= 2 }, "the task is not tried again")
	stop()
	require.EqualValues(t, 1, reported.Load())
	got, err := c.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
	require.NoError(t, err)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, got.WorkflowExecutionInfo.Status)

	broken.Store(false)
	defer start()()
	var said string
	require.NoError(t, run.Get(t.Context(), &said))
	require.Equal(t, "done", said)
}
