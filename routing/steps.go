package routing

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The keys of a step, and of what may stand in its place in a list of steps.
var (
	stepKeys     = slices.Concat(keys(stepKinds), []string{"inline", "name", "policy"}, policyKeys)
	parallelKeys = []string{"parallel"}
	useKeys      = []string{"use"}
)

// stepKind reads the value of the key that says what a step does: it sets the step's activity, and what else follows.
type stepKind func(p *parser, n *yaml.Node, s *placedStep)

// stepKinds are those keys. A step has exactly one of them.
var stepKinds = map[string]stepKind{
	"activity": func(p *parser, n *yaml.Node, s *placedStep) { s.Activity = p.word(n, "activity") },
	"forward":  func(p *parser, n *yaml.Node, s *placedStep) { p.forward(n, s) },
}

// template is a named list of steps. It is read once, when it is first asked for.
type template struct {
	list    *yaml.Node
	reading bool
	read    bool
	steps   []placedStep
}

func (p *parser) readTemplates(n *yaml.Node) {
	named := p.fields(n, "templates", nil)
	for name, list := range named {
		p.templates[name] = &template{list: list}
	}
	for _, name := range keys(named) {
		p.template(name)
	}
}

// template returns the steps of a template that exists, nil while it is being read: then it uses itself.
func (p *parser) template(name string) ([]placedStep, bool) {
	t := p.templates[name]
	if t.reading {
		return nil, false
	}
	if !t.read {
		t.reading = true
		t.steps = p.steps(t.list, "template "+name)
		t.reading, t.read = false, true
	}
	return t.steps, true
}

// steps reads the list of steps of a route or a template. A step's name is its identity, in the idempotency key and in
// event_steps, so no two have the same.
func (p *parser) steps(n *yaml.Node, whose string) []placedStep {
	if !p.is(n, yaml.SequenceNode, "steps", "a list of steps, [] if nothing is to be done") {
		return nil
	}
	var all []placedStep
	for _, item := range n.Content {
		for _, s := range p.item(item) {
			if p.checkName(s, all, whose) {
				all = append(all, s)
			}
		}
	}
	return all
}

// item reads an element of a list of steps: a step, a group of them side by side, or the steps of a template.
func (p *parser) item(n *yaml.Node) []placedStep {
	switch {
	case hasKey(n, "parallel"):
		return p.parallel(n)
	case hasKey(n, "use"):
		return p.use(n)
	}
	if s, ok := p.step(n); ok {
		return []placedStep{s}
	}
	return nil
}

func hasKey(n *yaml.Node, key string) bool {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

// parallel reads a group. Its number is the group's own in this file.
func (p *parser) parallel(n *yaml.Node) []placedStep {
	list := p.fields(n, "a parallel group", parallelKeys)["parallel"]
	if list == nil || !p.is(list, yaml.SequenceNode, "parallel", "a list of steps that run side by side") {
		return nil
	}
	if len(list.Content) == 0 {
		p.report(n.Line, "the steps that run side by side, or leave it out", "parallel is empty")
	}
	p.groups++
	group := p.groups
	var all []placedStep
	for _, item := range list.Content {
		steps := p.item(item)
		if hasKey(item, "parallel") || len(steps) > 1 {
			p.report(item.Line, "single steps, or templates of one step",
				"a parallel group holds steps that run in order, or another group")
			continue
		}
		for _, s := range steps {
			s.Group = group
			all = append(all, s)
		}
	}
	return all
}

// use reads the name of a template and returns its steps, as of this line.
func (p *parser) use(n *yaml.Node) []placedStep {
	value := p.fields(n, "a use of a template", useKeys)["use"]
	if value == nil {
		return nil
	}
	name := p.text(value, "use", "the name of one of templates")
	if name == "" {
		return nil
	}
	if p.templates[name] == nil {
		p.report(value.Line, instead(name, keys(p.templates)), "there is no template %s", shown(value))
		return nil
	}
	steps, ok := p.template(name)
	if !ok {
		p.report(value.Line, "the steps themselves", "template %s uses itself", name)
	}
	steps = slices.Clone(steps)
	for i := range steps {
		steps[i].at = value.Line
	}
	return steps
}

// step reads one step. It returns false when it cannot be told which activity it is.
func (p *parser) step(n *yaml.Node) (placedStep, bool) {
	values := p.fields(n, "a step", slices.Concat(stepKeys, parallelKeys, useKeys))
	if values == nil {
		return placedStep{}, false
	}
	return p.stepOf(n, values, p.defaults)
}

// stepOf reads a step from the values of a mapping, with the options under its own.
func (p *parser) stepOf(n *yaml.Node, values map[string]*yaml.Node, under declared) (placedStep, bool) {
	s := placedStep{line: n.Line}
	p.kind(n, values, &s)
	s.at = s.line
	if v := values["name"]; v != nil {
		s.Name = p.word(v, "name")
	}
	if v := values["inline"]; v != nil {
		s.Inline = p.flag(v, "inline")
	}
	policy := p.named(values["policy"])
	s.Options = p.resolve(s, layers{under, policy, p.declare(values)})
	p.checkForward(s, values)
	return s, s.Activity != "" && s.Name != ""
}

// kind reads what a step does. Its name is the activity's, unless the kind gives it another.
func (p *parser) kind(n *yaml.Node, values map[string]*yaml.Node, s *placedStep) {
	var said []string
	for _, key := range keys(stepKinds) {
		if v := values[key]; v != nil {
			said = append(said, key)
			s.line = v.Line
			stepKinds[key](p, v, s)
		}
	}
	switch len(said) {
	case 0:
		p.report(n.Line, "activity: and a name, such as stripe.RecordCheckout", "a step has no %s", strings.Join(keys(stepKinds), " or "))
	case 1:
		s.Name = cmp.Or(s.Name, s.Activity)
	default:
		p.report(n.Line, "one of them, and a step of its own for the other", "a step has %s", strings.Join(said, " and "))
	}
}

// named returns the policy that a step names.
func (p *parser) named(n *yaml.Node) declared {
	if n == nil {
		return declared{}
	}
	name := p.text(n, "policy", "the name of one of policies")
	d, ok := p.policies[name]
	if !ok && name != "" {
		p.report(n.Line, instead(name, keys(p.policies)), "there is no policy %s", shown(n))
	}
	return d
}
