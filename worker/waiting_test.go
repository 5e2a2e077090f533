package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// room is where steps wait for the ledger: a worker on a Temporal of its own, and a ledger that can be taken away.
type room struct {
	*testing.T
	temporal client.Client
	store    *store.Store
	url      string // past the proxy
	proxy    *testkit.Proxy

	mu       sync.Mutex
	handlers map[string]func(ctx context.Context, attempt int) error // by event id
	attempts map[string]int
	worker   *attempts
}

func newRoom(t *testing.T, around ...interceptor.WorkerInterceptor) *room {
	t.Helper()
	url := testkit.Database(t)
	proxy, through := testkit.DatabaseProxy(t, url)
	r := &room{
		T: t, url: url, temporal: testkit.Client(t, testkit.Namespace(t)), store: testkit.OpenStore(t, through, store.Options{}), proxy: proxy,
		handlers: map[string]func(context.Context, int) error{}, attempts: map[string]int{},
	}
	r.worker = &attempts{
		store: r.store, now: time.Now, log: silent(), foreign: newForeign(r.store, silent()), forwards: newShares(slots), questions: newShares(slots), away: away{shortest: 50 * time.Millisecond, longest: 50 * time.Millisecond},
	}
	w := worker.New(r.temporal, "waiting", worker.Options{Interceptors: append(around, r.worker)})
	w.RegisterActivityWithOptions(func(ctx context.Context, e event.Event) error {
		r.mu.Lock()
		r.attempts[e.EventID]++
		handle, attempt := r.handlers[e.EventID], r.attempts[e.EventID]
		r.mu.Unlock()
		if e.Waiting != nil {
			return temporal.NewNonRetryableApplicationError("the handler is told of the waiting", "Told", nil)
		}
		return handle(ctx, attempt)
	}, activity.RegisterOptions{Name: "thing.Handle"})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, e event.Event, timeout time.Duration, most int32) error {
		return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: timeout,
			RetryPolicy: &temporal.RetryPolicy{
				InitialInterval: 10 * time.Millisecond, BackoffCoefficient: 2, MaximumAttempts: most,
				NonRetryableErrorTypes: []string{"Declared"},
			},
		}), "thing.Handle", e).Get(ctx, nil)
	}, workflow.RegisterOptions{Name: "Waits"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return r
}

// attemptTime is how long an attempt may take where that is not what a test is about.
const attemptTime = 5 * time.Second

// begin starts a run whose only step waits, with what it has left.
func (r *room) begin(id string, left event.Waiting, handle func(ctx context.Context, attempt int) error) client.WorkflowRun {
	r.Helper()
	return r.beginWithin(id, attemptTime, 0, left, handle)
}

// beginWithin starts a run whose only step may take some time in each attempt, of which Temporal makes most.
func (r *room) beginWithin(id string, timeout time.Duration, most int32, left event.Waiting, handle func(ctx context.Context, attempt int) error) client.WorkflowRun {
	r.Helper()
	e := thing(id)
	r.store.Remember(e)
	return r.start(e, timeout, most, left, handle)
}

// start is beginWithin for an event that this process does not remember.
func (r *room) start(e event.Event, timeout time.Duration, most int32, left event.Waiting, handle func(ctx context.Context, attempt int) error) client.WorkflowRun {
	r.Helper()
	r.mu.Lock()
	r.handlers[e.EventID] = handle
	r.mu.Unlock()
	ref := e.Ref()
	ref.Step, ref.Waiting = "a", &left
	run, err := r.temporal.ExecuteWorkflow(r.Context(), client.StartWorkflowOptions{ID: e.EventID, TaskQueue: "waiting"}, "Waits", ref, timeout, most)
	require.NoError(r, err)
	return run
}

func thing(id string) event.Event {
	e := event.Event{Provider: "stripe", Scheme: "stripe", EventID: id, Type: "thing.happened", Body: []byte("{}")}
	e.ID = event.ID(e.Key())
	return e
}

// kept puts an event into the ledger.
func (r *room) kept(id string) event.Event {
	r.Helper()
	e := thing(id)
	e.ReceivedAt = noon
	_, err := r.store.InsertEvents(r.Context(), []store.Arrival{{Event: &e}})
	require.NoError(r, err)
	return e
}

func (r *room) made(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.attempts[id]
}

// errHang never ends by itself, as an attempt whose worker was killed.
var errHang = errors.New("hangs")

// A step that waits for the ledger makes the attempts that it has left, and no more, whatever becomes of them.
func TestWaitingStep(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	failing := errors.New("connection reset")
	away := activities.LedgerUnavailable(errors.New("away"))
	final := temporal.NewNonRetryableApplicationError("gone", "Gone", nil)
	declared := temporal.NewApplicationError("no", "Declared", "a detail")
	long := temporal.NewApplicationErrorWithOptions("later", "HTTP429", temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
	for name, c := range map[string]struct {
		ends    []error // of each attempt in turn; the last for all others
		left    int32
		until   time.Duration // from now
		made    int
		message string // of the failure
		errType string
	}{
		"completes":                      {ends: []error{nil}, left: 1, made: 1},
		"completes with its last":        {ends: []error{failing, failing, nil}, left: 3, made: 3},
		"spends what is left":            {ends: []error{failing}, left: 3, made: 3, message: "connection reset"},
		"a final error":                  {ends: []error{final}, left: 3, made: 1, message: "gone", errType: "Gone"},
		"a declared type":                {ends: []error{declared}, left: 3, made: 1, message: "no", errType: "Declared"},
		"a type of Go":                   {ends: []error{&http503{}}, left: 2, made: 2, message: "503", errType: "http503"},
		"an outage counts for nothing":   {ends: []error{away, failing, away, away, failing}, left: 2, made: 5, message: "connection reset"},
		"a time-out is an attempt":       {ends: []error{errHang, nil}, left: 2, made: 2},
		"nothing but time-outs":          {ends: []error{errHang}, left: 2, made: 2, message: "the last attempt took longer than it may, or its worker was gone", errType: "StartToCloseTimeout"},
		"a time-out before an outage":    {ends: []error{errHang, away, failing}, left: 2, made: 3, message: "connection reset"},
		"one attempt after its time":     {ends: []error{failing}, left: 9, until: -time.Hour, made: 1, message: "connection reset"},
		"a time-out after its time":      {ends: []error{errHang}, left: 9, until: -time.Hour, made: 1, message: "the last attempt took longer than it may, or its worker was gone", errType: "ScheduleToCloseTimeout"},
		"a pause that outlasts its time": {ends: []error{long}, left: 9, until: time.Minute, made: 1, message: "later", errType: "HTTP429"},
		"attempts within its time":       {ends: []error{failing, failing, nil}, left: 9, until: time.Hour, made: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left := event.Waiting{Attempts: c.left}
			if c.until != 0 {
				left.Until = time.Now().Add(c.until)
			}
			timeout := attemptTime
			if slices.Contains(c.ends, errHang) {
				timeout = time.Second
			}
			err := r.beginWithin(name, timeout, 0, left, func(ctx context.Context, attempt int) error {
				end := c.ends[min(attempt, len(c.ends))-1]
				if end == errHang {
					<-ctx.Done()
				}
				return end
			}).Get(t.Context(), nil)
			require.Equal(t, c.made, r.made(name))
			if c.message == "" {
				require.NoError(t, err)
				return
			}
			var application *temporal.ApplicationError
			require.ErrorAs(t, err, &application)
			require.Equal(t, c.message, application.Message())
			require.Equal(t, c.errType, application.Type())
		})
	}
}

// While the ledger is away the handler hears nothing, even where memory holds the event.
func TestWaitingStep_ledgerAway(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.proxy.Refuse()
	run := r.begin("evt_1", event.Waiting{Attempts: 1}, func(context.Context, int) error { return nil })
	testkit.Eventually(t, func() bool {
		d, err := r.temporal.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
		require.NoError(t, err)
		return len(d.PendingActivities) == 1 && d.PendingActivities[0].Attempt > 3
	}, "the step is repeated")
	require.Zero(t, r.made("evt_1"))
	r.proxy.Heal()
	require.NoError(t, run.Get(t.Context(), nil))
	require.Equal(t, 1, r.made("evt_1"))
	require.Zero(t, r.worker.away.until, "the outage is over, also for the pauses")
}

func TestWaitingStep_panics(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	err := r.begin("evt_1", event.Waiting{Attempts: 2}, func(context.Context, int) error { panic("index out of range") }).Get(t.Context(), nil)
	var panicked *temporal.PanicError
	require.ErrorAs(t, err, &panicked)
	require.Equal(t, "index out of range", panicked.Error())
	require.Equal(t, 2, r.made("evt_1"))
}

// What a handler tells its next attempt reaches it beside the count, also over an outage.
func TestWaitingStep_heartbeats(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	type page struct{ At, Of int }
	err := r.begin("evt_1", event.Waiting{Attempts: 3}, func(ctx context.Context, attempt int) error {
		var name string
		var at page
		known := activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &name, &at) == nil
		switch attempt {
		case 1:
			if known || !errors.Is(activity.GetHeartbeatDetails(ctx, &name), temporal.ErrNoData) {
				return temporal.NewNonRetryableApplicationError("there are details of nobody", "Wrong", nil)
			}
			activity.RecordHeartbeat(ctx, "pages", page{1, 3})
			activity.RecordHeartbeat(ctx, "pages", page{2, 3})
			return errors.New("connection reset")
		case 2:
			return activities.LedgerUnavailable(errors.New("away"))
		case 3:
			return errors.New("connection reset")
		}
		if !known || name != "pages" || at != (page{2, 3}) {
			return temporal.NewNonRetryableApplicationError("the details are lost", "Wrong", nil)
		}
		return nil
	}).Get(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, 4, r.made("evt_1"))
}

// Other steps' heartbeats are their own.
func TestHeartbeatsOfOtherSteps(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	err := r.begin("evt_1", event.Waiting{}, func(ctx context.Context, attempt int) error {
		var at int
		if attempt == 1 {
			activity.RecordHeartbeat(ctx, 7)
			return errors.New("connection reset")
		}
		if !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &at) != nil || at != 7 {
			return temporal.NewNonRetryableApplicationError("the details are lost", "Wrong", nil)
		}
		return nil
	}).Get(t.Context(), nil)
	require.NoError(t, err)
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	p := &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 3, MaximumInterval: 10 * time.Second}
	for made, want := range []time.Duration{1: time.Second, 2: 3 * time.Second, 3: 9 * time.Second, 4: 10 * time.Second, 5000: 10 * time.Second} {
		if want > 0 {
			require.Equal(t, want, backoff(p, int32(made)))
		}
	}
	require.Equal(t, 4*time.Second, backoff(nil, 3), "as Temporal has it")
	require.Equal(t, 100*time.Second, backoff(&temporal.RetryPolicy{}, 100))
	require.Equal(t, time.Second, backoff(p, 0))
	require.Equal(t, time.Second, backoff(p, -3))
}

// The longer the ledger is away, the less often it is asked for.
func TestPauseGrowsWithTheOutage(t *testing.T) {
	t.Parallel()
	a := away{shortest: shortestPause, longest: longestPause}
	require.Equal(t, 15*time.Second, a.pause(noon))
	require.Equal(t, 15*time.Second, a.pause(noon.Add(50*time.Second)))
	require.Equal(t, 25*time.Second, a.pause(noon.Add(100*time.Second)))
	require.Equal(t, 30*time.Second, a.pause(noon.Add(2*time.Minute)))
	require.Equal(t, 45*time.Second, a.pause(noon.Add(3*time.Minute)))
	require.Equal(t, 45*time.Second, a.pause(noon.Add(4*time.Minute)))
	a.back()
	require.Equal(t, 15*time.Second, a.pause(noon.Add(4*time.Minute+time.Second)), "it was back meanwhile")
	require.Equal(t, 15*time.Second, a.pause(noon.Add(10*time.Minute)), "another outage")
}
