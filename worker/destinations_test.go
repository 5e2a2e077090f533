package worker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hookflow/activities"
	"hookflow/delivery"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"
	"hookflow/store"
	"hookflow/workflows"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
)

// region is a process with a main worker and workers of destinations, on real servers.
type region struct {
	*testing.T
	store    *store.Store
	url      string // of Postgres
	temporal client.Client

	mu         sync.Mutex
	configured map[string]routing.Destination
	options    routing.Options // of the steps
	stands     []string        // as the metrics hear it
	events     atomic.Int64
}

func newRegion(t *testing.T, destinations ...routing.Destination) *region {
	t.Helper()
	r := &region{T: t, configured: map[string]routing.Destination{}, options: quick}
	for _, d := range destinations {
		r.configured[d.Name] = d
	}
	r.store, r.url = testkit.Store(t, store.Options{MaxConns: 8})
	r.temporal = testkit.Client(t, testkit.Namespace(t))
	c := Config{
		Temporal: r.temporal, Store: r.store, Now: time.Now, Log: silent(),
		Mirror: &activities.Mirror{Store: r.store, Plan: r.plan, Now: time.Now, Log: silent()},
		Handlers: Handlers{"forward": &activities.Forward{
			Client: delivery.New(time.Now, nil), Destination: r.destination, Secret: func(string) (string, error) { return secret, nil },
		}},
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { Run(ctx, c) })
	running.Go(func() { (&Destinations{Config: c, Configured: r.destinations, Stands: r.stand}).Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return r
}

var (
	secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	quick  = routing.Options{
		StartToCloseTimeout: routing.Duration(10 * time.Second), ScheduleToCloseTimeout: routing.Duration(time.Hour),
		RetryPolicy: routing.RetryPolicy{InitialInterval: routing.Duration(200 * time.Millisecond), BackoffCoefficient: 1},
	}
)

func (r *region) destinations() map[string]routing.Destination {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]routing.Destination{}
	for name, d := range r.configured {
		all[name] = d
	}
	return all
}

func (r *region) destination(name string) (routing.Destination, bool) {
	d, ok := r.destinations()[name]
	return d, ok
}

func (r *region) stand(name, state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stands = append(r.stands, name+" "+state)
}

func (r *region) awaitStands(want ...string) {
	r.Helper()
	testkit.Eventually(r, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.Equal(r.stands, want)
	}, "the metrics did not hear %v", want)
}

// plan forwards an event to the destination that its type names; "nowhere" is an ordinary forward.
func (r *region) plan(e *event.Event, _ json.RawMessage) routing.Plan {
	input, err := json.Marshal(routing.Forward{Destination: e.Type})
	require.NoError(r, err)
	return routing.Plan{Steps: []routing.Step{{
		Name: "forward", Activity: routing.ForwardActivity, TaskQueue: routing.DestinationQueue(event.DefaultQueue, e.Type), Input: input, Options: r.options,
	}}}
}

// start begins a run for a new event and returns its id.
func (r *region) start(destination string) string {
	r.Helper()
	e := event.Event{Provider: "acme", Scheme: "acme", EventID: fmt.Sprint("evt_", r.events.Add(1)), Type: destination, ReceivedAt: time.Now(),
		ContentType: "application/json", Body: []byte(`{}`)}
	e.ID = event.ID(e.Key())
	_, err := r.store.InsertEvents(r.Context(), []store.Arrival{{Event: &e}})
	require.NoError(r, err)
	_, err = r.temporal.ExecuteWorkflow(r.Context(), client.StartWorkflowOptions{ID: e.WorkflowID(), TaskQueue: workflows.TaskQueue},
		workflows.Generic, e.Ref(), nil)
	require.NoError(r, err)
	return e.ID
}

func (r *region) find(id string) event.Detail {
	r.Helper()
	d, err := r.store.Find(r.Context(), id)
	require.NoError(r, err)
	return d
}

func (r *region) await(status event.Status, ids ...string) {
	r.Helper()
	for _, id := range ids {
		testkit.Eventually(r, func() bool { return r.find(id).Status == status }, "the event is not %s", status)
	}
}

func (r *region) awaitState(name string, state event.DestinationState) {
	r.Helper()
	testkit.Eventually(r, func() bool { return r.row(name).StateAt(time.Now()) == state }, "%s is not %s", name, state)
}

func (r *region) row(name string) event.Destination {
	r.Helper()
	all, err := r.store.Destinations(r.Context())
	require.NoError(r, err)
	for _, d := range all {
		if d.Name == name {
			return d
		}
	}
	return event.Destination{}
}

// pending returns how Temporal sees the only activity of a run, nil when it has none.
func (r *region) pending(id string) *workflow.PendingActivityInfo {
	r.Helper()
	d := r.find(id)
	run, err := r.temporal.DescribeWorkflowExecution(r.Context(), d.WorkflowID, "")
	require.NoError(r, err)
	if len(run.PendingActivities) == 0 {
		return nil
	}
	return run.PendingActivities[0]
}

func (r *region) awaitScheduled(ids ...string) {
	r.Helper()
	for _, id := range ids {
		testkit.Eventually(r, func() bool {
			p := r.pending(id)
			return p != nil && p.State == enums.PENDING_ACTIVITY_STATE_SCHEDULED
		}, "the step does not wait")
	}
}

// target is a receiver that can be told how to answer.
type target struct {
	url    string
	got    atomic.Int64
	status atomic.Int64
}

func newTarget(t *testing.T, status int64) *target {
	t.Helper()
	r := &target{}
	r.status.Store(status)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.got.Add(1)
		w.WriteHeader(int(r.status.Load()))
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *target) destination(name string, circuit routing.Circuit) routing.Destination {
	return routing.Destination{Name: name, Concurrency: 4, Circuit: circuit, Endpoint: routing.Endpoint{URL: r.url, AllowPrivate: true}}
}

// The metrics hear of each change once, and that a destination is gone.
func TestDestinations_stands(t *testing.T) {
	t.Parallel()
	r := newRegion(t, newTarget(t, 200).destination("billing", routing.Circuit{}))
	r.awaitStands("billing running")
	_, err := r.store.PauseDestination(t.Context(), "billing", "ann", "", time.Now())
	require.NoError(t, err)
	r.awaitStands("billing running", "billing paused")
	r.mu.Lock()
	delete(r.configured, "billing")
	r.configured["crm"] = routing.Destination{Name: "crm", Concurrency: 1}
	r.mu.Unlock()
	r.awaitStands("billing running", "billing paused", "billing ", "crm running")
}

func TestDestinations_pauseSpendsNoAttempts(t *testing.T) {
	t.Parallel()
	billing := newTarget(t, 200)
	r := newRegion(t, billing.destination("billing", routing.Circuit{}))
	r.await(event.Completed, r.start("billing"))
	require.EqualValues(t, 1, billing.got.Load())

	_, err := r.store.PauseDestination(t.Context(), "billing", "ann", "", time.Now())
	require.NoError(t, err)
	r.awaitUnpolled("billing")
	waiting := []string{r.start("billing"), r.start("billing")}
	r.awaitScheduled(waiting...)
	require.Never(t, func() bool { return billing.got.Load() > 1 }, 2*time.Second, 100*time.Millisecond)
	for _, id := range waiting {
		require.EqualValues(t, 1, r.pending(id).Attempt, "none was spent")
		require.Zero(t, r.find(id).Attempts)
	}
	_, err = r.store.ResumeDestination(t.Context(), "billing")
	require.NoError(t, err)
	r.await(event.Completed, waiting...)
	for _, id := range waiting {
		require.Equal(t, 1, r.find(id).Attempts)
	}
	require.EqualValues(t, 3, billing.got.Load())
}

// awaitUnpolled waits until this process has stopped its worker.
func (r *region) awaitUnpolled(name string) {
	r.Helper()
	since := time.Now()
	testkit.Eventually(r, func() bool {
		q, err := r.temporal.DescribeTaskQueue(r.Context(), routing.DestinationQueue(event.DefaultQueue, name), enums.TASK_QUEUE_TYPE_ACTIVITY)
		require.NoError(r, err)
		return !slices.ContainsFunc(q.Pollers, func(p *taskqueue.PollerInfo) bool { return p.LastAccessTime.AsTime().After(since.Add(2 * time.Second)) }) &&
			time.Since(since) > 3*time.Second
	}, "%s is still polled", name)
}

// While a destination is paused its steps' time goes on; the end says what happened.
func TestDestinations_pausedForTooLong(t *testing.T) {
	t.Parallel()
	billing := newTarget(t, 200)
	r := newRegion(t, billing.destination("billing", routing.Circuit{}))
	testkit.Eventually(t, func() bool { return r.row("billing").Name != "" }, "it is not known")
	_, err := r.store.PauseDestination(t.Context(), "billing", "ann", "", time.Now())
	require.NoError(t, err)
	r.awaitUnpolled("billing")
	r.options.ScheduleToCloseTimeout = routing.Duration(2 * time.Second)
	id := r.start("billing")
	r.await(event.Failed, id)
	d := r.find(id)
	require.Equal(t, "ScheduleToStartTimeout", *d.LastErrorType, "nobody took it in time")
	require.Zero(t, billing.got.Load())
}

func TestDestinations_circuit(t *testing.T) {
	t.Parallel()
	billing := newTarget(t, 500)
	d := billing.destination("billing", routing.Circuit{Failures: 3, Pause: 2 * time.Second})
	r := newRegion(t, d)
	var ids []string
	for range 5 {
		ids = append(ids, r.start("billing"))
	}
	r.awaitState("billing", event.CircuitOpen)
	require.Contains(t, *r.row("billing").LastFailure, "answered 500")

	// One attempt for each pause, not one of each event.
	for range 2 {
		r.awaitOpenedAnew("billing")
	}
	before := billing.got.Load()
	r.awaitOpenedAnew("billing")
	require.Equal(t, before+1, billing.got.Load(), "one attempt decides")

	billing.status.Store(200)
	r.await(event.Completed, ids...)
	r.awaitState("billing", event.Running)
	require.Zero(t, r.row("billing").Failures)
}

// awaitOpenedAnew waits until the decisive attempt has failed.
func (r *region) awaitOpenedAnew(name string) {
	r.Helper()
	before := *r.row(name).RetryAt
	testkit.Eventually(r, func() bool { at := r.row(name).RetryAt; return at != nil && at.After(before) }, "no attempt was made")
}

// A destination that accepts connections and never answers holds up neither another one nor the main queue. Its own limits
// hold: attempts at a time, in this process.
func TestDestinations_deadOneHoldsUpNobody(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	dead := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body) // else net/http does not see that the sender has gone
		for n := now.Add(1); ; {
			if seen := most.Load(); n <= seen || most.CompareAndSwap(seen, n) {
				break
			}
		}
		defer now.Add(-1)
		<-q.Context().Done()
	}))
	t.Cleanup(dead.Close)
	alive := newTarget(t, 200)
	hole := routing.Destination{Name: "dead", Concurrency: 4, Endpoint: routing.Endpoint{URL: dead.URL, AllowPrivate: true, Timeout: routing.Duration(9 * time.Second)}}
	r := newRegion(t, alive.destination("alive", routing.Circuit{}), hole)
	slowest := func() time.Duration {
		var worst time.Duration
		for range 20 {
			began := time.Now()
			r.await(event.Completed, r.start("alive"))
			worst = max(worst, time.Since(began))
		}
		return worst
	}
	slowest() // whatever is slow the first time
	before := slowest()
	for range 120 { // more than the slots of the main queue
		r.start("dead")
	}
	testkit.Eventually(t, func() bool { return now.Load() == 4 }, "the dead destination is not being tried")
	during := slowest()
	t.Logf("slowest of 20 events from start to completed: %v alone, %v beside 120 events for a destination that does not answer", before, during)
	require.LessOrEqual(t, most.Load(), int64(4))
	require.Less(t, during, 3*before+5*time.Second, "an attempt at the dead one takes 9 s")
}

// The rate is the server's: over all processes.
func TestDestinations_rateLimit(t *testing.T) {
	t.Parallel()
	billing := newTarget(t, 200)
	limited := billing.destination("billing", routing.Circuit{})
	limited.RateLimit = 5
	r := newRegion(t, limited)
	began := time.Now()
	var ids []string
	for range 15 {
		ids = append(ids, r.start("billing"))
	}
	r.await(event.Completed, ids...)
	took := time.Since(began)
	t.Logf("15 events at 5/s took %v", took)
	// Temporal's limiter lets a burst of a second or so pass, per partition of the queue.
	require.Greater(t, took, time.Second)
}

// A destination that nobody has configured any more ends what waits for it, once it cannot be a deploy.
func TestDestinations_removed(t *testing.T) {
	t.Parallel()
	billing, audit := newTarget(t, 200), newTarget(t, 200)
	r := newRegion(t, billing.destination("billing", routing.Circuit{}), audit.destination("audit", routing.Circuit{}))
	testkit.Eventually(t, func() bool { return r.row("billing").Name != "" }, "it is not known")
	r.mu.Lock()
	delete(r.configured, "billing")
	r.mu.Unlock()
	r.awaitUnpolled("billing")
	id := r.start("billing")
	r.awaitScheduled(id)
	require.Zero(t, r.find(id).Attempts, "another process may still have it")
	testkit.Exec(t, r.url, `UPDATE destinations SET configured_at = now() - interval '6 minutes' WHERE name = 'billing'`)
	r.await(event.Failed, id)
	require.Equal(t, activities.DestinationRemoved, *r.find(id).LastErrorType)
	require.Zero(t, billing.got.Load())
}

// A corrected URL heals the steps that wait.
func TestDestinations_correctedURL(t *testing.T) {
	t.Parallel()
	billing := newTarget(t, 200)
	wrong := billing.destination("billing", routing.Circuit{})
	wrong.URL = "http://127.0.0.1:1"
	r := newRegion(t, wrong)
	id := r.start("billing")
	testkit.Eventually(t, func() bool { return r.find(id).Attempts > 0 }, "no attempt was made")
	require.Equal(t, delivery.ConnectFailed, *r.find(id).LastErrorType)
	r.mu.Lock()
	r.configured["billing"] = billing.destination("billing", routing.Circuit{})
	r.mu.Unlock()
	r.await(event.Completed, id)
}
