package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"hookflow/event"
	"hookflow/routing"
	"hookflow/store"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"golang.org/x/time/rate"
)

const (
	// staleAfter is how old a row that is not final must be before its run is looked up.
	staleAfter = 2 * time.Minute
	// describesPerSecond bounds the load of reconcile on Temporal.
	describesPerSecond = 50
	// visibilityLag is how far visibility may be behind: each reading goes back that much before the watermark.
	visibilityLag = 2 * time.Minute
	// firstReading is how far back the first reading goes.
	firstReading = time.Hour
	openPage     = 500
)

// Housekeeping puts the ledger right where runs could not. It is registered as housekeeping.<Method>.
type Housekeeping struct {
	Store         *store.Store
	Temporal      client.Client
	WorkflowTypes []string      // of events
	Retention     time.Duration // of content; 0 keeps it for ever
	Now           func() time.Time
	Log           *slog.Logger
}

// ReconcileClosed reads the runs that were terminated, cancelled or timed out since the watermark (the zero time: within
// the last hour), ends their rows as failed, and returns the next watermark.
func (h *Housekeeping) ReconcileClosed(ctx context.Context, since time.Time) (time.Time, error) {
	watermark := h.Now()
	if since.IsZero() {
		since = watermark.Add(-firstReading)
	}
	query := fmt.Sprintf("ExecutionStatus IN ('Terminated', 'Canceled', 'TimedOut') AND CloseTime >= '%s' AND WorkflowType IN ('%s')",
		since.Add(-visibilityLag).UTC().Format(time.RFC3339), strings.Join(h.WorkflowTypes, "', '"))
	limit := rate.NewLimiter(describesPerSecond, describesPerSecond)
	var page []byte
	for {
		list, err := h.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, NextPageToken: page})
		if err != nil {
			return since, err
		}
		for _, run := range list.Executions {
			// The id of a row is made from its key, which the workflow ID is but for hashed ids; the rows of those are found
			// by ReconcileOpen.
			open, err := h.Store.FindOpen(ctx, event.ID(run.Execution.WorkflowId))
			if errors.Is(err, event.ErrNotFound) {
				continue
			}
			if err == nil {
				err = h.reconcile(ctx, open, limit)
			}
			if err != nil {
				return since, err
			}
		}
		if page = list.NextPageToken; len(page) == 0 {
			return watermark, nil
		}
	}
}

// ReconcileOpen looks up the run of each row that was dispatched over two minutes ago and is not final.
func (h *Housekeeping) ReconcileOpen(ctx context.Context) error {
	limit := rate.NewLimiter(describesPerSecond, describesPerSecond)
	before, place := h.Now().Add(-staleAfter), store.OpenRow{}
	for {
		rows, err := h.Store.StaleOpen(ctx, before, place.ReceivedAt, place.ID, openPage)
		if err != nil {
			return err
		}
		for _, open := range rows {
			if err := h.reconcile(ctx, open, limit); err != nil {
				return err
			}
		}
		if len(rows) < openPage {
			return nil
		}
		place = rows[len(rows)-1]
	}
}

// reconcile compares a row with the newest run of its workflow ID. Every write is for the generation and status that
// were read: what moves meanwhile is left alone.
func (h *Housekeeping) reconcile(ctx context.Context, open store.OpenRow, limit *rate.Limiter) error {
	if err := limit.Wait(ctx); err != nil {
		return err
	}
	activity.RecordHeartbeat(ctx)
	newest, err := h.Temporal.DescribeWorkflowExecution(ctx, open.WorkflowID, "")
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) {
		return h.redispatch(ctx, open, "Temporal knows no run")
	}
	if err != nil {
		return err
	}
	info := newest.WorkflowExecutionInfo
	runID, status := info.Execution.RunId, info.Status
	switch {
	case status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return nil
	case open.Generation > 0 && (open.OriginalRunID != info.FirstRunId || open.Status == event.Pending):
		// The newest run is an older generation's: the start of this one was lost. A reset run is its first run's.
		return h.redispatch(ctx, open, "only runs of older generations are known")
	case status == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return h.settle(ctx, open, runID, event.Completed, "", "")
	case status == enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return h.settle(ctx, open, runID, event.Failed, "the run was cancelled", routing.Cancelled)
	case status == enums.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return h.settle(ctx, open, runID, event.Failed, "the run was terminated", "terminated")
	case status == enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return h.settle(ctx, open, runID, event.Failed, "the run timed out", "timed_out")
	}
	return h.settle(ctx, open, runID, event.Failed, "the run failed; Temporal has the reason", "")
}

func (h *Housekeeping) redispatch(ctx context.Context, open store.OpenRow, why string) error {
	done, err := h.Store.Redispatch(ctx, open)
	if done {
		h.Log.Warn("an event is dispatched again", "key", open.Key(), "generation", open.Generation, "why", why)
	}
	return err
}

func (h *Housekeeping) settle(ctx context.Context, open store.OpenRow, runID string, to event.Status, message, errorType string) error {
	done, err := h.Store.Settle(ctx, open, runID, to, message, errorType, h.Now())
	if done {
		h.Log.Warn("an event is ended as its run was", "key", open.Key(), "generation", open.Generation, "status", to, "why", message)
	}
	return err
}
