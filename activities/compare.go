package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hookflow/event"
	"hookflow/routing"
	"hookflow/store"

	enums "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"golang.org/x/time/rate"
)

const (
	// comparedFor is how long after its end a run is compared with its row.
	comparedFor = time.Hour
	// maxCompared bounds the runs of one comparison, the newest first: twenty calls, and as many statements.
	maxCompared = 20_000
	comparePage = 1000
)

// endOf is what a row says of a run that ended by itself.
var endOf = map[enums.WorkflowExecutionStatus]event.Status{
	enums.WORKFLOW_EXECUTION_STATUS_COMPLETED: event.Completed,
	enums.WORKFLOW_EXECUTION_STATUS_FAILED:    event.Failed,
}

// compare looks at the rows of the runs that ended by themselves within the last hour: what the row, its steps and its
// plan say must be what the run said at its end. Rows that differ were changed by hand, or come from a backup.
func (h *Housekeeping) compare(ctx context.Context, limit *rate.Limiter) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: comparePage,
		Query: fmt.Sprintf("ExecutionStatus IN ('Completed', 'Failed') AND CloseTime >= '%s' AND WorkflowType IN ('%s')",
			h.Now().Add(-comparedFor).UTC().Format(time.RFC3339), strings.Join(h.WorkflowTypes, "', '")),
	}
	for n := 0; n < maxCompared; n += comparePage {
		list, err := h.Temporal.ListWorkflow(ctx, request)
		if err != nil {
			return err
		}
		activity.RecordHeartbeat(ctx)
		if err := h.comparePage(ctx, list.Executions, limit); err != nil {
			return err
		}
		if request.NextPageToken = list.NextPageToken; len(request.NextPageToken) == 0 {
			break
		}
	}
	return nil
}

func (h *Housekeeping) comparePage(ctx context.Context, page []*workflowpb.WorkflowExecutionInfo, limit *rate.Limiter) error {
	ends := make([]store.End, len(page))
	for i, run := range page {
		// The id is made from the key, which the workflow ID is unless the event's id was hashed for it.
		ends[i] = store.End{
			EventID: event.ID(h.Installation.KeyOf(run.Execution.WorkflowId)), RunID: run.Execution.RunId,
			Generation: generationOf(run), Status: endOf[run.Status],
		}
	}
	rows, err := h.Store.Differing(ctx, ends, []string{routing.LedgerRowMissing, routing.ContentErased})
	if err != nil {
		return err
	}
	for _, row := range rows {
		activity.RecordHeartbeat(ctx)
		if err := limit.Wait(ctx); err != nil {
			return err
		}
		newest, err := h.Temporal.DescribeWorkflowExecution(ctx, row.WorkflowID, "")
		if err != nil {
			return err
		}
		info := newest.WorkflowExecutionInfo
		if endOf[info.Status] == "" || generationOf(info) != row.Generation || info.FirstRunId != row.OriginalRunID {
			continue // the row is about to move, or another reader's business
		}
		if err := h.mend(ctx, row, info); err != nil {
			return err
		}
	}
	return nil
}

// mend writes to a row what its run said at its end, which the run's history tells. An event of which the ledger has
// forgotten steps that were completed is run anew instead: it was restored from a backup, and their effects are gone.
func (h *Housekeeping) mend(ctx context.Context, row store.OpenRow, info *workflowpb.WorkflowExecutionInfo) error {
	run := event.Run{RunID: info.Execution.RunId, OriginalRunID: info.FirstRunId, Generation: row.Generation}
	said, err := h.Ended(ctx, info.Execution)
	switch {
	case err != nil:
		h.Log.Warn("a run's end cannot be read from its history", "key", row.Key(), "error", err)
		return nil
	case said == nil && info.Status == enums.WORKFLOW_EXECUTION_STATUS_FAILED:
		return h.fail(ctx, row, run, "the run failed; Temporal has the reason", "")
	case said == nil:
		said = &routing.FinishInput{Status: event.Completed} // no route
	}
	end := endingOf(*said)
	done, err := h.Store.Mend(ctx, row, end, info.CloseTime.AsTime())
	switch {
	case errors.Is(err, store.ErrForgotten):
		return h.regenerate(ctx, row)
	case done && end.Status == event.Failed && h.Failed != nil:
		h.Failed(failure(row.Event, run, *said)) // with the id of the report that the run's own end makes
		fallthrough
	case done:
		h.Log.Warn("a row that differed from its run is as the run ended", "key", row.Key(), "generation", row.Generation,
			"said", row.Status, "says", end.Status)
	}
	return err
}
