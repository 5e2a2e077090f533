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
	"hookflow/telemetry"

	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
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
	Namespace     string             // that of Temporal, which the client keeps to itself
	Installation  event.Installation // whose queue it is; the ledger is the store's
	WorkflowTypes []string           // of events
	Retention     time.Duration      // of content; 0 keeps it for ever
	Now           func() time.Time
	Log           *slog.Logger
	// Failed hears of each event that failed for good here; nil to tell nobody.
	Failed func(telemetry.Failure)
	// Ended reads from a closed run's history what the run told Finish, nil when it had nothing to tell; without it rows
	// and their ended runs are not compared.
	Ended func(context.Context, *commonpb.WorkflowExecution) (*routing.FinishInput, error)
}

// ReconcileClosed reads the runs that were terminated, cancelled or timed out since the watermark (the zero time: within
// the last hour) and ends their rows as failed; it reads the runs that were started since, and opens the rows that a reset
// run took up again; it sets steps going that an interrupted retry left paused; and it compares the runs that ended by
// themselves with their rows. It returns the next watermark.
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
			activity.RecordHeartbeat(ctx)
			open, err := h.openRowOf(ctx, run.Execution)
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
			break
		}
	}
	if err := h.reopen(ctx, since.Add(-visibilityLag), limit); err != nil {
		return since, err
	}
	if err := h.unpause(ctx, limit); err != nil {
		return since, err
	}
	if h.Ended == nil {
		return watermark, nil
	}
	return watermark, h.compare(ctx, limit)
}

// ReconcileOpen looks at each row that was dispatched over two minutes ago and is not final: those whose run Temporal does
// not list as running are looked up. An attempt goes on where the one before it got to.
func (h *Housekeeping) ReconcileOpen(ctx context.Context) error {
	limit := rate.NewLimiter(describesPerSecond, describesPerSecond)
	before := h.Now().Add(-staleAfter)
	var at store.Place
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &at) // without readable details the walk begins anew
	}
	var running map[string]bool
	for {
		rows, err := h.Store.StaleOpen(ctx, before, at, openPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		if running == nil {
			if running, err = h.running(ctx); err != nil {
				return err
			}
		}
		for _, open := range rows {
			if !running[open.WorkflowID] {
				if err := h.reconcile(ctx, open, limit); err != nil {
					return err
				}
			}
			at = store.Place{ReceivedAt: open.ReceivedAt, ID: open.ID}
			activity.RecordHeartbeat(ctx, at)
		}
		if len(rows) < openPage {
			return nil
		}
	}
}

// maxRunning bounds the workflow IDs held in memory; rows of runs beyond it are looked up one by one.
const maxRunning = 200_000

// running lists the workflow IDs of the runs that Temporal counts as running: a thousand per call, where looking them up
// would take a call each. A run that closed a moment ago may still be among them, and is seen a minute later.
func (h *Housekeeping) running(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	err := h.runningPages(ctx, "", func(page []*workflowpb.WorkflowExecutionInfo) error {
		for _, run := range page {
			ids[run.Execution.WorkflowId] = true
		}
		return nil
	})
	return ids, err
}

// runningPages hands over running runs, maxRunning at most, that meet a further condition.
func (h *Housekeeping) runningPages(ctx context.Context, and string, read func([]*workflowpb.WorkflowExecutionInfo) error) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: 1000,
		Query:    fmt.Sprintf("ExecutionStatus = 'Running' AND WorkflowType IN ('%s')", strings.Join(h.WorkflowTypes, "', '")) + and,
	}
	for n := 0; n < maxRunning; {
		list, err := h.Temporal.ListWorkflow(ctx, request)
		if err != nil {
			return err
		}
		activity.RecordHeartbeat(ctx)
		if err := read(list.Executions); err != nil {
			return err
		}
		n += len(list.Executions)
		if request.NextPageToken = list.NextPageToken; len(request.NextPageToken) == 0 {
			break
		}
	}
	return nil
}
