package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"hookflow/event"
	"hookflow/routing"
	"hookflow/store"
	"hookflow/telemetry"

	"go.temporal.io/sdk/temporal"
)

// Mirror keeps the ledger's row in step with the run. It is registered as mirror.Begin and mirror.Finish.
type Mirror struct {
	Store *store.Store
	// Plan resolves the routes as they stand now, for an event and its payload as JSON, which may be nil.
	Plan func(e *event.Event, payload json.RawMessage) routing.Plan
	Now  func() time.Time
	Log  *slog.Logger
	// Begun hears the id of each event whose row knows of its run; nil in a process without a dispatcher.
	Begun func(id string)
	// Failed hears of each event that failed for good, possibly twice with the same ID; nil to tell nobody.
	Failed func(telemetry.Failure)
	// Metrics hears how events and their steps end; nil to tell nobody.
	Metrics Metrics

	noted noted
}

// Metrics counts ends, and conditions that could not be evaluated. Every label is bounded.
type Metrics interface {
	StepEnded(step, outcome string)
	EventEnded(provider, status string)
	Unevaluated(provider string)
}

// count tells of the end of an event and of the steps that its run performed.
func (m *Mirror) count(e event.Event, status event.Status, steps []event.StepEnd) {
	if m.Metrics == nil {
		return
	}
	m.Metrics.EventEnded(e.Provider, string(status))
	for _, s := range steps {
		m.Metrics.StepEnded(s.Step, string(s.Status))
	}
}

// Begin adopts the run for its event, writes the decoded payload, and returns the plan as the routes stand now. It is
// safe to repeat. It fails for good with LedgerRowMissing when the event is neither in the ledger nor in the input, and
// with ContentErased when its content was erased; every other error is worth another attempt.
func (m *Mirror) Begin(ctx context.Context, in routing.BeginInput) (routing.BeginResult, error) {
	e, err := m.whole(ctx, in)
	if err != nil {
		return routing.BeginResult{}, m.ended(ctx, in, err)
	}
	payload := DecodePayload(&e)
	plan, to := m.Plan(&e, payload), event.Processing
	if in.Answered != nil {
		plan = plan.Answered(*in.Answered)
	}
	note := m.noteConditions(e.Provider, plan.Notes)
	if len(plan.Steps) == 0 {
		to = event.Completed
	}
	standing, err := m.adopt(ctx, e, in.Run, store.Beginning{Status: to, Payload: payload, Plan: planText(plan), Note: note})
	if err != nil {
		return routing.BeginResult{}, err
	}
	if m.Begun != nil {
		m.Begun(e.ID)
	}
	switch {
	case !standing.Adopted && standing.Generation > in.Run.Generation:
		return routing.BeginResult{Over: true, Why: "a newer generation runs"}, nil
	case !standing.Adopted:
		return routing.BeginResult{Over: true, Why: "another run of this generation ended as " + string(standing.Status)}, nil
	case to == event.Completed:
		m.Store.Forget(e.ID)
		m.count(e, event.Completed, nil)
		why := "no route"
		if plan.Route != "" {
			why = "no step in " + plan.Route
		}
		return routing.BeginResult{Over: true, Why: why, Plan: routing.Plan{Notes: plan.Notes}}, nil
	}
	for i, step := range plan.Steps {
		plan.Steps[i].Done = slices.Contains(standing.Done, step.Name)
	}
	return routing.BeginResult{Epoch: standing.Epoch, Plan: plan}, nil
}

// AwaitLedger succeeds when the ledger takes events. It is registered as mirror.AwaitLedger.
func (m *Mirror) AwaitLedger(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return m.Store.Ping(ctx)
}

// ended writes the end of an event whose run cannot begin, when err says that no attempt can mend it, and returns err.
func (m *Mirror) ended(ctx context.Context, in routing.BeginInput, err error) error {
	var final *temporal.ApplicationError
	if !errors.As(err, &final) || !final.NonRetryable() {
		return err
	}
	taken, writeErr := m.Store.FailBegin(ctx, in.Event.ID, in.Run, final.Message(), final.Type(), m.Now())
	if writeErr != nil {
		return writeErr // worth another attempt, which comes to the same
	}
	if taken && m.Failed != nil {
		m.Failed(failure(in.Event, in.Run, routing.FinishInput{ErrorType: final.Type(), Error: final.Message()}))
	}
	return err
}

// whole returns the event with its body: from the input, this process's memory, or the ledger.
func (m *Mirror) whole(ctx context.Context, in routing.BeginInput) (event.Event, error) {
	if in.Body != nil {
		e := in.Event
		body, err := event.Unpack(in.Body)
		if err != nil {
			return e, temporal.NewNonRetryableApplicationError("the body inside the input cannot be unpacked", routing.LedgerRowMissing, err)
		}
		e.Body = body
		m.Store.Remember(e)
		return e, nil
	}
	if e, ok := m.Store.Remembered(in.Event.ID); ok {
		return e, nil
	}
	e, err := m.Store.ReadEvent(ctx, in.Event.ID)
	switch {
	case errors.Is(err, event.ErrNotFound):
		return e, rowMissing(in.Event)
	case errors.Is(err, event.ErrErased):
		return e, temporal.NewNonRetryableApplicationError("the content of "+in.Event.Key()+" was erased", routing.ContentErased, nil)
	case err == nil:
		m.Store.Remember(e)
	}
	return e, err
}

// adopt begins the run in the ledger, where the event is written first if Temporal alone has it.
func (m *Mirror) adopt(ctx context.Context, e event.Event, run event.Run, b store.Beginning) (store.Standing, error) {
	standing, err := m.Store.BeginRun(ctx, e.ID, run, b, m.Now())
	if store.Refused(err) {
		// jsonb holds less than JSON can say (a number of 200,000 digits). The exact body is kept all the same.
		m.Log.WarnContext(ctx, "a payload is beyond jsonb and is kept as a body only", e.Attrs(), "error", err)
		b.Payload = nil
		standing, err = m.Store.BeginRun(ctx, e.ID, run, b, m.Now())
	}
	if !errors.Is(err, event.ErrNotFound) {
		return standing, err
	}
	e.Generation = run.Generation
	if _, err := m.Store.InsertEvents(ctx, []store.Arrival{{Event: &e}}); err != nil {
		return standing, err
	}
	m.Log.InfoContext(ctx, "an event that only Temporal had is written to the ledger", e.Attrs())
	standing, err = m.Store.BeginRun(ctx, e.ID, run, b, m.Now())
	if errors.Is(err, event.ErrNotFound) {
		return standing, rowMissing(e)
	}
	return standing, err
}

// planText is a plan as the ledger keeps it for people.
func planText(plan routing.Plan) json.RawMessage {
	text, err := json.Marshal(plan)
	if err != nil {
		return nil // it is in the run's history all the same
	}
	return text
}

func rowMissing(e event.Event) error {
	return temporal.NewNonRetryableApplicationError(
		fmt.Sprintf("%s is neither in the ledger nor in the run's input", e.Key()), routing.LedgerRowMissing, nil)
}

// Finish writes the end of the run. It is safe to repeat; every error is worth another attempt. A row that another run
// holds by now is left alone.
func (m *Mirror) Finish(ctx context.Context, in routing.FinishInput) error {
	end := endingOf(in)
	taken, err := m.Store.FinishRun(ctx, in.Event.ID, in.Run, end, m.Now())
	if store.Refused(err) {
		m.Log.WarnContext(ctx, "results beyond jsonb are left out of the end of a run", in.Event.Attrs())
		for i := range end.Steps {
			end.Steps[i].Result = nil
		}
		taken, err = m.Store.FinishRun(ctx, in.Event.ID, in.Run, end, m.Now())
	}
	if err != nil {
		return err
	}
	m.Store.Forget(in.Event.ID)
	if !taken {
		m.Log.WarnContext(ctx, "the end of a run was not taken: its row is another run's", in.Event.Attrs(), "generation", in.Run.Generation)
		return nil
	}
	m.count(in.Event, in.Status, in.Steps)
	if in.Status == event.Failed && m.Failed != nil {
		m.Failed(failure(in.Event, in.Run, in))
	}
	return nil
}

// endingOf makes what handlers said and returned storable: an end that the ledger refuses would be repeated for ever.
func endingOf(in routing.FinishInput) store.Ending {
	end := store.Ending{
		Status: in.Status, Error: said(in.Error), ErrorType: storable(in.ErrorType), Epoch: in.Epoch, Steps: slices.Clone(in.Steps),
	}
	for i := range end.Steps {
		step := &end.Steps[i]
		step.Error, step.ErrorType, step.Result = said(step.Error), storable(step.ErrorType), storableJSON(step.Result)
		if step.Late {
			step.Result = markLate(step.Result)
		}
	}
	return end
}

// markLate marks the answer that a step computed after the sender was told the fallback. What is no answer stays as it is.
func markLate(result json.RawMessage) json.RawMessage {
	var reply event.Reply
	if json.Unmarshal(result, &reply) != nil || reply.Answer == nil {
		return result
	}
	reply.Answer.Late = true
	marked, err := json.Marshal(reply)
	if err != nil { // text and bytes marshal
		return result
	}
	return marked
}

func failure(e event.Event, run event.Run, end routing.FinishInput) telemetry.Failure {
	return telemetry.Failure{
		EventID:  telemetry.FailureID(run.OriginalRunID, run.Generation),
		Provider: e.Provider, Type: e.Type, WorkflowID: e.WorkflowID(),
		Step: end.Failed, ErrorType: end.ErrorType, Message: end.Error,
	}
}
