package intake

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"hookflow/event"
	"hookflow/store"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

const (
	// holdBeyond is how long after the fallback went out the relay still leaves the row of a question alone: its run was
	// started by then, unless the request died.
	holdBeyond = 5 * time.Second
	// lateBefore is how much earlier than the door a run gives up on an answer, so that the two rarely disagree: what takes
	// the run until the last moment is late for both.
	lateBefore = 100 * time.Millisecond
	// lookTime bounds the last look at whether a run was started, when nothing else made the event durable.
	lookTime = 500 * time.Millisecond
	// A question waits for its answer, not for Temporal: after doubtAfter (or half the time, where that is less) Temporal is
	// asked whether it is there at all, and given doubtTime to say so.
	doubtAfter = time.Second
	doubtTime  = 2 * time.Second
)

// Reply makes e durable and unique as Accept does, and returns the answer that its run computes: for every copy the same,
// byte for byte. ctx is not bounded by ask.Until. An outcome says that the event is durable; the error is then nil,
// event.ErrLate or event.ErrNoAnswer (wrapped: failed, or nobody could be asked), and the fallback is due. Without an
// outcome the errors are those of Accept.
func (in *Intake) Reply(ctx context.Context, e *event.Event, ask *event.Ask) (event.Outcome, event.Answer, error) {
	e.Installation = in.installation()
	outcome, err := in.hold(ctx, e, ask)
	if err != nil {
		return "", event.Answer{}, err
	}
	if outcome == event.Duplicate {
		answer, over, err := in.stored(ctx, e)
		if over || err != nil {
			return outcome, answer, err
		}
	}
	answer, err := in.ask(ctx, e, ask, outcome != "")
	if errors.Is(err, errNobody) && outcome != "" {
		if outcome == event.Accepted { // a copy does not decide about the run that another asked for
			in.leave(ctx, e, ask)
		}
		return outcome, answer, event.ErrNoAnswer
	}
	if outcome == "" {
		if outcome = in.durableElsewhere(ctx, e, err); outcome == "" {
			return "", answer, event.ErrUnavailable
		}
	}
	return outcome, answer, err
}

// errNobody: no run could be asked, and none was started.
var errNobody = errors.New("no run could be asked")

// hold writes the row, for the relay to find when the request died. It returns no outcome while the ledger is away.
func (in *Intake) hold(ctx context.Context, e *event.Event, ask *event.Ask) (event.Outcome, error) {
	if !in.ledger.closed() {
		return "", nil
	}
	ctx, cancel := context.WithDeadline(ctx, ask.Until)
	defer cancel()
	outcome, err := in.write(ctx, e, ask.Until.Add(holdBeyond))
	if errors.Is(err, errLedgerAway) || errors.Is(err, context.DeadlineExceeded) {
		return "", nil
	}
	return outcome, err
}

// stored looks for the answer of an event that was known before. over says that no run need be asked: here is the
// answer, or the event ended without one.
func (in *Intake) stored(ctx context.Context, e *event.Event) (answer event.Answer, over bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, in.LedgerTimeout)
	defer cancel()
	kept, final, err := in.Store.Answer(ctx, e.ID)
	switch {
	case err != nil:
		return answer, false, nil // its run may know
	case kept == nil && final:
		return answer, true, event.ErrNoAnswer
	case kept == nil:
		return answer, false, nil
	case kept.Late:
		return answer, true, event.ErrLate
	}
	return *kept, true, nil
}

// ask starts the run of e with the question, or asks the one that runs, and waits for the answer until ask.Until. held says
// that the ledger has the event: what it does not have travels in the input of the run, since a question is not durable
// before a worker takes it.
func (in *Intake) ask(ctx context.Context, e *event.Event, ask *event.Ask, held bool) (event.Answer, error) {
	packed, fits := event.PackAtMost(e.Body, maxPackedBody)
	if !fits && !held || !in.temporal.allow() {
		return event.Answer{}, errNobody
	}
	whole, ref := *e, e.Ref()
	whole.Packed, ref.Answering = packed, true
	if !fits {
		whole = e.Ref() // the run reads the ledger
	}
	args := []any{ref}
	if !held {
		inside := *e
		inside.Answering = true
		args = []any{inside, packed}
	}
	options := in.options(e)
	options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	update := client.UpdateWorkflowOptions{
		UpdateID: e.ID, UpdateName: in.ReplyUpdate, WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{event.Question{Event: whole, Step: ask.Step, Until: ask.Until.Add(-lateBefore)}},
	}
	waiting, cancel := context.WithDeadline(ctx, ask.Until)
	defer cancel()
	there := in.doubt(waiting, cancel, e, ask)
	told, err := in.updateWithStart(waiting, options, in.WorkflowType(e.Scheme), args, update)
	if closed(err) {
		told, err = in.toldBefore(waiting, e)
	}
	switch {
	case err == nil:
		in.temporal.report(nil)
		return in.heard(told)
	case waiting.Err() == nil:
		return event.Answer{}, in.unanswered(e, err)
	case there.Load():
		in.temporal.report(nil)
		return event.Answer{}, event.ErrLate
	}
	in.temporal.report(errSilent)
	return event.Answer{}, errNobody
}

// heard is what a run said, as the door is told it.
func (in *Intake) heard(told event.Told) (event.Answer, error) {
	switch {
	case told.Reply.Answer == nil:
		return event.Answer{}, event.ErrNoAnswer
	case told.Late:
		return event.Answer{}, event.ErrLate
	}
	in.Metrics.Dispatched("started")
	return *told.Reply.Answer, nil
}

var errSilent = errors.New("neither an answer nor a sign of life")

// doubt asks a Temporal that has not answered yet whether it is there. It reports so in what it returns; one that does not
// answer is given up with cancel, long before a tool's deadline.
func (in *Intake) doubt(ctx context.Context, cancel func(), e *event.Event, ask *event.Ask) *atomic.Bool {
	there := &atomic.Bool{}
	after := min(doubtAfter, time.Until(ask.Until)/2)
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(after):
		}
		look, done := context.WithTimeout(ctx, doubtTime)
		defer done()
		_, err := in.Temporal.DescribeWorkflowExecution(look, e.WorkflowID(), "")
		if err == nil || gone(err) {
			there.Store(true)
			return
		}
		cancel()
	}()
	return there
}

// toldBefore returns what a run said that is over: it keeps its updates as long as Temporal keeps the run.
func (in *Intake) toldBefore(ctx context.Context, e *event.Event) (told event.Told, err error) {
	handle := in.Temporal.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{WorkflowID: e.WorkflowID(), UpdateID: e.ID})
	return told, handle.Get(ctx, &told)
}

// closed reports whether err says that the run is over.
func closed(err error) bool {
	var exists *serviceerror.WorkflowExecutionAlreadyStarted
	return errors.As(err, &exists) || gone(err)
}

func (in *Intake) updateWithStart(ctx context.Context, options client.StartWorkflowOptions, workflowType string, args []any,
	update client.UpdateWorkflowOptions) (told event.Told, err error) {
	once := func() error {
		handle, err := in.Temporal.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: in.Temporal.NewWithStartWorkflowOperation(options, workflowType, args...), UpdateOptions: update,
		})
		if err != nil {
			return err
		}
		return handle.Get(ctx, &told)
	}
	err = once()
	if _, about := in.attribute.refused(err); about {
		options.TypedSearchAttributes = temporal.SearchAttributes{}
		err = once()
	}
	return told, err
}

// unanswered tells apart why there is no answer: the run says so, the run is over and was never asked, or none was started,
// since Temporal is away or refuses it.
func (in *Intake) unanswered(e *event.Event, err error) error {
	var application *temporal.ApplicationError
	var refused *serviceerror.InvalidArgument
	switch {
	case errors.As(err, &application):
		in.temporal.report(nil)
		// What a handler says may quote the event: it is on the timeline, its type alone in the log.
		in.Log.Warn("an answer could not be computed", e.Attrs(), "error_type", application.Type())
		return event.ErrNoAnswer
	case closed(err):
		in.temporal.report(nil)
		return event.ErrNoAnswer
	case errors.As(err, &refused):
		in.temporal.report(nil)
	default:
		in.temporal.report(err)
	}
	in.Log.Warn("a run could not be asked for an answer", "key", e.Key(), "error", err)
	return errNobody
}

// durableElsewhere says what became of an event that the ledger did not take: Temporal has it when its run was asked, or
// when a last look finds it.
func (in *Intake) durableElsewhere(ctx context.Context, e *event.Event, asked error) event.Outcome {
	if errors.Is(asked, errNobody) {
		return ""
	}
	if errors.Is(asked, event.ErrLate) {
		look, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		if _, err := in.Temporal.DescribeWorkflowExecution(look, e.WorkflowID(), ""); err != nil {
			return ""
		}
	}
	if in.answered.first(e.ID) {
		return event.Accepted
	}
	in.duplicates.add(e.ID)
	return event.Duplicate
}

// leave decides what becomes of an event whose run could not be started: the relay starts it as soon as Temporal answers,
// or it is over.
func (in *Intake) leave(ctx context.Context, e *event.Event, ask *event.Ask) {
	if !ask.Only {
		in.marks.postpone(store.Postponed{Event: e.Ref(), Next: in.Now()}) // nobody waits any longer
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.LedgerTimeout)
	defer cancel()
	in.complain("unanswered events", in.Store.EndUnanswered(ctx, e.ID, in.Now()))
}
