package workflows_test

import (
	"context"
	"encoding/json"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"
	"hookflow/workflows"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
)

// withReply is a plan of a step that answers, and an inline one after it.
func withReply(plan routing.Plan) routing.Plan {
	after := plan.Steps[0]
	after.Name, after.Inline = "after", true
	plan.Steps[0].Reply = true
	plan.Steps = append(plan.Steps, after)
	return plan
}

// begun starts the run as intake does: an event whose sender waits, with the question.
func (s *stage) begun(ctx context.Context, kind string, e event.Event, args []any) client.WorkflowRun {
	options := client.StartWorkflowOptions{ID: e.WorkflowID(), TaskQueue: workflows.TaskQueue}
	until := noonUTC.AddDate(100, 0, 0)
	switch e.EventID {
	case replyLate:
		until = noonUTC
	case replyAtOnce, replyFailed, replyRetried:
	case replyAskedLater:
		run, err := s.client.ExecuteWorkflow(ctx, options, kind, args...)
		require.NoError(s.t, err)
		testkit.Eventually(s.t, func() bool { return s.tried(e) }, "the handler is tried")
		update := s.question(e, until)
		update.WorkflowID, update.WaitForStage = run.GetID(), client.WorkflowUpdateStageAccepted
		_, err = s.client.UpdateWorkflow(ctx, update)
		require.NoError(s.t, err)
		s.attempt("asking", e)
		return run
	default:
		run, err := s.client.ExecuteWorkflow(ctx, options, kind, args...)
		require.NoError(s.t, err)
		return run
	}
	ref := e.Ref()
	ref.Answering = true
	options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	start := s.client.NewWithStartWorkflowOperation(options, kind, ref)
	_, err := s.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start, UpdateOptions: s.question(e, until),
	})
	require.NoError(s.t, err)
	run, err := start.Get(ctx)
	require.NoError(s.t, err)
	return run
}

// question is what intake asks the run of e.
func (s *stage) question(e event.Event, until time.Time) client.UpdateWorkflowOptions {
	begun, err := s.begin(context.Background(), routing.BeginInput{Event: e})
	require.NoError(s.t, err)
	step, err := json.Marshal(begun.Plan.Steps[0])
	require.NoError(s.t, err)
	e.Packed = event.Pack([]byte(`{"id":"a_question"}`))
	return client.UpdateWorkflowOptions{
		UpdateID: e.ID, UpdateName: workflows.Reply, WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{event.Question{Event: e, Step: step, Until: until}},
	}
}

// asking reports whether somebody waits for the answer of a run that began without a question.
func (s *stage) asking(e event.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts["asking"+e.Key()] > 0
}
