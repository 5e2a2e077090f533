package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"
	"hookflow/store"
	"hookflow/workflows"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// bench is one handler behind the interceptor, with a ledger that can be taken away.
type bench struct {
	*testing.T
	env   *testsuite.TestActivityEnvironment
	store *store.Store
	url   string // past the proxy
	proxy *testkit.Proxy
	event event.Event
	got   []event.Event // what the handler was given
	ended []bool        // failed, per attempt
}

func newBench(t *testing.T, handle func(e event.Event) (any, error)) *bench {
	t.Helper()
	b := &bench{T: t, url: testkit.Database(t)}
	proxy, through := testkit.DatabaseProxy(t, b.url)
	b.proxy, b.store = proxy, testkit.OpenStore(t, through, store.Options{})
	live := true
	b.event = event.Event{
		Provider: "stripe", Scheme: "stripe", EventID: "evt_1", Type: "thing.happened", Account: "acct_1", Livemode: &live,
		OccurredAt: noon, ReceivedAt: noon, Headers: map[string]string{"User-Agent": "Stripe/1.0"}, ContentType: "application/json",
		Body: []byte("{\"bytes\":\"\xff\x00 as they came\"}"),
	}
	b.event.ID = event.ID(b.event.Key())
	_, err := b.store.InsertEvents(t.Context(), []store.Arrival{{Event: &b.event}})
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(testkit.Quiet())
	b.env = suite.NewTestActivityEnvironment()
	b.env.SetTestTimeout(30 * time.Second)
	b.env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&attempts{
		store: b.store, now: func() time.Time { return noon }, log: silent(), foreign: newForeign(b.store, silent()), forwards: newShares(slots), questions: newShares(slots), steps: func(_ string, failed, _ bool) { b.ended = append(b.ended, failed) },
	}}})
	b.env.RegisterActivityWithOptions(func(_ context.Context, e event.Event) (any, error) {
		b.got = append(b.got, e)
		return handle(e)
	}, activity.RegisterOptions{Name: "thing.Handle"})
	return b
}

// attempt makes one attempt of a step as the workflow asks for it: with a reference.
func (b *bench) attempt(step string, epoch, generation int) error {
	input := b.event.Ref()
	input.Step, input.Epoch, input.Generation = step, epoch, generation
	_, err := b.env.ExecuteActivity("thing.Handle", input)
	return err
}

func (b *bench) find() event.Detail {
	b.Helper()
	d, err := testkit.OpenStore(b, b.url, store.Options{}).Find(b.Context(), b.event.ID)
	require.NoError(b, err)
	return d
}

func fine(event.Event) (any, error) { return "done", nil }

func TestInterceptor_fillsTheEvent(t *testing.T) {
	t.Parallel()
	for name, remembered := range map[string]bool{"from the ledger": false, "from memory": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, fine)
			if remembered {
				b.store.Remember(b.event)
				b.proxy.Refuse() // nobody is asked
			}
			want := b.event
			want.Step, want.Epoch, want.Generation = "a step", 2, 3
			require.NoError(t, b.attempt("a step", 2, 3))
			require.Equal(t, []event.Event{want}, b.got)
			require.Equal(t, "stripe:evt_1/a step/2", b.got[0].IdempotencyKey())

			// What one attempt knows does not stay with the event: another step of it may run at the same time.
			b.proxy.Refuse()
			require.NoError(t, b.attempt("another", 0, 0), "the event is remembered now")
			want.Step, want.Epoch, want.Generation = "another", 0, 0
			require.Equal(t, want, b.got[1])
			require.Equal(t, []bool{false, false}, b.ended)
		})
	}
}

func TestInterceptor_ledgerAway(t *testing.T) {
	t.Parallel()
	b := newBench(t, fine)
	b.proxy.Refuse()
	err := b.attempt("a", 0, 0)
	requireFinal(t, err, routing.LedgerUnavailable)
	require.Empty(t, b.got, "a handler never sees half an event")
	var application *temporal.ApplicationError
	var attempts int32
	var waits bool
	require.ErrorAs(t, err, &application)
	require.NoError(t, application.Details(&attempts, &waits))
	require.False(t, waits, "a run that knows no waiting is told nothing of it")

	input := b.event.Ref()
	input.Step, input.Waiting = "a", &event.Waiting{}
	_, err = b.env.ExecuteActivity("thing.Handle", input)
	requireFinal(t, err, routing.LedgerUnavailable)
	require.ErrorAs(t, err, &application)
	require.NoError(t, application.Details(&attempts, &waits))
	require.Zero(t, attempts)
	require.True(t, waits)
	_, err = b.env.ExecuteLocalActivity(func(context.Context, event.Event) error { return nil }, input)
	require.ErrorAs(t, err, &application)
	require.Equal(t, routing.LedgerUnavailable, application.Type())
	require.NoError(t, application.Details(&attempts, &waits))
	require.True(t, waits)
	b.proxy.Heal()
	require.NoError(t, b.attempt("a", 0, 0))
	d := b.find()
	require.Zero(t, d.Attempts, "an outage is not the handler's failure")
	require.Nil(t, d.LastError)
	require.Empty(t, d.Steps)
}

// A ledger that comes back within the attempt costs nothing but time.
func TestInterceptor_ledgerAwayForAMoment(t *testing.T) {
	t.Parallel()
	b := newBench(t, fine)
	b.proxy.Refuse()
	done := make(chan error, 1)
	go func() { done <- b.attempt("a", 0, 0) }()
	testkit.Eventually(t, func() bool { return b.store.Ping(t.Context()) != nil }, "the ledger is away")
	b.proxy.Heal()
	require.NoError(t, <-done)
	require.Len(t, b.got, 1)
}

func TestInterceptor_withoutTheEvent(t *testing.T) {
	t.Parallel()
	for errorType, sql := range map[string]string{
		routing.LedgerRowMissing: `DELETE FROM webhook_events`, routing.ContentErased: `DELETE FROM webhook_bodies`,
	} {
		t.Run(errorType, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, fine)
			testkit.Exec(t, b.url, sql)
			requireFinal(t, b.attempt("a", 0, 0), errorType)
			require.Empty(t, b.got)
		})
	}
}

// requireFinal asserts an error that no further attempt follows.
func requireFinal(t *testing.T, err error, errorType string) {
	t.Helper()
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Equal(t, errorType, application.Type())
	require.True(t, application.NonRetryable())
}

// While a step is being repeated, the row and the step say how often and why.
func TestInterceptor_notesFailedAttempts(t *testing.T) {
	t.Parallel()
	failures := []error{
		errors.New("connection reset"),
		temporal.NewApplicationError("no such account\x00", "Refused"),
		&http503{},
		activities.LedgerUnavailable(errors.New("away")), // by Once: not the handler's
		nil,
	}
	next := 0
	b := newBench(t, func(event.Event) (any, error) { next++; return "done", failures[next-1] })
	_, err := b.store.BeginRun(t.Context(), b.event.ID, event.Run{RunID: "r", OriginalRunID: "r"}, store.Beginning{Status: event.Processing}, noon)
	require.NoError(t, err)
	for i, want := range []struct {
		attempts         int
		message, errType string
	}{{1, "connection reset", ""}, {2, "no such account\uFFFD", "Refused"}, {3, "503", "http503"}, {3, "503", "http503"}, {3, "503", "http503"}} {
		err := b.attempt("a", 0, 0)
		require.Equal(t, failures[i] != nil, err != nil)
		d := b.find()
		require.Equal(t, event.Processing, d.Status)
		require.Equal(t, want.attempts, d.Attempts)
		require.Equal(t, want.message, *d.LastError)
		require.Equal(t, want.errType, *d.LastErrorType)
		require.Len(t, d.Steps, 1)
		require.Equal(t, event.StepRecord{
			Step: "a", Status: event.Processing, Attempts: want.attempts, Error: d.LastError, ErrorType: d.LastErrorType, StartedAt: d.Steps[0].StartedAt,
		}, d.Steps[0])
		require.True(t, noon.Equal(*d.Steps[0].StartedAt))
	}
	require.Equal(t, []bool{true, true, true, true, false}, b.ended)
}

type http503 struct{}

func (*http503) Error() string { return "503" }

func TestInterceptor_notesPanics(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(event.Event) (any, error) { panic("index out of range") })
	var panicked *temporal.PanicError
	require.ErrorAs(t, b.attempt("a", 0, 0), &panicked)
	d := b.find()
	require.Equal(t, 1, d.Attempts)
	require.Equal(t, "index out of range", *d.LastError)
	require.Equal(t, "panic", *d.LastErrorType)
	require.Equal(t, []bool{true}, b.ended)
}

// The row of a newer generation is not told what an attempt of an older one met.
func TestInterceptor_olderGeneration(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(event.Event) (any, error) { return nil, errors.New("broken") })
	testkit.Exec(t, b.url, `UPDATE webhook_events SET generation = 1`)
	require.Error(t, b.attempt("a", 0, 0))
	d := b.find()
	require.Zero(t, d.Attempts)
	require.Nil(t, d.LastError)
}

// A failure that cannot be noted is still the failure.
func TestInterceptor_failureWhileTheLedgerIsAway(t *testing.T) {
	t.Parallel()
	var b *bench
	b = newBench(t, func(event.Event) (any, error) {
		b.proxy.Refuse()
		return nil, temporal.NewApplicationError("no", "Refused")
	})
	var application *temporal.ApplicationError
	require.ErrorAs(t, b.attempt("a", 0, 0), &application)
	require.Equal(t, "Refused", application.Type())
}

// Begin, Finish and housekeeping get what they were sent, and what they fail with is noted nowhere.
func TestInterceptor_leavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, fine)
	b.store.Remember(b.event)
	broken := errors.New("broken")
	var begun event.Event
	var since time.Time
	b.env.RegisterActivityWithOptions(func(_ context.Context, e event.Event) error { begun = e; return broken }, activity.RegisterOptions{Name: workflows.Begin})
	b.env.RegisterActivityWithOptions(func(_ context.Context, at time.Time) error { since = at; return broken }, activity.RegisterOptions{Name: workflows.ReconcileClosed})
	b.env.RegisterActivityWithOptions(func(context.Context) error { return broken }, activity.RegisterOptions{Name: workflows.ReconcileOpen})
	input := b.event.Ref()
	input.Step = "a"
	_, err := b.env.ExecuteActivity(workflows.Begin, input)
	require.ErrorContains(t, err, "broken")
	require.Equal(t, input, begun, "not filled")
	_, err = b.env.ExecuteActivity(workflows.ReconcileClosed, noon)
	require.ErrorContains(t, err, "broken")
	require.True(t, noon.Equal(since))
	_, err = b.env.ExecuteActivity(workflows.ReconcileOpen)
	require.ErrorContains(t, err, "broken")
	d := b.find()
	require.Zero(t, d.Attempts)
	require.Empty(t, d.Steps)
	require.Empty(t, b.ended)
}

// What a handler gives the timeline goes to the ledger, and to the ledger alone.
func TestInterceptor_detailOfAnAttempt(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(event.Event) (any, error) {
		refused := temporal.NewNonRetryableApplicationError("the receiver answered 410", "Gone", nil)
		return nil, activities.WithDetail(refused, map[string]any{"status": 410, "answer": "a canary"})
	})
	err := b.attempt("a", 0, 0)
	requireFinal(t, err, "Gone")
	require.NotContains(t, err.Error(), "canary")
	for _, m := range b.find().Timeline {
		if m.Kind == event.AttemptFailed {
			require.JSONEq(t, `{"status":410,"answer":"a canary"}`, string(m.Detail))
			require.Equal(t, "the receiver answered 410", *m.Error)
			require.Equal(t, "Gone", *m.ErrorType)
			return
		}
	}
	require.Fail(t, "the attempt is not on the timeline")
}
