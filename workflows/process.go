package workflows

import (
	"hookflow/event"
	"hookflow/routing"

	"go.temporal.io/sdk/workflow"
)

// process is an event's life, and the answer to a sender that waits for one: the run does not close on somebody who asks.
func process(ctx workflow.Context, e event.Event, body []byte) error {
	reply, err := hear(ctx, e)
	if err != nil {
		return err
	}
	err = live(ctx, e, body, reply)
	reply.over(ctx)
	return err
}

// live answers a sender who waits first. Then Begin records the plan in history, each step is an activity under its own
// declared policy, those of a parallel group side by side, and Finish writes the end. The run ends as the event does, so
// the Temporal UI tells the same story as the ledger.
func live(ctx workflow.Context, e event.Event, body []byte, reply *reply) (err error) {
	if e.Answering {
		if e, body, err = reply.first(ctx, e, body); err != nil {
			return err
		}
	}
	begun, err := begin(ctx, e, body, reply.answered())
	if err != nil || begun.Over {
		return err
	}
	end := routing.FinishInput{Run: runOf(ctx, e), Epoch: begun.Epoch, Status: event.Completed}
	for _, stage := range begun.Plan.Stages() {
		if err = performAll(ctx, e, stage, reply, &end); err != nil {
			break
		}
	}
	workflow.SetCurrentDetails(ctx, "Writing the end to the ledger.")
	if finishErr := finish(ctx, e, end); finishErr != nil {
		return finishErr
	}
	workflow.SetCurrentDetails(ctx, "Over: "+string(end.Status)+".")
	return err
}

func runOf(ctx workflow.Context, e event.Event) event.Run {
	info := workflow.GetInfo(ctx)
	return event.Run{RunID: info.WorkflowExecution.RunID, OriginalRunID: info.OriginalRunID, Generation: e.Generation}
}
