package workflows

import (
	"encoding/json"
	"time"

	"hookflow/event"
	"hookflow/routing"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// questionTime is how long a run that was started with a question waits for it. Both travel in one request, so it is
// there in the first workflow task; only a server that lost it between makes the run wait.
const questionTime = 10 * time.Second

// NoReply is the error type of an answer that a run cannot give, since its plan has none.
const NoReply = "NoReply"

// reply is a run's answer to a sender that waits. It is computed once, whether or not anybody asks: in the update that
// the run was started with, or as a step of the plan.
type reply struct {
	of       event.Event // whose answer it is
	expected bool        // the run was started with a question, which has not come yet
	question question    // the one that came
	begun    bool        // it is being computed
	done     bool
	outcome  // its result is an event.Reply
}

// question is an event.Question with its step read.
type question struct {
	Event event.Event  `json:"event"`
	Step  routing.Step `json:"step"`
	Until time.Time    `json:"until"`
}

// told is an event.Told.
type told struct {
	Reply json.RawMessage `json:"reply"`
	Late  bool            `json:"late,omitempty"`
}

// hear makes the run answer whoever asks.
func hear(ctx workflow.Context, e event.Event) (*reply, error) {
	r := &reply{of: e, expected: e.Answering}
	return r, workflow.SetUpdateHandler(ctx, Reply, r.update)
}

// update answers a question: the first of a run that was started with it is computed here and now, before Begin, so that
// an answer needs neither Postgres nor the mirror. Whoever asks later waits for the same answer.
func (r *reply) update(ctx workflow.Context, q question) (told, error) {
	var err error
	if q.Event.ID != r.of.ID || q.Event.Installation.Foreign(r.of.Installation) {
		return told{}, temporal.NewApplicationError("the run is another event's", NoReply)
	}
	if r.expected && !r.begun {
		r.question = q
		// Within the workflow task: an activity task of its own would cost the sender some 100 ms.
		q.Step.Inline = q.Step.TaskQueue == ""
		err = r.compute(ctx, q.Event, q.Step, 0, q.Until).err
	} else {
		err = r.wait(ctx).err
	}
	return told{r.result, r.late}, err
}

// first waits for the question that the run was started with, and until its answer is on its way. It returns the event
// with its packed body as the question brought them, or as they are when none came.
func (r *reply) first(ctx workflow.Context, e event.Event, packed []byte) (event.Event, []byte, error) {
	// The task that brings the question takes the answer along, unless that outlasts the task.
	if err := r.deliver(ctx); err != nil {
		return e, packed, err
	}
	delivered := r.done
	if !r.begun {
		if _, err := workflow.AwaitWithTimeout(ctx, questionTime, func() bool { return r.begun }); err != nil {
			return e, packed, err
		}
	}
	r.expected = false
	if !r.begun {
		return e, packed, nil
	}
	whole := r.question.Event
	if whole.Packed != nil {
		packed, whole.Packed = whole.Packed, nil
	}
	if delivered {
		return whole, packed, nil
	}
	if err := workflow.Await(ctx, func() bool { return r.done }); err != nil {
		return whole, packed, err
	}
	return whole, packed, r.deliver(ctx)
}

// answered returns the step that was asked for and has answered, nil where none has: the plan that Begin makes keeps it, and
// with it the answer, also when the routes have none any more.
func (r *reply) answered() *routing.Step {
	if !r.done || r.err != nil || r.question.Step.Name == "" {
		return nil
	}
	return &r.question.Step
}

// deliver ends the workflow task at hand. The answers in it leave with its end, which the local activities that follow
// (Begin, inline steps, Finish) would put off: for seconds, while Postgres is away.
func (r *reply) deliver(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Millisecond) }

// planned performs the step of the plan that answers, and lets the answer go to those who wait for it.
func (r *reply) planned(ctx workflow.Context, input event.Event, step routing.Step, epoch int) outcome {
	o := r.compute(ctx, input, step, epoch, time.Time{})
	if !workflow.AllHandlersFinished(ctx) {
		_ = r.deliver(ctx) // cancelled: nothing is left to wait for
	}
	return o
}

// compute performs the step that answers, unless that was done or is under way. An answer after until is late: the sender
// was told the fallback. The zero time is never late.
func (r *reply) compute(ctx workflow.Context, input event.Event, step routing.Step, epoch int, until time.Time) outcome {
	if r.begun {
		return r.wait(ctx)
	}
	r.begun = true
	r.outcome = timed(ctx, input, step, epoch)
	r.late = r.err == nil && !until.IsZero() && r.ended.After(until)
	r.done = true
	return r.outcome
}

// wait returns the answer that another computes.
func (r *reply) wait(ctx workflow.Context) outcome {
	if err := workflow.Await(ctx, func() bool { return r.done }); err != nil {
		now := workflow.Now(ctx)
		return outcome{err: err, began: now, ended: now}
	}
	return r.outcome
}

// over tells those who still wait that there is no answer, and returns once each has heard its own.
func (r *reply) over(ctx workflow.Context) {
	if !r.begun {
		r.begun, r.done = true, true
		r.err = temporal.NewApplicationError("the run computes no answer", NoReply)
	}
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(disconnected, func() bool { return workflow.AllHandlersFinished(ctx) }) // nobody cancels it
}
