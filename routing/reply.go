package routing

import (
	"encoding/json"
	"slices"
	"time"

	"hookflow/event"

	"go.yaml.in/yaml/v3"
)

// The keys of reply, and what on_unavailable may say.
var (
	replyKeys = slices.Concat(keys(stepKinds), []string{"deadline", "fallback", "name", "on_unavailable", "policy"}, policyKeys)
	onAway    = []string{fallbackAndRun, fallbackOnly}
)

const (
	fallbackAndRun = "fallback_and_run"
	fallbackOnly   = "fallback_only"
)

// The longest that a sender can be kept waiting: Vapi's tools take at most 300 s.
const maxDeadline = 300 * time.Second

// replyDefaults lie over the defaults of steps: somebody waits, so attempts follow quickly, and an answer that is not
// there after ten minutes helps nobody any more.
var replyDefaults = declared{set: []func(*Options){func(o *Options) {
	o.ScheduleToCloseTimeout = Duration(10 * time.Minute)
	o.RetryPolicy.InitialInterval = Duration(200 * time.Millisecond)
	o.RetryPolicy.MaximumInterval = Duration(10 * time.Second)
}}}

// asked is what a route says about its answer beside the step.
type asked struct {
	deadline time.Duration // 0: the provider's
	fallback *fallback     // nil: the provider's own answer
	only     bool
	line     int
}

// Reply is how the answer to an event is come by.
type Reply struct {
	Step     Step
	Deadline time.Duration   // how long the sender is kept waiting; 0: as long as its provider allows
	Fallback json.RawMessage // stands in for what the step returns; nil: the provider's own answer
	// Only says that an event which no run could be asked about is not run later.
	Only bool
	// Note says why there is no fallback where the route has one: it could not be made for this event.
	Note string
}

// MayReply reports whether a route computes an answer to the type, if its condition holds.
func (t *Table) MayReply(provider, eventType string) bool {
	return slices.ContainsFunc(t.routes, func(r route) bool { return r.reply != nil && r.provider == provider && r.matches(eventType) })
}

// Reply returns how the answer to an event with the given payload is come by, nil when no route that the event takes
// computes one.
func (t *Table) Reply(e *event.Event, payload json.RawMessage) *Reply {
	s := &subject{event: e, payload: payload}
	for _, r := range t.taken(s, func(*route, error) {}) {
		answers := slices.IndexFunc(r.steps, func(s placedStep) bool { return s.Reply })
		if r.reply == nil || answers < 0 {
			continue
		}
		reply := &Reply{Step: r.copySteps()[answers], Deadline: r.reply.deadline, Only: r.reply.only}
		if r.reply.fallback != nil {
			var err error
			if reply.Fallback, err = r.reply.fallback.make(s); err != nil {
				reply.Note = "the fallback of route " + r.name + " cannot be made: " + err.Error()
			}
		}
		return reply
	}
	return nil
}

// reply reads how a route answers. The step that does so is the first of the route.
func (p *parser) reply(n *yaml.Node, r *route) {
	values := p.fields(n, "reply", replyKeys)
	if values == nil {
		return
	}
	r.reply = &asked{line: n.Line}
	under := declared{set: slices.Concat(p.defaults.set, replyDefaults.set), lines: p.defaults.lines, wrong: p.defaults.wrong}
	if s, ok := p.stepOf(n, values, under); ok {
		s.Reply = true
		if s.Activity == ForwardActivity {
			s.Activity = AskActivity
		}
		p.checkName(s, r.steps, "the route")
		r.steps = slices.Insert(r.steps, 0, s)
	}
	if v := values["deadline"]; v != nil {
		r.reply.deadline = p.duration(v, "deadline").Std()
		if r.reply.deadline <= 0 || r.reply.deadline > maxDeadline {
			p.report(v.Line, "how long the sender may be kept waiting, such as 6s, at most 5m", "deadline is %s", shown(v))
		}
	}
	if v := values["on_unavailable"]; v != nil {
		said := p.text(v, "on_unavailable", fallbackAndRun+" or "+fallbackOnly)
		if said != "" && !slices.Contains(onAway, said) {
			p.report(v.Line, instead(said, onAway), "on_unavailable is %s", shown(v))
		}
		r.reply.only = said == fallbackOnly
	}
	if v := values["fallback"]; v != nil {
		r.reply.fallback = p.fallback(v)
	}
}
