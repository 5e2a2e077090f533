package workflows_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"
	"hookflow/workflows"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// release is the folder that TestRecordHistories writes to. Give it a new name when a change to the workflows alters
// what new runs leave in Temporal, then record; what stands in the folders of releases stays as it is.
const release = "1"

var record = flag.Bool("record", false, "record the histories that are missing from "+historyFolder+"/"+release)

// recorder stands for the machine that recorded a history.
const recorder = "recorder"

// The outcomes of an event's run that leave different histories.
const (
	inlineCompleted   = "inline_completed"
	ordinaryCompleted = "ordinary_completed_after_failures"
	failed            = "failed_for_good"
	noRoute           = "no_route"
	bodyInside        = "body_inside_the_input"
	ledgerAway        = "ledger_unavailable_wait"
	waited            = "limited_step_waits_for_the_ledger"
	waitedInline      = "limited_inline_step_waits_for_the_ledger"
	beginWaited       = "begin_waits_for_the_ledger"
	beginFellBack     = "begin_as_ordinary_activity"
	finishFellBack    = "finish_as_ordinary_activity"
	cancelled         = "cancelled"
	newerGeneration   = "newer_generation"
	resetRun          = "reset"
	parallelCompleted = "parallel_group_completed"
	parallelFailed    = "parallel_group_one_failed"
	replyAtOnce       = "reply_in_the_update"
	replyLate         = "reply_late"
	replyFailed       = "reply_failed"
	replyRetried      = "reply_after_a_failed_attempt"
	replyPlanned      = "reply_of_the_plan_without_a_question"
	replyAskedLater   = "reply_of_the_plan_asked_for_meanwhile"
)

func allOutcomes() []string {
	return []string{inlineCompleted, ordinaryCompleted, failed, noRoute, bodyInside, ledgerAway, waited, waitedInline, beginWaited, beginFellBack, finishFellBack,
		cancelled, newerGeneration, resetRun, parallelCompleted, parallelFailed,
		replyAtOnce, replyLate, replyFailed, replyRetried, replyPlanned, replyAskedLater}
}

// The outcomes of Reconcile; ReconcileRuns has the first two.
const (
	firstReconcile  = "first"
	secondReconcile = "after_an_earlier_one"
	failedReconcile = "reader_failed"
)

func outcomesOf(kind string) []string {
	switch kind {
	case workflows.ReconcileWorkflow:
		return []string{firstReconcile, secondReconcile, failedReconcile}
	case workflows.ReconcileRunsWorkflow:
		return []string{firstReconcile, secondReconcile}
	}
	return allOutcomes()
}

// TestRecordHistories makes each outcome happen on a Temporal server and writes the histories that are missing:
//
//	go test ./workflows -run TestRecordHistories -record
//
// It never overwrites a file. The mirror and the handlers are stand-ins that play the outcome; the histories hold what
// the workflows, the SDK and the server made of it.
func TestRecordHistories(t *testing.T) {
	if !*record {
		t.Skip("-record is not set")
	}
	namespace := testkit.Namespace(t)
	c, err := client.Dial(client.Options{HostPort: testkit.TemporalAddress(t), Namespace: namespace, Identity: recorder, Logger: testkit.Quiet()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	s := &stage{t: t, client: c, namespace: namespace, attempts: map[string]int{}}
	s.work()
	var playing sync.WaitGroup
	for _, kind := range workflows.Names() {
		for _, outcome := range allOutcomes() {
			playing.Go(func() { s.play(kind, outcome) })
		}
	}
	for _, kind := range []string{workflows.ReconcileWorkflow, workflows.ReconcileRunsWorkflow} {
		for _, outcome := range outcomesOf(kind) {
			playing.Go(func() { s.reconcile(kind, outcome) })
		}
	}
	playing.Wait()
}

// stage plays outcomes: the event's id is the outcome, by which the stand-ins know what to do.
type stage struct {
	t         *testing.T
	client    client.Client
	namespace string
	mu        sync.Mutex
	attempts  map[string]int
}

// attempt counts the calls of an activity for an event, from 1.
func (s *stage) attempt(activity string, e event.Event) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts[activity+e.Key()]++
	return s.attempts[activity+e.Key()]
}

func (s *stage) work() {
	w := worker.New(s.client, workflows.TaskQueue, worker.Options{Identity: recorder})
	for name, story := range workflows.ByName {
		w.RegisterWorkflowWithOptions(story, workflow.RegisterOptions{Name: name})
	}
	w.RegisterWorkflowWithOptions(workflows.Reconcile, workflow.RegisterOptions{Name: workflows.ReconcileWorkflow})
	w.RegisterWorkflowWithOptions(workflows.ReconcileRuns, workflow.RegisterOptions{Name: workflows.ReconcileRunsWorkflow})
	for name, play := range map[string]any{
		workflows.Begin: s.begin, workflows.Finish: s.finish, workflows.AwaitLedger: s.awaitLedger, "thing.Handle": s.handle,
		workflows.ReconcileClosed: func(_ context.Context, since time.Time) (time.Time, error) { return noonUTC, nil },
		workflows.ReconcileOpen:   s.reconcileOpen,
	} {
		w.RegisterActivityWithOptions(play, activity.RegisterOptions{Name: name})
	}
	require.NoError(s.t, w.Start())
	s.t.Cleanup(w.Stop)
}

var noonUTC = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func (s *stage) begin(ctx context.Context, in routing.BeginInput) (routing.BeginResult, error) {
	declared := routing.Options{
		StartToCloseTimeout: routing.Duration(2 * time.Second), ScheduleToCloseTimeout: routing.Duration(72 * time.Hour),
		RetryPolicy: routing.RetryPolicy{InitialInterval: routing.Duration(50 * time.Millisecond), BackoffCoefficient: 2,
			NonRetryableErrorTypes: []string{"Refused"}},
	}
	plan := step(declared)
	switch in.Event.EventID {
	case beginWaited:
		if !s.awaited(ctx) {
			return routing.BeginResult{}, errors.New("connection refused")
		}
		plan = inline(plan)
	case beginFellBack:
		if activity.GetInfo(ctx).IsLocalActivity {
			return routing.BeginResult{}, errors.New("connection refused")
		}
	case noRoute:
		return routing.BeginResult{Over: true, Why: "no route"}, nil
	case newerGeneration:
		return routing.BeginResult{Over: true, Why: "a newer generation runs"}, nil
	case inlineCompleted, bodyInside, ledgerAway, finishFellBack:
		plan = inline(plan)
	case waited, waitedInline:
		plan.Steps[0].Inline = in.Event.EventID == waitedInline
		plan.Steps[0].Options.RetryPolicy.MaximumAttempts = 3
	case parallelCompleted, parallelFailed:
		plan = parallel(plan)
	case replyAtOnce, replyLate, replyFailed, replyRetried, replyPlanned, replyAskedLater:
		plan = withReply(plan)
	case cancelled:
		plan.Steps[0].Options.RetryPolicy.InitialInterval = routing.Duration(time.Hour)
	}
	return routing.BeginResult{Plan: plan}, nil
}

func (s *stage) finish(ctx context.Context, in routing.FinishInput) error {
	if in.Event.EventID == finishFellBack && activity.GetInfo(ctx).IsLocalActivity {
		return errors.New("connection refused")
	}
	return nil
}

// awaitLedger is the ledger's return, for the run that waits for it.
func (s *stage) awaitLedger(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts["await"+activity.GetInfo(ctx).WorkflowExecution.ID]++
	return nil
}

func (s *stage) awaited(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts["await"+activity.GetInfo(ctx).WorkflowExecution.ID] > 0
}

func (s *stage) handle(_ context.Context, e event.Event) (any, error) {
	n := s.attempt("handle "+e.Step, e)
	switch e.EventID {
	case parallelCompleted:
		if e.Step == "second" && n < 3 {
			return nil, errors.New("not yet")
		}
	case parallelFailed:
		if e.Step == "first" {
			return nil, temporal.NewApplicationError("no such account", "Refused")
		}
		if n < 2 {
			return nil, errors.New("not yet")
		}
	case ordinaryCompleted:
		if n < 3 {
			return nil, errors.New("not yet")
		}
	case failed, replyFailed:
		return nil, temporal.NewApplicationError("no such account", "Refused")
	case replyAtOnce, replyLate, replyPlanned, replyRetried, replyAskedLater:
		if !e.Reply {
			break
		}
		if e.EventID == replyRetried && n < 3 || e.EventID == replyAskedLater && !s.asking(e) {
			return nil, errors.New("not yet")
		}
		return event.Reply{Answer: &event.Answer{ContentType: "text/plain", Body: []byte("hello")}}, nil
	case ledgerAway:
		if n < 3 {
			return nil, temporal.NewNonRetryableApplicationError("the ledger does not answer", routing.LedgerUnavailable, nil)
		}
	case waited, waitedInline:
		if n < 4 {
			return nil, ledgerUnavailable(e)
		}
	case cancelled:
		return nil, errors.New("down")
	}
	return map[string]int{"attempts": n}, nil
}

// ledgerUnavailable is what a worker makes of an attempt that misses the ledger: the first of a step that can wait ends it,
// those that wait are repeated.
func ledgerUnavailable(e event.Event) error {
	options := temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{0, true}}
	if e.Waiting.Attempts > 0 {
		options = temporal.ApplicationErrorOptions{NextRetryDelay: 50 * time.Millisecond}
	}
	return temporal.NewApplicationErrorWithOptions("the ledger does not answer", routing.LedgerUnavailable, options)
}

func (s *stage) reconcileOpen(ctx context.Context) error {
	if activity.GetInfo(ctx).WorkflowExecution.ID == failedReconcile {
		return temporal.NewNonRetryableApplicationError("refused", "Refused", nil)
	}
	return nil
}

// play starts the run of an event whose id is the outcome, as intake does, and writes its history.
func (s *stage) play(kind, outcome string) {
	ctx, file := context.Background(), historyFile(kind, outcome)
	if written(file) {
		return
	}
	e := ref(map[string]string{workflows.Stripe: "stripe", workflows.Twilio: "twilio", workflows.Vapi: "vapi", workflows.Generic: "github"}[kind])
	e.EventID = outcome
	e.ID = event.ID(e.Key())
	if outcome == newerGeneration {
		e.Generation = 1
	}
	args := []any{e.Ref()}
	if outcome == bodyInside {
		args = []any{e, event.Pack([]byte(`{"id":"body_inside_the_input"}`))}
	}
	run := s.begun(ctx, kind, e, args)
	if outcome == cancelled {
		testkit.Eventually(s.t, func() bool { return s.tried(e) }, "the handler is tried")
		require.NoError(s.t, s.client.CancelWorkflow(ctx, run.GetID(), run.GetRunID()))
	}
	runID := run.GetRunID()
	_ = run.Get(ctx, nil) // some outcomes are failures
	if outcome == resetRun {
		reset, err := s.client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
			Namespace: s.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: runID}, Reason: "again",
			RequestId: outcome + kind, WorkflowTaskFinishEventId: 3,
		})
		require.NoError(s.t, err)
		runID = reset.RunId
		require.NoError(s.t, s.client.GetWorkflow(ctx, run.GetID(), runID).Get(ctx, nil))
	}
	s.write(file, run.GetID(), runID)
}

func (s *stage) tried(e event.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts["handle handle"+e.Key()] > 0
}

// reconcile runs a reader as its Schedule does: by itself, or after one that left its watermark.
func (s *stage) reconcile(kind, outcome string) {
	ctx, file := context.Background(), historyFile(kind, outcome)
	if written(file) {
		return
	}
	schedule, err := s.client.ScheduleClient().Create(ctx, client.ScheduleOptions{ID: kind + outcome, Paused: true,
		Action: &client.ScheduleWorkflowAction{ID: outcome, Workflow: kind, TaskQueue: workflows.TaskQueue}})
	require.NoError(s.t, err)
	runs := 1
	if outcome == secondReconcile {
		runs = 2
	}
	var workflowID, runID string
	for n := range runs {
		require.NoError(s.t, schedule.Trigger(ctx, client.ScheduleTriggerOptions{Overlap: enums.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL}))
		testkit.Eventually(s.t, func() bool {
			d, err := schedule.Describe(ctx)
			require.NoError(s.t, err)
			if len(d.Info.RecentActions) != n+1 || len(d.Info.RunningWorkflows) > 0 {
				return false
			}
			started := d.Info.RecentActions[n].StartWorkflowResult
			workflowID, runID = started.WorkflowID, started.FirstExecutionRunID
			return true
		}, "Reconcile has run")
	}
	s.write(file, workflowID, runID)
}

func historyFile(kind, outcome string) string {
	return filepath.Join(historyFolder, release, kind, outcome+".json")
}

func written(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// write writes the history of a closed run, one event per line, without what tells of this machine.
func (s *stage) write(file, workflowID, runID string) {
	var text bytes.Buffer
	events := s.client.GetWorkflowHistory(context.Background(), workflowID, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for separator := "{\"events\":[\n"; events.HasNext(); separator = ",\n" {
		e, err := events.Next()
		require.NoError(s.t, err)
		clean(e)
		line, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(e)
		require.NoError(s.t, err)
		text.WriteString(separator)
		require.NoError(s.t, json.Compact(&text, line)) // protojson spaces at random
	}
	text.WriteString("\n]}\n")
	require.NoError(s.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(s.t, os.WriteFile(file, text.Bytes(), 0o644))
	fmt.Println("recorded", file, text.Len(), "bytes")
}

// clean takes out host names and places in our files; replay looks at neither.
func clean(e *historypb.HistoryEvent) {
	if queue := e.GetWorkflowTaskScheduledEventAttributes().GetTaskQueue(); queue.GetKind() == enums.TASK_QUEUE_KIND_STICKY {
		queue.Name = recorder
	}
	for _, f := range []*failurepb.Failure{
		e.GetMarkerRecordedEventAttributes().GetFailure(), e.GetActivityTaskStartedEventAttributes().GetLastFailure(),
		e.GetActivityTaskFailedEventAttributes().GetFailure(), e.GetWorkflowExecutionFailedEventAttributes().GetFailure(),
	} {
		for ; f != nil; f = f.Cause {
			f.StackTrace = ""
		}
	}
}
