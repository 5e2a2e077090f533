package workflows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/workflows"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Golden histories: what runs of released versions left in Temporal. A run may be in flight while a new version is
// deployed, and the new code must then issue the very commands that the history holds, or the run is stuck
// (docs.temporal.io/workflow-definition#deterministic-constraints). Each file is testdata/histories/RELEASE/TYPE/OUTCOME.json,
// recorded from a Temporal server by record_test.go.
//
// When TestReplay fails, the change to the workflow is wrong, not the file: keep the old commands for old runs with
// workflow.GetVersion. Then record what new runs leave, as another release. Histories are added, never replaced.

// TestReplay replays every recorded history with today's workflows.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, file := range histories(t, "*", "*", "*") {
		name, _ := filepath.Rel(historyFolder, file)
		t.Run(strings.TrimSuffix(name, ".json"), func(t *testing.T) {
			t.Parallel()
			require.NoError(t, replay(t, file, nil))
		})
	}
}

// TestEveryOutcomeIsRecorded holds the list of outcomes and the files together.
func TestEveryOutcomeIsRecorded(t *testing.T) {
	t.Parallel()
	for _, kind := range append(workflows.Names(), workflows.ReconcileWorkflow, workflows.ReconcileRunsWorkflow) {
		for _, outcome := range outcomesOf(kind) {
			require.NotEmpty(t, histories(t, "*", kind, outcome), "%s of %s: see record_test.go", outcome, kind)
		}
	}
}

// TestHistoriesAreClean: a history is shown to everyone, so it says nothing of the machine that recorded it.
func TestHistoriesAreClean(t *testing.T) {
	t.Parallel()
	for _, file := range histories(t, "*", "*", "*") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Less(t, len(text), 32<<10, "%s: small enough to be read", file)
		require.NotContains(t, string(text), "stackTrace", file)
		require.NotContains(t, string(text), ".go:", file)
		for _, e := range parseHistory(t, file).Events {
			if started := e.GetWorkflowTaskStartedEventAttributes(); started != nil {
				require.Contains(t, []string{recorder, "history-service"}, started.Identity, file)
			}
		}
	}
}

// TestReplayNoticesAnotherProcess shows that TestReplay can fail: each change to the story of a run is noticed by the
// histories of the outcomes that come by it, and only an outcome that ends before it is none the wiser. (One thing the
// SDK's replayer does not compare: the last command of a run that did not complete. TestEachWorkflow does.)
func TestReplayNoticesAnotherProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		changed  func(workflow.Context, event.Event, []byte) error
		noticed  []string
		overlook []string
	}{
		{"an activity before Begin", func(ctx workflow.Context, e event.Event, body []byte) error {
			if err := workflow.ExecuteActivity(quick(ctx), "thing.Greet", e).Get(ctx, nil); err != nil {
				return err
			}
			return workflows.StripeWebhook(ctx, e, body)
		}, allOutcomes(), nil},
		{"a timer before Begin", func(ctx workflow.Context, e event.Event, body []byte) error {
			if err := workflow.Sleep(ctx, time.Second); err != nil {
				return err
			}
			return workflows.StripeWebhook(ctx, e, body)
		}, allOutcomes(), nil},
		{"an activity after Finish", func(ctx workflow.Context, e event.Event, body []byte) error {
			if err := workflows.StripeWebhook(ctx, e, body); err != nil {
				return err
			}
			return workflow.ExecuteActivity(quick(ctx), "thing.Greet", e).Get(ctx, nil)
		}, []string{inlineCompleted, ordinaryCompleted, noRoute, bodyInside, ledgerAway, beginFellBack, newerGeneration, resetRun},
			[]string{failed, cancelled}},
		{"Begin under another name", func(ctx workflow.Context, e event.Event, _ []byte) error {
			local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{ScheduleToCloseTimeout: time.Second})
			return workflow.ExecuteLocalActivity(local, workflows.Finish, e).Get(ctx, nil)
		}, allOutcomes(), nil},
		{"no Finish", func(ctx workflow.Context, e event.Event, _ []byte) error {
			local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{ScheduleToCloseTimeout: time.Second})
			if err := workflow.ExecuteLocalActivity(local, workflows.Begin, e).Get(ctx, nil); err != nil {
				return err
			}
			return workflow.ExecuteActivity(quick(ctx), "thing.Handle", e).Get(ctx, nil)
		}, []string{ordinaryCompleted, failed, cancelled, finishFellBack, resetRun}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, outcome := range c.noticed {
				for _, file := range histories(t, "*", workflows.Stripe, outcome) {
					require.Error(t, replay(t, file, c.changed), file)
				}
			}
			for _, outcome := range c.overlook {
				for _, file := range histories(t, "*", workflows.Stripe, outcome) {
					require.NoError(t, replay(t, file, c.changed), file)
				}
			}
		})
	}
}

// TestHistoriesHoldWhatTheirNamesSay keeps a recording that went another way from standing in for an outcome.
func TestHistoriesHoldWhatTheirNamesSay(t *testing.T) {
	t.Parallel()
	for _, kind := range workflows.Names() {
		for outcome, want := range map[string]func(*historypb.History) bool{
			inlineCompleted:   func(h *historypb.History) bool { return len(h.Events) == costInline && count(h, completedRun) == 1 },
			ordinaryCompleted: func(h *historypb.History) bool { return count(h, retriedActivity) > 0 && count(h, completedRun) == 1 },
			failed:            func(h *historypb.History) bool { return count(h, failedRun) == 1 },
			noRoute:           func(h *historypb.History) bool { return count(h, marker) == 1 && count(h, completedRun) == 1 },
			bodyInside:        func(h *historypb.History) bool { return len(startOf(h).Input.Payloads) == 2 },
			ledgerAway: func(h *historypb.History) bool {
				return count(h, scheduled(workflows.AwaitLedger)) > 0 && count(h, completedRun) == 1
			},
			waited: func(h *historypb.History) bool {
				return len(h.Events) == costOrdinary+8 && count(h, scheduled(workflows.AwaitLedger)) == 0 && count(h, completedRun) == 1
			},
			waitedInline: func(h *historypb.History) bool {
				return len(h.Events) == costInline+6 && count(h, scheduled(workflows.AwaitLedger)) == 0 && count(h, completedRun) == 1
			},
			beginWaited: func(h *historypb.History) bool {
				return count(h, scheduled(workflows.AwaitLedger)) == 1 && count(h, scheduled(workflows.Begin)) == 0
			},
			beginFellBack:   func(h *historypb.History) bool { return count(h, scheduled(workflows.Begin)) == 1 },
			finishFellBack:  func(h *historypb.History) bool { return count(h, scheduled(workflows.Finish)) == 1 },
			cancelled:       func(h *historypb.History) bool { return count(h, cancelledRun) == 1 },
			newerGeneration: func(h *historypb.History) bool { return count(h, marker) == 1 && count(h, completedRun) == 1 },
			parallelCompleted: func(h *historypb.History) bool {
				return count(h, scheduled("thing.Handle")) == 3 && atOnce(h) && count(h, completedRun) == 1
			},
			parallelFailed: func(h *historypb.History) bool {
				return count(h, scheduled("thing.Handle")) == 3 && atOnce(h) && count(h, completedActivity) == 2 && count(h, failedRun) == 1
			},
			resetRun: func(h *historypb.History) bool {
				return startOf(h).OriginalExecutionRunId != startOf(h).FirstExecutionRunId || count(h, resetTask) == 1
			},
		} {
			for _, file := range histories(t, "*", kind, outcome) {
				require.True(t, want(parseHistory(t, file)), file)
			}
		}
	}
}

// The history events of a run of one step, when nothing goes wrong.
const (
	costInline   = 8
	costOrdinary = 13
)

type predicate func(*historypb.HistoryEvent) bool

func count(h *historypb.History, is predicate) int {
	n := 0
	for _, e := range h.Events {
		if is(e) {
			n++
		}
	}
	return n
}

func startOf(h *historypb.History) *historypb.WorkflowExecutionStartedEventAttributes {
	return h.Events[0].GetWorkflowExecutionStartedEventAttributes()
}

func completedRun(e *historypb.HistoryEvent) bool {
	return e.GetWorkflowExecutionCompletedEventAttributes() != nil
}
func failedRun(e *historypb.HistoryEvent) bool {
	return e.GetWorkflowExecutionFailedEventAttributes() != nil
}
func cancelledRun(e *historypb.HistoryEvent) bool {
	return e.GetWorkflowExecutionCanceledEventAttributes() != nil
}
func marker(e *historypb.HistoryEvent) bool { return e.GetMarkerRecordedEventAttributes() != nil }
func resetTask(e *historypb.HistoryEvent) bool {
	return e.GetWorkflowTaskFailedEventAttributes().GetNewRunId() != ""
}
func retriedActivity(e *historypb.HistoryEvent) bool {
	return e.GetActivityTaskStartedEventAttributes().GetAttempt() > 1
}

func completedActivity(e *historypb.HistoryEvent) bool {
	return e.GetActivityTaskCompletedEventAttributes() != nil
}

// atOnce reports whether two activities were scheduled by the same workflow task.
func atOnce(h *historypb.History) bool {
	by := map[int64]int{}
	for _, e := range h.Events {
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			by[a.WorkflowTaskCompletedEventId]++
		}
	}
	for _, n := range by {
		if n > 1 {
			return true
		}
	}
	return false
}

func scheduled(activity string) predicate {
	return func(e *historypb.HistoryEvent) bool {
		return e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activity
	}
}

const historyFolder = "testdata/histories"

// histories returns the files of a release, a type and an outcome, each of which may be a glob.
func histories(t *testing.T, release, kind, outcome string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(historyFolder, release, kind, outcome+".json"))
	require.NoError(t, err)
	return files
}

func parseHistory(t *testing.T, file string) *historypb.History {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	h, err := client.HistoryFromJSON(f, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return h
}

// Old and new workers side by side: a new one made the attempt, and says that the step can wait; an old one was at the run,
// to which that means nothing. Doctored: no binary of today does both.
func TestReplay_olderWorkerAtTheRun(t *testing.T) {
	t.Parallel()
	for _, kind := range workflows.Names() {
		for _, file := range histories(t, "*", kind, ledgerAway) {
			h, doctored := parseHistory(t, file), 0
			details, err := converter.GetDefaultDataConverter().ToPayloads(0, true)
			require.NoError(t, err)
			for _, e := range h.Events {
				if info := e.GetActivityTaskFailedEventAttributes().GetFailure().GetApplicationFailureInfo(); info != nil {
					info.Details = details
					doctored++
				}
			}
			require.Positive(t, doctored, file)
			require.NoError(t, replayed(h, nil), file)
		}
	}
}

// replay replays a file with today's workflows, or with stripe in the place of StripeWebhook.
func replay(t *testing.T, file string, stripe any) error {
	t.Helper()
	return replayed(parseHistory(t, file), stripe)
}

func replayed(h *historypb.History, stripe any) error {
	replayer := worker.NewWorkflowReplayer()
	for name, w := range workflows.ByName {
		if name == workflows.Stripe && stripe != nil {
			w = stripe
		}
		replayer.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: name})
	}
	replayer.RegisterWorkflowWithOptions(workflows.Reconcile, workflow.RegisterOptions{Name: workflows.ReconcileWorkflow})
	replayer.RegisterWorkflowWithOptions(workflows.ReconcileRuns, workflow.RegisterOptions{Name: workflows.ReconcileRunsWorkflow})
	return replayer.ReplayWorkflowHistory(testkit.Quiet(), h)
}

func quick(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Second})
}
