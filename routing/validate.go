package routing

import (
	"slices"
)

// resolve lays the options of a step over each other and checks the result. An attempt's time that only the default
// policy gives is cut to what the step allows: MaxInline where it is inline, and the time of all attempts.
func (p *parser) resolve(s placedStep, l layers) Options {
	o := l.options()
	if own := l[1:]; own.line("start_to_close_timeout") == 0 {
		if s.Inline {
			o.StartToCloseTimeout = min(o.StartToCloseTimeout, Duration(MaxInline))
		}
		if o.ScheduleToCloseTimeout > 0 {
			o.StartToCloseTimeout = min(o.StartToCloseTimeout, o.ScheduleToCloseTimeout)
		}
	}
	if l.wrong() {
		return o
	}
	p.checkOptions(l, o, s.line)
	if s.Inline && o.StartToCloseTimeout > Duration(MaxInline) {
		line := l[2:].line("start_to_close_timeout")
		p.report(max(line, s.line), "start_to_close_timeout: 2s or less, or inline: false",
			"step %s is inline and its start_to_close_timeout is %v", s.Name, o.StartToCloseTimeout.Std())
	}
	return o
}

// checkName reports a name that an earlier step of the same list has, and returns whether it is new.
func (p *parser) checkName(s placedStep, earlier []placedStep, whose string) bool {
	i := slices.IndexFunc(earlier, func(e placedStep) bool { return e.Name == s.Name })
	if i >= 0 {
		p.report(s.at, "name: and a word that no other step of "+whose+" has",
			"two steps of %s are named %s, the other in line %d", whose, s.Name, earlier[i].at)
	}
	return i < 0
}

// checkReachable reports a route that no event can reach, since earlier ones take each of its types.
func (p *parser) checkReachable(r route) {
	var by *route
	for _, glob := range r.types {
		taker := p.taker(r.provider, glob)
		if taker == nil {
			return
		}
		by = taker
	}
	p.report(r.line, "it before that route, or continue: true in that one, or nothing",
		"no event reaches route %q: the route in line %d takes them all, and the first match wins", r.name, by.line)
}

// taker returns an earlier route that takes every event whose type matches the glob, or nil.
func (p *parser) taker(provider, glob string) *route {
	i := slices.IndexFunc(p.routes, func(earlier route) bool {
		return earlier.provider == provider && earlier.when == nil && !earlier.goesOn && earlier.covers(glob)
	})
	if i < 0 {
		return nil
	}
	return &p.routes[i]
}

// checkCollisions reports steps of r whose names an earlier route has, when one event may go through both. Conditions
// are not weighed: which of them hold together, only events tell.
func (p *parser) checkCollisions(r route) {
	for _, earlier := range p.routes {
		if earlier.provider != r.provider || !earlier.goesOn || !p.meet(earlier, r) {
			continue
		}
		if r.reply != nil && earlier.reply != nil {
			p.report(r.reply.line, "reply in one of them",
				"route %q, in line %d, computes an answer too, and an event may go through both routes", earlier.name, earlier.line)
		}
		for _, s := range r.steps {
			same := func(e placedStep) bool { return e.Name == s.Name }
			if i := slices.IndexFunc(earlier.steps, same); i >= 0 {
				p.report(s.at, "name: and another word in one of them",
					"step %s is also one of route %q, in line %d, and an event may go through both routes", s.Name, earlier.name, earlier.steps[i].at)
			}
		}
	}
}

// meet reports whether a type exists that matches both routes and that none in between takes for itself, as far as
// one glob tells.
func (p *parser) meet(earlier, r route) bool {
	for _, glob := range r.types {
		if p.taker(r.provider, glob) != nil {
			continue
		}
		if slices.ContainsFunc(earlier.types, func(other string) bool { return globsMeet(glob, other) }) {
			return true
		}
	}
	return false
}

// Known is what exists in the program that will run the plans.
type Known struct {
	// Providers by name; false means that it is known but off, since it has no secret.
	Providers map[string]bool
	// Activities are the registered names.
	Activities []string
	// Off are the registered activities that cannot work as things are, each with what to write instead.
	Off map[string]string
	// Endpoint says what is wrong with sending to an endpoint, and what to write instead, "" for nothing. Without a URL it is
	// what a step adds to its destination. nil asks nobody.
	Endpoint func(Endpoint) (what, write string)
}

// Check reports routes whose provider is unknown or off, and steps whose activity is not registered, as a Problems.
func (t *Table) Check(known Known) error {
	r := &reader{name: t.name}
	for _, route := range t.routes {
		switch on, ok := known.Providers[route.provider]; {
		case !ok:
			r.report(route.providerLine, instead(route.provider, keys(known.Providers)),
				"there is no provider %q", route.provider)
		case !on:
			r.report(route.providerLine, "its secret into the environment, or leave the route out",
				"provider %s is off, since it has no secret", route.provider)
		}
		for _, step := range route.steps {
			if step.forward != nil {
				continue // every worker can forward
			}
			if !slices.Contains(known.Activities, step.Activity) {
				r.report(step.line, instead(step.Activity, known.Activities), "there is no activity %q", step.Activity)
			}
			if write := known.Off[step.Activity]; write != "" {
				r.report(step.line, write, "activity %s is off", step.Activity)
			}
		}
	}
	t.checkEndpoints(r, known.Endpoint)
	return r.err()
}
