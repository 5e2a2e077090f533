package routing

import (
	"slices"
)

// Table is the routes of one file. It never changes, so it may be shared.
type Table struct {
	name   string
	routes []route // in the order of the file
}

// route says what happens to the events of one provider whose type matches one of the globs.
type route struct {
	name         string
	provider     string
	types        []string
	steps        []placedStep
	line         int
	providerLine int
}

// placedStep is a step and the line that names its activity.
type placedStep struct {
	Step
	line int
}

func newTable(name string, routes []route) *Table { return &Table{name: name, routes: routes} }

func (r *route) matches(eventType string) bool {
	return slices.ContainsFunc(r.types, func(glob string) bool { return globMatch(glob, eventType) })
}

func (r *route) covers(glob string) bool {
	return slices.ContainsFunc(r.types, func(wide string) bool { return globCovers(wide, glob) })
}

// match returns the first route for a type, or nil.
func (t *Table) match(provider, eventType string) *route {
	for i := range t.routes {
		if r := &t.routes[i]; r.provider == provider && r.matches(eventType) {
			return r
		}
	}
	return nil
}

// Plan returns what happens to an event: the steps of the first route that matches. It is empty, without the name of
// a route, when none does. The caller owns it.
func (t *Table) Plan(provider, eventType string) Plan {
	r := t.match(provider, eventType)
	if r == nil {
		return Plan{}
	}
	plan := Plan{Route: r.name}
	for _, placed := range r.steps {
		step := placed.Step
		retry := &step.Options.RetryPolicy
		retry.NonRetryableErrorTypes = slices.Clone(retry.NonRetryableErrorTypes)
		plan.Steps = append(plan.Steps, step)
	}
	return plan
}

// Without returns the table without the steps of an activity. The other steps keep their order.
func (t *Table) Without(activity string) *Table {
	routes := slices.Clone(t.routes)
	for i, r := range routes {
		routes[i].steps = slices.DeleteFunc(slices.Clone(r.steps), func(s placedStep) bool { return s.Activity == activity })
	}
	return newTable(t.name, routes)
}

// Routed reports whether a route names the type, be it one without steps.
func (t *Table) Routed(provider, eventType string) bool { return t.match(provider, eventType) != nil }

// Activities returns the name of every activity that a step names, sorted, each once.
func (t *Table) Activities() []string {
	var names []string
	for _, r := range t.routes {
		for _, step := range r.steps {
			names = append(names, step.Activity)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
