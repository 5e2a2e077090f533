package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/routing"
	"hookflow/workflows"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
)

// answering is a plan whose step answers, and the question that goes with it.
func answering(t *testing.T, until time.Time) (routing.Plan, event.Question) {
	t.Helper()
	plan := step(policy)
	plan.Steps[0].Reply = true
	declared, err := json.Marshal(plan.Steps[0])
	require.NoError(t, err)
	whole := ref("vapi")
	whole.Packed = event.Pack([]byte(`{"a":1}`))
	return plan, event.Question{Event: whole, Step: declared, Until: until}
}

// hello answers at once.
func hello(int) (any, error) {
	return event.Reply{Answer: &event.Answer{ContentType: "text/plain", Body: []byte("hello")}}, nil
}

// asking is a copy of the question, and what became of it.
type asking struct {
	told  event.Told
	err   error
	ended bool
}

func (s *story) ask(after time.Duration, id string, q event.Question) *asking {
	a := &asking{}
	s.RegisterDelayedCallback(func() {
		s.UpdateWorkflow(workflows.Reply, id, &testsuite.TestUpdateCallback{
			OnReject: func(err error) { a.err, a.ended = err, true },
			OnAccept: func() {},
			OnComplete: func(result any, err error) {
				a.err, a.ended = err, true
				if text, failed := json.Marshal(result); failed == nil {
					_ = json.Unmarshal(text, &a.told) // as the client reads it
				}
			},
		}, q)
	}, after)
	return a
}

func (s *story) tellAnswering(kind string) {
	e := ref("vapi")
	e.Answering = true
	s.ExecuteWorkflow(kind, e, nil)
}

func TestReply_answeredBeforeBegin(t *testing.T) {
	t.Parallel()
	plan, q := answering(t, time.Now().Add(time.Hour))
	s := tell(t, plan, hello)
	a := s.ask(0, "evt", q)
	s.tellAnswering(workflows.Vapi)
	require.NoError(t, s.GetWorkflowError())
	require.NoError(t, a.err)
	require.Equal(t, event.Told{Reply: event.Reply{Answer: &event.Answer{ContentType: "text/plain", Body: []byte("hello")}}}, a.told)
	require.Len(t, s.attempts, 1, "the step of the plan is the answer that was given")
	require.Equal(t, q.Event.Packed, s.begun[0].Body, "Begin can write the row itself")
	require.Equal(t, plan.Steps[0], *s.begun[0].Answered, "and keep the answer, whatever the routes say by then")
	require.Empty(t, s.begun[0].Event.Packed)
	require.JSONEq(t, `{"answer":{"content_type":"text/plain","body":"aGVsbG8="}}`, string(s.finished[0].Steps[0].Result))
}

func TestReply_late(t *testing.T) {
	t.Parallel()
	plan, q := answering(t, time.Now().Add(-time.Hour))
	s := tell(t, plan, hello)
	a := s.ask(0, "evt", q)
	s.tellAnswering(workflows.Vapi)
	require.NoError(t, s.GetWorkflowError())
	require.True(t, a.told.Late)
	require.True(t, s.finished[0].Steps[0].Late)
}

// A question that the server lost on the way makes the run go on alone; a copy that comes later gets the plan's answer.
func TestReply_lostQuestion(t *testing.T) {
	t.Parallel()
	plan, q := answering(t, time.Now().Add(time.Hour))
	plan.Steps = append([]routing.Step{{Name: "first", Activity: "thing.Slow", Options: plan.Steps[0].Options}}, plan.Steps...)
	s := tell(t, plan, hello)
	s.RegisterActivityWithOptions(func(context.Context, event.Event) error { return nil }, activity.RegisterOptions{Name: "thing.Slow"})
	s.OnActivity("thing.Slow", mock.Anything, mock.Anything).Return(nil).After(time.Minute)
	a := s.ask(30*time.Second, "evt", q)
	s.tellAnswering(workflows.Vapi)
	require.NoError(t, s.GetWorkflowError())
	require.NoError(t, a.err)
	require.Equal(t, "hello", string(a.told.Reply.Answer.Body))
	require.Len(t, s.attempts, 1)
}

// A run without a step that answers tells who asks, and does not close before it has.
func TestReply_noStepAnswers(t *testing.T) {
	t.Parallel()
	_, q := answering(t, time.Time{})
	s := tell(t, step(policy), func(attempt int) (any, error) {
		if attempt < 4 {
			return nil, errors.New("not yet")
		}
		return "done", nil
	})
	a := s.ask(time.Second, "evt", q)
	s.ExecuteWorkflow(workflows.Vapi, ref("vapi"), nil)
	require.NoError(t, s.GetWorkflowError())
	require.True(t, a.ended)
	var application *temporal.ApplicationError
	require.ErrorAs(t, a.err, &application)
	require.Equal(t, workflows.NoReply, application.Type())
}

func TestReply_fails(t *testing.T) {
	t.Parallel()
	declared := policy
	declared.RetryPolicy.NonRetryableErrorTypes = []string{"MalformedReply"}
	plan, q := answering(t, time.Now().Add(time.Hour))
	plan.Steps[0].Options = declared
	q.Step, _ = json.Marshal(plan.Steps[0])
	s := tell(t, plan, func(int) (any, error) { return nil, temporal.NewApplicationError("no answer", "MalformedReply") })
	a := s.ask(0, "evt", q)
	s.tellAnswering(workflows.Vapi)
	require.Error(t, s.GetWorkflowError())
	require.ErrorContains(t, a.err, "no answer")
	require.Len(t, s.attempts, 1)
	require.Equal(t, event.Failed, s.finished[0].Status)
	require.Equal(t, "MalformedReply", s.finished[0].ErrorType)
	require.Nil(t, s.begun[0].Answered, "there is nothing to keep")
}
