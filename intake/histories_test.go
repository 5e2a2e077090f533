package intake_test

import (
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

func TestDeleteHistories(t *testing.T) {
	t.Parallel()
	b := start(t)
	run := func(id string) string {
		started, err := b.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "nobody's"}, "StripeWebhook", "a body")
		require.NoError(t, err)
		return started.GetRunID()
	}
	end := func(id string) { require.NoError(t, b.temporal.TerminateWorkflow(t.Context(), id, "", "")) }
	const id = "stripe:evt_1"
	none, err := b.DeleteHistories(t.Context(), id, nil)
	require.NoError(t, err)
	require.Zero(t, none)

	gone := []string{run(id)}
	end(id)
	open := run(id)
	// Visibility may be a moment behind, for which the erasure is repeated.
	testkit.Eventually(t, func() bool {
		deleted, err := b.DeleteHistories(t.Context(), id, nil)
		require.ErrorIs(t, err, event.ErrRunOpen)
		return deleted == 1
	}, "the closed run is not deleted")
	_, err = b.temporal.DescribeWorkflowExecution(t.Context(), id, open)
	require.NoError(t, err, "the open one is not touched")

	// Visibility cannot be asked for this one.
	const strange = `stripe:it's "one" \ id`
	gone = append(gone, run(strange))
	end(strange)
	gone = append(gone, run(strange))
	end(strange)
	deleted, err := b.DeleteHistories(t.Context(), strange, gone[1:2])
	require.NoError(t, err)
	require.Equal(t, 2, deleted, "the newest, and one that the ledger knows")

	// The server deletes when its queues have come to the end of the run: every 30 s (1.29).
	for i, runID := range gone {
		workflowID := []string{id, strange, strange}[i]
		testkit.Eventually(t, func() bool {
			_, err := b.temporal.DescribeWorkflowExecution(t.Context(), workflowID, runID)
			return err != nil
		}, "run %d is not deleted", i)
	}
	b.temporalProxy.Refuse()
	_, err = b.DeleteHistories(t.Context(), id, nil)
	require.ErrorIs(t, err, event.ErrHistoriesLeft)
}
