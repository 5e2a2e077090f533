package worker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hookflow/activities"
	"hookflow/config"
	"hookflow/internal/testkit"
	"hookflow/routing"
	"hookflow/store"
	"hookflow/workflows"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// forgotten says which line is missing between the routes and the handlers, in either direction; "" for none.
func forgotten(routed, registered []string) string {
	var lines []string
	for _, name := range routed {
		if !slices.Contains(registered, name) {
			prefix, method, _ := strings.Cut(name, ".")
			lines = append(lines, fmt.Sprintf("config/default.yaml routes to %s: the struct under %q in worker.BuiltIn has no method %s",
				name, prefix, method))
		}
	}
	for _, name := range registered {
		if !slices.Contains(routed, name) {
			lines = append(lines, fmt.Sprintf("no route leads to %s: config/default.yaml needs a step `- activity: %s`", name, name))
		}
	}
	return strings.Join(lines, "\n")
}

// A new handler is one method and one line of routes. This test names the one that was forgotten.
func TestEveryRouteIsRegisteredAndEveryHandlerRoutable(t *testing.T) {
	t.Parallel()
	table, err := routing.Parse("default.yaml", config.DefaultYAML)
	require.NoError(t, err)
	require.Empty(t, forgotten(table.Activities(), BuiltIn(nil, nil, nil).Names()))
}

func TestForgotten(t *testing.T) {
	t.Parallel()
	require.Empty(t, forgotten([]string{"stripe.A"}, []string{"stripe.A"}))
	require.Equal(t, `config/default.yaml routes to stripe.B: the struct under "stripe" in worker.BuiltIn has no method B
no route leads to stripe.A: config/default.yaml needs a step `+"`- activity: stripe.A`", forgotten([]string{"stripe.B"}, []string{"stripe.A"}))
}

// What Names says is what Register registers: every name can be called on a worker.
func TestNamesAreWhatIsRegistered(t *testing.T) {
	t.Parallel()
	r := &registry{}
	handlers := BuiltIn(nil, nil, nil)
	Register(r, Config{Mirror: &activities.Mirror{}, Housekeeping: &activities.Housekeeping{}, Handlers: handlers})
	var names []string
	for prefix, a := range r.activities {
		if strings.HasSuffix(prefix, ".") && prefix != "housekeeping." {
			names = append(names, Handlers{strings.TrimSuffix(prefix, "."): a}.Names()...)
		}
	}
	slices.Sort(names)
	require.Equal(t, handlers.Names(), names)
	for _, name := range append(workflows.Names(), workflows.ReconcileWorkflow, workflows.ReconcileRunsWorkflow) {
		require.Contains(t, r.workflows, name)
	}
	for _, name := range []string{workflows.Begin, workflows.Finish} {
		require.Contains(t, r.activities, name)
	}
	kept := Handlers{"housekeeping": r.activities["housekeeping."]}.Names()
	require.Subset(t, kept, []string{workflows.ReconcileClosed, workflows.ReconcileOpen})

	r = &registry{}
	Register(r, Config{Mirror: &activities.Mirror{}, Handlers: handlers})
	require.NotContains(t, r.workflows, workflows.ReconcileWorkflow, "without housekeeping, none of it")
}

// registry remembers what is registered.
type registry struct{ workflows, activities map[string]any }

func (r *registry) RegisterWorkflowWithOptions(w any, o workflow.RegisterOptions) {
	if r.workflows == nil {
		r.workflows = map[string]any{}
	}
	r.workflows[o.Name] = w
}

func (r *registry) RegisterActivityWithOptions(a any, o activity.RegisterOptions) {
	if r.activities == nil {
		r.activities = map[string]any{}
	}
	r.activities[o.Name] = a
}

// With aliasing, a workflow that named a function would call whatever that function was registered as: two structs with a
// method of one name would be mistaken for each other. Here a function is nobody's name.
func TestRegistrationAliasingIsOff(t *testing.T) {
	t.Parallel()
	c := testkit.Client(t, testkit.Namespace(t))
	s, _ := testkit.Store(t, store.Options{})
	w := newWorker(Config{Temporal: c, Store: s, Mirror: &activities.Mirror{}, Log: silent(), Now: time.Now}, nil)
	w.RegisterActivityWithOptions(greet, activity.RegisterOptions{Name: "thing.Greet"})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, byFunction bool) (string, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: time.Second, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1}})
		var said string
		if byFunction {
			return said, workflow.ExecuteActivity(ctx, greet).Get(ctx, &said)
		}
		return said, workflow.ExecuteActivity(ctx, "thing.Greet").Get(ctx, &said)
	}, workflow.RegisterOptions{Name: "Probe"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	probe := func(byFunction bool) error {
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: workflows.TaskQueue}, "Probe", byFunction)
		require.NoError(t, err)
		return run.Get(t.Context(), nil)
	}
	require.NoError(t, probe(false))
	require.ErrorContains(t, probe(true), "unable to find activityType=greet")
}

func greet(context.Context) (string, error) { return "hello", nil }
