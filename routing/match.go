package routing

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hookflow/event"
)

// Table is the routes of one file. It never changes, so it may be shared.
type Table struct {
	name         string
	routes       []route // in the order of the file
	destinations map[string]placedDestination
}

// route says what happens to the events of one provider whose type matches one of the globs, if the condition holds.
type route struct {
	name         string
	provider     string
	types        []string
	when         *condition // nil: always
	goesOn       bool       // continue: true; routes after it are looked at too
	steps        []placedStep
	reply        *asked // nil: nobody waits; else the first of steps answers
	line         int
	providerLine int
}

// placedStep is a step and the lines that name it.
type placedStep struct {
	Step
	forward *Forward // what Input says, of a step that forwards
	line    int      // of its activity
	at      int      // where the route has it: the same, or that of use
}

func (r *route) matches(eventType string) bool {
	return slices.ContainsFunc(r.types, func(glob string) bool { return globMatch(glob, eventType) })
}

func (r *route) covers(glob string) bool {
	return slices.ContainsFunc(r.types, func(wide string) bool { return globCovers(wide, glob) })
}

// Plan returns what happens to an event with the given payload, which is JSON or nil: the steps of the first route that
// matches, and those of later ones as long as the routes before them say continue. A route whose condition cannot be
// evaluated, for want of a field say, does not match, and a note says so. The plan is empty, without the name of a
// route, when none matches. The caller owns it.
func (t *Table) Plan(e *event.Event, payload json.RawMessage) Plan {
	var plan Plan
	var names []string
	taken := t.taken(&subject{event: e, payload: payload}, func(r *route, err error) {
		plan.Notes = append(plan.Notes, fmt.Sprintf("route %q in line %d did not match: when: %v", r.name, r.line, err))
	})
	for _, r := range taken {
		names = append(names, r.name)
		plan.Steps = append(plan.Steps, r.copySteps()...)
	}
	plan.Route = strings.Join(names, ", ")
	numberGroups(plan.Steps)
	return plan
}

// taken returns the routes that an event goes through, and tells of those whose condition could not be evaluated.
func (t *Table) taken(s *subject, unclear func(*route, error)) []*route {
	var taken []*route
	for i := range t.routes {
		r := &t.routes[i]
		if r.provider != s.event.Provider || !r.matches(s.event.Type) {
			continue
		}
		holds, err := r.holds(s)
		if err != nil {
			unclear(r, err)
		}
		if !holds {
			continue
		}
		taken = append(taken, r)
		if !r.goesOn {
			break
		}
	}
	return taken
}

// holds reports whether the route's condition does.
func (r *route) holds(s *subject) (bool, error) {
	if r.when == nil {
		return true, nil
	}
	return r.when.holds(s)
}

func (r *route) copySteps() []Step {
	steps := make([]Step, len(r.steps))
	for i, placed := range r.steps {
		steps[i] = placed.Step
		retry := &steps[i].Options.RetryPolicy
		retry.NonRetryableErrorTypes = slices.Clone(retry.NonRetryableErrorTypes)
		steps[i].Input = slices.Clone(placed.Input)
	}
	return steps
}

// numberGroups numbers the parallel groups of a plan from 1, in order.
func numberGroups(steps []Step) {
	var last, n int
	for i := range steps {
		group := &steps[i].Group
		if *group != 0 && *group != last {
			n++
		}
		if last = *group; last != 0 {
			*group = n
		}
	}
}

// Without returns the table without the steps of an activity. The other steps keep their order.
func (t *Table) Without(activity string) *Table {
	routes := slices.Clone(t.routes)
	for i, r := range routes {
		routes[i].steps = slices.DeleteFunc(slices.Clone(r.steps), func(s placedStep) bool { return s.Activity == activity })
	}
	without := *t
	without.routes = routes
	return &without
}

// On returns the table for an installation whose task queue is queue: the steps of destinations wait on queues named after it.
func (t *Table) On(queue string) *Table {
	routes := slices.Clone(t.routes)
	for i := range routes {
		routes[i].steps = slices.Clone(routes[i].steps)
		for j := range routes[i].steps {
			if step := &routes[i].steps[j]; step.TaskQueue != "" {
				step.TaskQueue = DestinationQueue(queue, step.forward.Destination)
			}
		}
	}
	on := *t
	on.routes = routes
	return &on
}

// Routed reports whether a route names the type, be it one without steps or one whose condition may not hold.
func (t *Table) Routed(provider, eventType string) bool {
	return slices.ContainsFunc(t.routes, func(r route) bool { return r.provider == provider && r.matches(eventType) })
}

// LongestDeadline returns the longest schedule_to_close_timeout of a step, and the step; 0 where there is none.
func (t *Table) LongestDeadline() (time.Duration, string) {
	var longest time.Duration
	var name string
	for _, r := range t.routes {
		for _, step := range r.steps {
			if limit := step.Options.ScheduleToCloseTimeout.Std(); limit > longest {
				longest, name = limit, step.Name
			}
		}
	}
	return longest, name
}

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
