package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/routing"
	"hookflow/store"
	"hookflow/telemetry"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// attempts fills in the event of each attempt of a step and notes the attempts that fail. Begin, Finish and housekeeping
// are none of its business.
type attempts struct {
	interceptor.WorkerInterceptorBase
	store *store.Store
	now   func() time.Time
	log   *slog.Logger
	steps func(step string, failed, again bool)
	// answer turns what a handler returned into the answer that its sender takes.
	answer func(e *event.Event, result json.RawMessage) (event.Answer, error)
	panics
	away    away
	foreign *foreign
	// forwards and questions are the places of receivers without a destination, of ordinary attempts and of those in a run.
	forwards, questions *shares
}

// InterceptWorkflow is called once per run and replay.
func (a *attempts) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	w := &watched{panics: &a.panics, foreign: a.foreign}
	w.Next = next
	return w
}

// InterceptActivity is called once per attempt.
func (a *attempts) InterceptActivity(ctx context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	i := &attempt{attempts: a}
	i.Next = next
	return i
}

type attempt struct {
	interceptor.ActivityInboundInterceptorBase
	*attempts
	progress progress
}

// Init puts what is kept of a waiting step between the handler and its heartbeats.
func (a *attempt) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	a.progress.Next = outbound
	return a.Next.Init(&a.progress)
}

// ExecuteActivity hands the whole event to a handler that takes one.
func (a *attempt) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	ref, ok := eventOf(in)
	switch {
	case !ok || strings.HasPrefix(activity.GetInfo(ctx).ActivityType.Name, "mirror."):
		if err := a.foreign.mirror(in); err != nil {
			return nil, err
		}
		return a.Next.ExecuteActivity(ctx, in)
	case ref.Waiting != nil && ref.Waiting.Attempts > 0:
		return a.wait(ctx, in, ref)
	}
	return a.make(ctx, in, ref, func() error { return nil })
}

// make makes the attempt, and says so when the handler's part begins, which an error then keeps from beginning.
func (a *attempt) make(ctx context.Context, in *interceptor.ExecuteActivityInput, ref event.Event, begins func() error) (any, error) {
	if a.foreign.is(ref.Installation) {
		return nil, a.putOff(ctx, ref, ForeignTask, foreignPause)
	}
	giveBack, err := a.place(ctx, in, ref)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	whole, err := a.fill(ctx, ref)
	if err != nil {
		return nil, a.outage(ctx, ref, err)
	}
	if err := begins(); err != nil {
		return nil, err
	}
	whole.Waiting = nil // our business, not the handler's
	in.Args[0] = whole
	began := a.now()
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.String("hookflow.event_id", whole.ID), attribute.String("hookflow.provider", whole.Provider),
			attribute.String("hookflow.event_type", whole.Type), attribute.String("hookflow.step", whole.Step))
	}
	defer a.panics.unwinding(activity.GetInfo(ctx).WorkflowExecution.RunID+"/"+whole.Step, telemetry.Failure{
		Provider: whole.Provider, Type: whole.Type, Step: whole.Step, WorkflowID: whole.WorkflowID(),
	}, func(value any) {
		a.note(ctx, &whole, began, temporal.NewApplicationError(fmt.Sprint(value), "panic"), nil)
	})
	result, err := a.Next.ExecuteActivity(ctx, in)
	if err == nil && whole.Reply {
		result, err = a.reply(&whole, result)
	}
	detail, err := activities.TakeDetail(err)
	a.note(ctx, &whole, began, err, detail)
	return result, a.outage(ctx, ref, err)
}

func eventOf(in *interceptor.ExecuteActivityInput) (event.Event, bool) {
	if len(in.Args) == 0 {
		return event.Event{}, false
	}
	ref, ok := in.Args[0].(event.Event)
	return ref, ok && ref.Step != ""
}

// MalformedReply is the error type of a handler that returned what its sender would not take as an answer.
const MalformedReply = "MalformedReply"

// reply makes the result of a step that answers an event.Reply, in the shape that the provider demands.
func (a *attempt) reply(e *event.Event, result any) (any, error) {
	said, err := json.Marshal(result)
	if err != nil {
		return nil, temporal.NewNonRetryableApplicationError("the handler's result is no JSON", MalformedReply, err)
	}
	answer, err := a.answer(e, said)
	if err != nil {
		return nil, temporal.NewNonRetryableApplicationError("the handler's result is no answer: "+err.Error(), MalformedReply, nil)
	}
	return event.Reply{Answer: &answer}, nil
}

// fill reads the event from this process's memory or the ledger, and keeps what only the attempt knows. While the ledger
// is away it asks again, then ends the attempt as LedgerUnavailable.
func (a *attempt) fill(ctx context.Context, ref event.Event) (event.Event, error) {
	if ref.Packed != nil {
		body, err := event.Unpack(ref.Packed)
		if err != nil {
			return ref, temporal.NewNonRetryableApplicationError("the body inside the question cannot be unpacked", routing.LedgerRowMissing, err)
		}
		ref.Body, ref.Packed = body, nil
		return ref, nil
	}
	whole, ok := a.store.Remembered(ref.ID)
	if !ok {
		var err error
		if whole, err = a.read(ctx, ref.ID); err != nil {
			return whole, unreadable(ref, err)
		}
		a.store.Remember(whole)
	}
	whole.Generation, whole.Step, whole.Epoch, whole.Reply = ref.Generation, ref.Step, ref.Epoch, ref.Reply
	whole.Installation = ref.Installation
	return whole, nil
}

// readTries and readPause keep an attempt waiting for two seconds at most where the ledger is away, and readTime where it
// hangs: the workflow waits longer for less.
const (
	readTries = 4
	readPause = 500 * time.Millisecond
	readTime  = 5 * time.Second
)

func (a *attempt) read(ctx context.Context, id string) (event.Event, error) {
	ctx, stop := activities.InTime(ctx)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	for try := 1; ; try++ {
		whole, err := a.store.ReadEvent(ctx, id)
		if err == nil {
			a.away.back()
		}
		if !store.Unavailable(err) || try == readTries || activity.GetInfo(ctx).IsLocalActivity {
			return whole, err
		}
		select {
		case <-ctx.Done():
			return whole, err
		case <-time.After(readPause):
		}
	}
}

func unreadable(ref event.Event, err error) error {
	switch {
	case errors.Is(err, event.ErrNotFound):
		return temporal.NewNonRetryableApplicationError(ref.Key()+" is not in the ledger", routing.LedgerRowMissing, nil)
	case errors.Is(err, event.ErrErased):
		return temporal.NewNonRetryableApplicationError("the content of "+ref.Key()+" was erased", routing.ContentErased, nil)
	case store.Unavailable(err):
		return activities.LedgerUnavailable(err)
	}
	return err
}

// again reports whether an attempt is a retry. The first ordinary attempt of an inline step cannot be told from that of
// another step, so that it is counted with the inline one that failed.
func again(info activity.Info, failure error) bool {
	if !info.IsLocalActivity {
		return info.Attempt > 1
	}
	var application *temporal.ApplicationError
	return failure != nil && !(errors.As(failure, &application) && application.NonRetryable())
}

// How long the writing of a failed attempt may take: long enough for a busy ledger, short enough for one that is away. The
// next attempt waits for it, and behind that of a reply somebody. Nor may the attempt's own answer come too late for it.
const (
	noteTime      = 5 * time.Second
	replyNoteTime = 200 * time.Millisecond
)

// note writes a failed attempt that began at began to the ledger, as far as the ledger answers. An outage of the ledger is not the handler's.
func (a *attempt) note(ctx context.Context, e *event.Event, began time.Time, failure error, detail json.RawMessage) {
	if a.steps != nil {
		a.steps(e.Step, failure != nil, again(activity.GetInfo(ctx), failure))
	}
	if failure == nil || activities.IsLedgerUnavailable(failure) {
		return
	}
	message, errorType := activities.Describe(failure)
	now := a.now()
	failed := store.Failure{Message: message, ErrorType: errorType, Took: now.Sub(began), Detail: detail}
	limit := noteTime
	if e.Reply {
		limit = replyNoteTime
	}
	if by := activities.SpeakBy(ctx); !by.IsZero() && ctx.Err() == nil { // after its end the note is all that there will be
		limit = min(limit, time.Until(by))
	}
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if err := a.store.RecordFailure(detached, e, failed, now); err != nil {
		a.log.WarnContext(ctx, "a failed attempt could not be noted", e.Attrs(), "step", e.Step, "error", err)
	}
}
