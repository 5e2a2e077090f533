package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"hookflow/event"
	"hookflow/routing"
	"hookflow/store"
	"hookflow/telemetry"

	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"golang.org/x/time/rate"
)

// openRowOf returns the row of a closed run when it is not final, event.ErrNotFound otherwise. A run that closed before
// it wrote the rows of an event which only Temporal had gets them written here.
func (h *Housekeeping) openRowOf(ctx context.Context, run *commonpb.WorkflowExecution) (store.OpenRow, error) {
	// The id is made from the key, which the workflow ID is unless the event's id was hashed for it.
	id := event.ID(h.Installation.KeyOf(run.WorkflowId))
	if known, err := h.Store.Known(ctx, id); err != nil || known {
		if err != nil {
			return store.OpenRow{}, err
		}
		return h.Store.FindOpen(ctx, id)
	}
	e, err := h.inputOf(ctx, run)
	if err != nil {
		return store.OpenRow{}, err
	}
	if h.foreign(e) {
		return store.OpenRow{}, event.ErrNotFound
	}
	if e.Body != nil {
		fresh, err := h.Store.InsertEvents(ctx, []store.Arrival{{Event: &e}})
		if err != nil {
			return store.OpenRow{}, err
		}
		if fresh[e.ID] {
			h.Log.WarnContext(ctx, "an event whose run closed before it began is written to the ledger", e.Attrs())
		}
	}
	return h.Store.FindOpen(ctx, e.ID)
}

// foreign reports whether an event is another installation's, by the input of its run.
func (h *Housekeeping) foreign(e event.Event) bool {
	return e.Installation.Queue != h.Installation.Queue || e.Installation.Foreign(event.Installation{Ledger: h.Store.Ledger()})
}

// foreignRun is the error type of an event whose workflow ID belongs to a run that is not its own.
const foreignRun = "ForeignRun"

// takenByAnother reports whether the run of a row's workflow ID has another event in its input, or another installation's.
func (h *Housekeeping) takenByAnother(ctx context.Context, open store.OpenRow, run *commonpb.WorkflowExecution) (bool, error) {
	e, err := h.inputOf(ctx, run)
	if errors.Is(err, event.ErrNotFound) {
		return false, nil
	}
	return err == nil && (e.ID != open.ID || h.foreign(e)), err
}

// inputOf reads the event, with its body where that is inside, from the first event of a run's history.
func (h *Housekeeping) inputOf(ctx context.Context, run *commonpb.WorkflowExecution) (event.Event, error) {
	var e event.Event
	var packed []byte
	history := h.Temporal.GetWorkflowHistory(ctx, run.WorkflowId, run.RunId, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !history.HasNext() {
		return e, event.ErrNotFound
	}
	first, err := history.Next()
	var gone *serviceerror.NotFound
	switch {
	case errors.As(err, &gone):
		return e, event.ErrNotFound
	case err != nil:
		return e, err
	}
	payloads := first.GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()
	if len(payloads) == 0 || converter.GetDefaultDataConverter().FromPayload(payloads[0], &e) != nil {
		return e, event.ErrNotFound // not a run of ours
	}
	if len(payloads) > 1 && converter.GetDefaultDataConverter().FromPayload(payloads[1], &packed) == nil && packed != nil {
		if body, err := event.Unpack(packed); err == nil {
			e.Body = body
		}
	}
	return e, nil
}

// reconcile compares a row with the newest run of its workflow ID. Every write is for the generation and status that
// were read: what moves meanwhile is left alone.
func (h *Housekeeping) reconcile(ctx context.Context, open store.OpenRow, limit *rate.Limiter) error {
	if err := limit.Wait(ctx); err != nil {
		return err
	}
	newest, err := h.Temporal.DescribeWorkflowExecution(ctx, open.WorkflowID, "")
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) {
		return h.redispatch(ctx, open, "Temporal knows no run")
	}
	if err != nil {
		return err
	}
	info := newest.WorkflowExecutionInfo
	run := event.Run{RunID: info.Execution.RunId, OriginalRunID: info.FirstRunId, Generation: generationOf(info)}
	if info.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING && run.OriginalRunID != open.OriginalRunID {
		taken, err := h.takenByAnother(ctx, open, info.Execution)
		if err != nil {
			return err
		}
		if taken {
			return h.fail(ctx, open, event.Run{Generation: open.Generation}, "its workflow ID is that of another event's run, or of another "+
				"installation in this namespace; give one of the two a HOOKFLOW_TASK_QUEUE or a namespace of its own, then replay it", foreignRun)
		}
	}
	switch {
	case info.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return nil
	case run.Generation < open.Generation && (open.Status == event.Pending || run.OriginalRunID != open.OriginalRunID):
		return h.redispatch(ctx, open, "only runs of older generations are known")
	case endOf[info.Status] != "" && h.Ended != nil && run.Generation == open.Generation && run.OriginalRunID == open.OriginalRunID:
		return h.mend(ctx, open, info)
	case info.Status == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return h.regenerate(ctx, open)
	case info.Status == enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return h.fail(ctx, open, run, "the run was cancelled", routing.Cancelled)
	case info.Status == enums.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return h.fail(ctx, open, run, "the run was terminated", "terminated")
	case info.Status == enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return h.fail(ctx, open, run, "the run timed out", "timed_out")
	}
	return h.fail(ctx, open, run, "the run failed; Temporal has the reason", "")
}

// reopen opens the final rows of runs that were started since and run: an operator reset a run to a point behind its
// Begin, which would have opened the row, and what the row says is no longer so. Events whose id is hashed in the workflow
// ID are left to their Finish.
func (h *Housekeeping) reopen(ctx context.Context, since time.Time, limit *rate.Limiter) error {
	started := fmt.Sprintf(" AND StartTime >= '%s'", since.UTC().Format(time.RFC3339))
	return h.runningPages(ctx, started, func(page []*workflowpb.WorkflowExecutionInfo) error {
		runs := map[string]string{} // event → its running run
		for _, run := range page {
			runs[event.ID(h.Installation.KeyOf(run.Execution.WorkflowId))] = run.Execution.RunId
		}
		ended, err := h.Store.Ended(ctx, slices.Collect(maps.Keys(runs)))
		for _, row := range ended {
			if err == nil && row.RunID != runs[row.ID] { // else it ended a moment ago, and visibility is behind
				err = h.reopenRow(ctx, row, limit)
			}
		}
		return err
	})
}

func (h *Housekeeping) reopenRow(ctx context.Context, row store.EndedRow, limit *rate.Limiter) error {
	if err := limit.Wait(ctx); err != nil {
		return err
	}
	newest, err := h.Temporal.DescribeWorkflowExecution(ctx, row.WorkflowID, "")
	if err != nil {
		return err
	}
	info := newest.WorkflowExecutionInfo
	reset := info.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING && info.FirstRunId == row.OriginalRunID && info.Execution.RunId != row.RunID
	if !reset || generationOf(info) != row.Generation {
		return nil
	}
	done, err := h.Store.Reopen(ctx, row, info.Execution.RunId)
	if done {
		h.Log.WarnContext(ctx, "an event is open again: its run was reset", row.Attrs(), "generation", row.Generation)
	}
	return err
}

// generationOf reads the generation of a run from its memo; without one it is 0.
func generationOf(info *workflowpb.WorkflowExecutionInfo) int {
	var generation int
	if payload := info.GetMemo().GetFields()[event.GenerationMemo]; payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &generation) // an unreadable one is 0
	}
	return generation
}

func (h *Housekeeping) redispatch(ctx context.Context, open store.OpenRow, why string) error {
	done, err := h.Store.Redispatch(ctx, open)
	if done {
		h.Log.WarnContext(ctx, "an event is dispatched again", open.Attrs(), "generation", open.Generation, "why", why)
	}
	return err
}

// regenerate runs an event anew whose run completed, which it does only after the row was final: the ledger is older than
// the run (restored from a backup), and the effects in it are gone with the row's end. Steps that the ledger still knows
// as completed are not repeated.
func (h *Housekeeping) regenerate(ctx context.Context, open store.OpenRow) error {
	done, err := h.Store.Regenerate(ctx, open, h.Now())
	if done {
		h.Log.WarnContext(ctx, "an event is run anew: its run completed, and the ledger has forgotten it", open.Attrs(), "generation", open.Generation+1)
	}
	return err
}

func (h *Housekeeping) fail(ctx context.Context, open store.OpenRow, run event.Run, message, errorType string) error {
	done, err := h.Store.Settle(ctx, open, run, event.Failed, message, errorType, h.Now())
	if !done {
		return err
	}
	h.Log.WarnContext(ctx, "an event is ended as its run was", open.Attrs(), "generation", open.Generation, "why", message)
	if h.Failed != nil {
		h.Failed(telemetry.Failure{
			EventID:  telemetry.FailureID(run.OriginalRunID, open.Generation),
			Provider: open.Provider, Type: open.Type, WorkflowID: open.WorkflowID, ErrorType: errorType, Message: message,
		})
	}
	return nil
}
