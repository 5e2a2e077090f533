package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hookflow/event"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// startDeadline bounds one start. The SDK gives a single call half of it, so a Temporal that accepts and never answers
// costs 1.5 s.
const startDeadline = 3 * time.Second

// errRefused wraps what Temporal says about a start that it will never accept.
var errRefused = errors.New("refused")

// errAlreadyStarted: a run of this workflow ID exists.
var errAlreadyStarted = errors.New("already started")

// start starts the run of e's generation, with the packed body where the ledger does not hold it. It returns nil,
// errAlreadyStarted, an error wrapping errRefused, or an error that says nothing about whether the run was started.
func (in *Intake) start(ctx context.Context, e *event.Event, packed []byte, eager bool) error {
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	options := in.options(e)
	options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	options.EnableEagerStart = eager && in.EagerStart != nil && in.EagerStart()
	if e.Generation > 0 {
		options.WorkflowIDReusePolicy = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
		// So that reconcile can tell which generation a run is of that closed before it began.
		options.Memo = map[string]any{event.GenerationMemo: e.Generation}
	}
	args := []any{e.Ref()}
	if packed != nil {
		args = []any{e, packed}
	}
	err := in.execute(ctx, options, in.WorkflowType(e.Scheme), args)
	var invalid *serviceerror.InvalidArgument
	switch {
	case err == nil:
		return nil
	case temporal.IsWorkflowExecutionAlreadyStartedError(err):
		return errAlreadyStarted
	case errors.As(err, &invalid):
		return fmt.Errorf("%w: %v", errRefused, err)
	}
	return err
}

// options are those of every run of e.
func (in *Intake) options(e *event.Event) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:        e.WorkflowID(),
		TaskQueue: in.TaskQueue,
		// A provider's retry never runs anything again; a replay, which has a generation of its own, does.
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		StaticSummary:         e.Type,
		StaticDetails:         in.details(e.ID),
		Priority:              temporal.Priority{FairnessKey: fairnessKey(e.Provider)},
		TypedSearchAttributes: in.attribute.of(e),
	}
}

// execute starts a run, once more without the search attribute where the namespace lacks it.
func (in *Intake) execute(ctx context.Context, options client.StartWorkflowOptions, workflowType string, args []any) error {
	_, err := in.Temporal.ExecuteWorkflow(ctx, options, workflowType, args...)
	first, about := in.attribute.refused(err)
	if !about {
		return err
	}
	if first {
		in.Log.Warn("runs are started without the search attribute, which the namespace lacks; hookflow migrate up creates it",
			"attribute", event.TypeAttribute, "for", attributePause, "error", err)
	}
	options.TypedSearchAttributes = temporal.SearchAttributes{}
	_, err = in.Temporal.ExecuteWorkflow(ctx, options, workflowType, args...)
	return err
}

// details links the run to its event, for who looks at it in the Temporal UI.
func (in *Intake) details(id string) string {
	if in.EventsURL == "" {
		return ""
	}
	return "[" + id + "](" + in.EventsURL + "/" + id + ")"
}

// fairnessKey is the provider, cut to Temporal's 64 bytes.
func fairnessKey(provider string) string { return provider[:min(len(provider), 64)] }
