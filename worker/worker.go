// Package worker is the engine: it registers workflows and activities, fills in what attempts need, and creates the
// schedules.
package worker

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/store"
	"hookflow/telemetry"
	"hookflow/workflows"

	"github.com/stripe/stripe-go/v79/checkout/session"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// stopTimeout is how long a stopping worker waits for each of its three kinds of work, one after the other: workflow tasks,
// local activities, activities. The SDK's default is not at all.
const stopTimeout = 10 * time.Second

// slots bounds what runs at a time of each kind, and with it the bodies in memory and the connections in use.
const slots = 100

// CachedRuns bounds the runs that a process keeps in memory between their workflow tasks. While the ledger is away each may
// hold a body of a megabyte or two; a run that is not in memory is read again from its history.
const CachedRuns = 200

// workflowPollers are as many for runs that are in memory, and as many for all others. With a fixed number the SDK has one
// kind of poller for both, which goes by the last backlog that it heard of: after a burst all of them may wait for runs in
// memory, and nobody takes the others for the minute that a poll lasts (measured: one of 16 bursts of 500 ordinary steps
// ended 60 s late; SDK 1.50.0, internal_task_pollers.go, getNextPollRequest).
var workflowPollers = worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
	InitialNumberOfPollers: 4, MinimumNumberOfPollers: 2, MaximumNumberOfPollers: 16,
})

// Handlers are the structs whose exported methods are activities, by the prefix of their names: a method M of the struct
// under "stripe" is the activity stripe.M.
type Handlers map[string]any

// Config is what a worker works with.
type Config struct {
	Temporal client.Client
	// Queue is the installation's task queue; "" means event.DefaultQueue.
	Queue  string
	Store  *store.Store
	Mirror *activities.Mirror
	// Housekeeping is nil in tests that want none.
	Housekeeping *activities.Housekeeping
	Handlers     Handlers
	// Answer turns what a handler that answers returned into the answer of the event's sender; an error says why it is none.
	Answer func(e *event.Event, result json.RawMessage) (event.Answer, error)
	Now    func() time.Time
	Log    *slog.Logger
	// Steps hears how each attempt of a step ended, and whether it followed a failed one; nil to tell nobody.
	Steps func(step string, failed, again bool)
	// Panicked hears of each panic in a handler or a workflow, once per step or run; nil to tell nobody.
	Panicked func(telemetry.Failure, any)
}

// newWorker returns a worker that is not started. A panic in workflow code blocks the run until a fixed binary comes; it
// never fails an event.
func newWorker(c Config, onFatal func(error)) worker.Worker {
	w := worker.New(c.Temporal, c.queue(), worker.Options{
		Identity:                                identity(c.Store.Ledger()),
		WorkerStopTimeout:                       stopTimeout,
		OnFatalError:                            onFatal,
		WorkflowPanicPolicy:                     worker.BlockWorkflow,
		DisableRegistrationAliasing:             true,
		Interceptors:                            []interceptor.WorkerInterceptor{c.attempts()},
		MaxConcurrentActivityExecutionSize:      slots,
		MaxConcurrentLocalActivityExecutionSize: slots,
		MaxConcurrentWorkflowTaskExecutionSize:  slots,
		WorkflowTaskPollerBehavior:              workflowPollers,
		MaxConcurrentActivityTaskPollers:        4,
	})
	Register(w, c)
	return w
}

func (c Config) queue() string { return cmp.Or(c.Queue, event.DefaultQueue) }

// attempts is the interceptor of a worker's attempts.
func (c Config) attempts() *attempts {
	return &attempts{
		store: c.Store, now: c.Now, log: c.Log, steps: c.Steps, answer: c.Answer,
		panics: panics{report: c.Panicked}, foreign: newForeign(c.Store, c.Log), forwards: newShares(slots), questions: newShares(slots), away: away{shortest: shortestPause, longest: longestPause},
	}
}

// Registry is what Register needs of a worker or a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register names every workflow and activity.
func Register(r Registry, c Config) {
	for name, w := range workflows.ByName {
		r.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: name})
	}
	r.RegisterActivityWithOptions(c.Mirror.Begin, activity.RegisterOptions{Name: workflows.Begin})
	r.RegisterActivityWithOptions(c.Mirror.Finish, activity.RegisterOptions{Name: workflows.Finish})
	r.RegisterActivityWithOptions(c.Mirror.AwaitLedger, activity.RegisterOptions{Name: workflows.AwaitLedger})
	for prefix, handler := range c.Handlers {
		r.RegisterActivityWithOptions(handler, activity.RegisterOptions{Name: prefix + "."})
	}
	if c.Housekeeping != nil {
		r.RegisterWorkflowWithOptions(workflows.Reconcile, workflow.RegisterOptions{Name: workflows.ReconcileWorkflow})
		r.RegisterWorkflowWithOptions(workflows.ReconcileRuns, workflow.RegisterOptions{Name: workflows.ReconcileRunsWorkflow})
		r.RegisterWorkflowWithOptions(workflows.Retention, workflow.RegisterOptions{Name: workflows.RetentionWorkflow})
		r.RegisterActivityWithOptions(c.Housekeeping, activity.RegisterOptions{Name: "housekeeping."})
	}
}

// BuiltIn returns the handlers that come with hookflow. Without a key, stripeAPI is nil and stripe.RetrieveCheckout
// cannot work.
func BuiltIn(s *store.Store, stripeAPI *session.Client, now func() time.Time) Handlers {
	once := activities.Once{Store: s, Now: now}
	return Handlers{
		"stripe": &activities.Stripe{Once: once, Now: now, API: stripeAPI},
		"twilio": &activities.Twilio{Once: once, Now: now},
		"vapi":   &activities.Vapi{Once: once, Now: now},
	}
}

// Names returns the activities that h registers, sorted: every exported method of each struct.
func (h Handlers) Names() []string {
	var names []string
	for prefix, handler := range h {
		for m := range reflect.TypeOf(handler).Methods() {
			names = append(names, prefix+"."+m.Name)
		}
	}
	slices.Sort(names)
	return names
}
