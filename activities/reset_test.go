package activities_test

import (
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// A run that was reset to a point behind its Begin opens the row that it ended; other final rows stay final.
func TestReconcileClosed_reopensWhatWasReset(t *testing.T) {
	t.Parallel()
	o := settle(t)
	s, _ := testkit.Store(t, store.Options{})
	row := func(id, runID string) event.Event {
		e := arrive("stripe", id, "stays", jsonType, thing)
		insert(t, s, e)
		if runID == "" {
			runID = o.started(t, e)
		}
		adopted(t, s, e, run(runID, 0))
		taken, err := s.FinishRun(t.Context(), e.ID, run(runID, 0), store.Ending{Status: event.Failed, Error: "no"}, noon)
		require.NoError(t, err)
		require.True(t, taken)
		return e
	}
	first := o.ended(t, arrive("stripe", "reset_one", "stays", jsonType, thing), "terminated")
	resetOne := row("reset_one", first)
	answer, err := o.client.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: o.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: resetOne.WorkflowID(), RunId: first},
		Reason: "again", RequestId: resetOne.ID, WorkflowTaskFinishEventId: 3,
	})
	require.NoError(t, err)
	ending := row("still_running", "") // final, and its own run has not closed yet
	o.started(t, arrive("stripe", "stranger", "stays", jsonType, thing))
	stranger := row("stranger", "another-run")

	k := keeper(s, o.client)
	k.Now = time.Now
	status := func(e event.Event) event.Status {
		d, err := s.Find(t.Context(), e.ID)
		require.NoError(t, err)
		return d.Status
	}
	testkit.Eventually(t, func() bool {
		require.NoError(t, keep(t, k.ReconcileClosed, time.Time{}))
		return status(resetOne) == event.Processing
	}, "the row of the reset run is open again")
	d, err := s.Find(t.Context(), resetOne.ID)
	require.NoError(t, err)
	require.Equal(t, answer.RunId, *d.RunID)
	require.Equal(t, first, *d.OriginalRunID)
	require.Nil(t, d.FinishedAt)
	require.Equal(t, event.Failed, status(ending))
	require.Equal(t, event.Failed, status(stranger))

	taken, err := s.FinishRun(t.Context(), resetOne.ID, event.Run{RunID: answer.RunId, OriginalRunID: first}, store.Ending{Status: event.Completed}, noon.Add(time.Second))
	require.NoError(t, err)
	require.True(t, taken)
	open, err := s.Ended(t.Context(), []string{resetOne.ID, stranger.ID})
	require.NoError(t, err)
	require.Len(t, open, 2)
	again, err := s.FinishRun(t.Context(), resetOne.ID, event.Run{RunID: answer.RunId, OriginalRunID: first}, store.Ending{Status: event.Completed}, noon.Add(time.Minute))
	require.NoError(t, err)
	require.True(t, again)
	for _, row := range open {
		done, err := s.Reopen(t.Context(), row, "late")
		require.NoError(t, err)
		require.Equal(t, row.ID == stranger.ID, done, "a row that has ended anew since it was read stays so")
	}
}
