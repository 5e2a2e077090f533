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
	isGone := func(id, runID string) func() bool {
		return func() bool {
			_, err := b.temporal.DescribeWorkflowExecution(t.Context(), id, runID)
			return err != nil
		}
	}
	const id = "stripe:evt_1"
	none, err := b.DeleteHistories(t.Context(), id, nil)
	require.NoError(t, err)
	require.Zero(t, none)

	first := run(id)
	end(id)
	second := run(id)
	// Visibility may be a moment behind, for which the erasure is repeated.
	testkit.Eventually(t, func() bool {
		_, err := b.DeleteHistories(t.Context(), id, nil)
		require.ErrorIs(t, err, event.ErrRunOpen)
		return isGone(id, first)()
	}, "the closed run is not deleted")
	require.False(t, isGone(id, second)(), "the open one is not touched")
	end(id)
	deleted, err := b.DeleteHistories(t.Context(), id, nil)
	require.NoError(t, err)
	require.Equal(t, 1, deleted)
	testkit.Eventually(t, isGone(id, second), "the last run is not deleted")

	// Visibility cannot be asked for this one.
	const strange = `stripe:it's "one" \ id`
	first = run(strange)
	end(strange)
	second = run(strange)
	end(strange)
	deleted, err = b.DeleteHistories(t.Context(), strange, []string{first})
	require.NoError(t, err)
	require.Equal(t, 2, deleted)
	testkit.Eventually(t, func() bool { return isGone(strange, first)() && isGone(strange, second)() }, "a run that the ledger knows is not deleted")

	b.temporalProxy.Refuse()
	_, err = b.DeleteHistories(t.Context(), id, nil)
	require.ErrorIs(t, err, event.ErrHistoriesLeft)
}
