package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hookflow/event"

	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
)

// historiesTime bounds the asking: the client repeats for a minute what a Temporal that is away does not answer.
const historiesTime = 4 * time.Second

// DeleteHistories deletes the closed runs of a workflow ID from Temporal, with what their histories hold, and returns how
// many: those that visibility lists, the newest, and those that the caller knows. A run that is still open stays: event.ErrRunOpen. What cannot be deleted at the moment is
// event.ErrHistoriesLeft. It is safe to repeat.
func (in *Intake) DeleteHistories(ctx context.Context, workflowID string, known []string) (deleted int, err error) {
	ctx, cancel := context.WithTimeout(ctx, historiesTime)
	defer cancel()
	runs, err := in.runsOf(ctx, workflowID, known)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", event.ErrHistoriesLeft, err)
	}
	open := false
	for _, runID := range runs {
		status, err := in.statusOf(ctx, workflowID, runID)
		switch {
		case gone(err):
			continue
		case err != nil:
			return deleted, fmt.Errorf("%w: %w", event.ErrHistoriesLeft, err)
		case status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
			open = true
			continue
		}
		_, err = in.Temporal.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
			Namespace: in.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: runID},
		})
		switch {
		case err == nil:
			deleted++
		case !gone(err):
			return deleted, fmt.Errorf("%w: %w", event.ErrHistoriesLeft, err)
		}
	}
	if open {
		return deleted, event.ErrRunOpen
	}
	return deleted, nil
}

// runsOf lists the runs of a workflow ID. Visibility alone may be behind.
func (in *Intake) runsOf(ctx context.Context, workflowID string, known []string) ([]string, error) {
	var runs []string
	add := func(runID string) {
		if !slices.Contains(runs, runID) {
			runs = append(runs, runID)
		}
	}
	for _, runID := range known {
		add(runID)
	}
	newest, err := in.Temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	switch {
	case err == nil:
		add(newest.WorkflowExecutionInfo.Execution.RunId)
	case !gone(err):
		return nil, err
	}
	if strings.ContainsAny(workflowID, `'"\`) {
		return runs, nil // visibility's queries have no way to say these (server 1.29: it compares what is escaped as it stands)
	}
	request := &workflowservice.ListWorkflowExecutionsRequest{Namespace: in.Namespace, Query: "WorkflowId = '" + workflowID + "'"}
	for {
		list, err := in.Temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, run := range list.Executions {
			add(run.Execution.RunId)
		}
		if request.NextPageToken = list.NextPageToken; len(request.NextPageToken) == 0 {
			return runs, nil
		}
	}
}

func (in *Intake) statusOf(ctx context.Context, workflowID, runID string) (enums.WorkflowExecutionStatus, error) {
	described, err := in.Temporal.DescribeWorkflowExecution(ctx, workflowID, runID)
	if err != nil {
		return 0, err
	}
	return described.WorkflowExecutionInfo.Status, nil
}

func gone(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}
