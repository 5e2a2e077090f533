package workflows_test

import (
	"errors"
	"testing"

	"hookflow/workflows"

	"github.com/stretchr/testify/require"
	sdk "go.temporal.io/api/sdk/v1"
)

// Who opens a run in the Temporal UI sees which step it is at; that is a query's answer and costs no history.
func TestCurrentDetailsNameTheStep(t *testing.T) {
	t.Parallel()
	var s *story
	details := func() string {
		answer, err := s.QueryWorkflow("__temporal_workflow_metadata")
		require.NoError(t, err)
		var metadata sdk.WorkflowMetadata
		require.NoError(t, answer.Get(&metadata))
		return metadata.CurrentDetails
	}
	s = tell(t, step(policy), func(attempt int) (any, error) {
		if attempt == 1 {
			return nil, errors.New("a handler's own words")
		}
		return nil, nil
	})
	var during string
	s.RegisterDelayedCallback(func() { during = details() }, policy.RetryPolicy.InitialInterval.Std()/2)
	s.ExecuteWorkflow(workflows.Generic, ref("github"), []byte(nil))
	require.NoError(t, s.GetWorkflowError())
	require.Equal(t, "Working on `handle`.", during)
	require.Equal(t, "Over: completed.", details())
}
