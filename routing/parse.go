package routing

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// The keys of the file and of a route. "providers" and "sources" say who sends webhooks; they stand in the
// same file, and are not read here.
var (
	fileKeys  = []string{"defaults", "destinations", "policies", "providers", "routes", "sources", "templates"}
	routeKeys = []string{"continue", "name", "provider", "reply", "steps", "type", "when"}
)

// Parse reads a file of routes; name is how messages call it. The error is a Problems: everything that is wrong with
// the file by itself. Whether the providers and activities exist is asked with Check.
//
// Options are laid over each other field by field: the built-in default policy, defaults, the step's policy, the step.
// A time-out or interval of 0 means what it means to Temporal: no limit, or Temporal's default.
func Parse(name string, text []byte) (*Table, error) {
	r := &reader{name: name, lines: strings.Split(string(text), "\n")}
	p := parser{reader: r, policies: map[string]declared{}, templates: map[string]*template{}, defaults: builtin}
	if root := r.document(text); root != nil {
		p.file(root)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return &Table{name: name, routes: p.routes, destinations: p.destinations}, nil
}

// parser is a reader with what was read so far.
type parser struct {
	*reader
	defaults     declared // with the built-in ones underneath
	policies     map[string]declared
	destinations map[string]placedDestination
	templates    map[string]*template
	groups       int // parallel groups so far
	routes       []route
}

func (p *parser) file(root *yaml.Node) {
	top := p.fields(root, "the file", fileKeys)
	if top == nil {
		return
	}
	if n := top["defaults"]; present(n) {
		p.defaults = p.policy(n, "defaults", p.defaults)
	}
	if n := top["policies"]; present(n) {
		named := p.fields(n, "policies", nil)
		for _, name := range keys(named) {
			p.policies[name] = p.policy(named[name], "policy "+name, p.defaults)
		}
	}
	if n := top["destinations"]; present(n) {
		p.readDestinations(n)
	}
	if n := top["templates"]; present(n) {
		p.readTemplates(n)
	}
	n := top["routes"]
	if n == nil {
		p.report(root.Line, "routes: [] if nothing is to be handled", "there are no routes")
		return
	}
	if !p.is(n, yaml.SequenceNode, "routes", "a list of routes") {
		return
	}
	for _, item := range n.Content {
		p.route(item)
	}
}

// present: a key whose lines are all commented out counts as left out.
func present(n *yaml.Node) bool { return n != nil && n.Tag != "!!null" }

// policy reads a mapping of options, and checks how they get on with what lies under them.
func (p *parser) policy(n *yaml.Node, what string, under declared) declared {
	d := p.declare(p.fields(n, what, policyKeys))
	all := layers{under, d}
	if !all.wrong() {
		d.wrong = !p.checkOptions(all, all.options(), n.Line)
	}
	if what == "defaults" {
		d.set = append(under.set[:len(under.set):len(under.set)], d.set...)
	}
	return d
}

func (p *parser) route(n *yaml.Node) {
	values := p.fields(n, "a route", routeKeys)
	if values == nil {
		return
	}
	before := len(p.problems)
	r := route{line: n.Line}
	if v := p.required(n, values, "a route", "provider", "provider: and the sender's name, such as stripe"); v != nil {
		r.provider, r.providerLine = p.word(v, "provider"), v.Line
	}
	if v := p.required(n, values, "a route", "type", `type: "*" for every type`); v != nil {
		r.types = p.globs(v)
	}
	r.name = r.provider + " " + strings.Join(r.types, ", ")
	if v := values["name"]; v != nil {
		r.name = p.text(v, "name", "a few words, or nothing")
	}
	if v := p.required(n, values, "a route", "steps", "steps: [] if nothing is to be done"); v != nil {
		r.steps = p.steps(v, "the route")
	}
	if v := values["reply"]; v != nil {
		p.reply(v, &r)
	}
	if v := values["when"]; v != nil {
		r.when = p.condition(v)
	}
	if v := values["continue"]; v != nil {
		r.goesOn = p.flag(v, "continue")
	}
	if len(p.problems) == before {
		p.checkReachable(r)
		p.checkCollisions(r)
	}
	p.routes = append(p.routes, r)
}

// required returns the value of a key that must be there, or nil after a complaint.
func (p *parser) required(n *yaml.Node, values map[string]*yaml.Node, what, key, write string) *yaml.Node {
	if values[key] == nil {
		p.report(n.Line, write, "%s has no %s", what, key)
	}
	return values[key]
}

func (p *parser) globs(n *yaml.Node) []string {
	const write = `a glob on the event type, such as "checkout.session.*", or a list of them`
	globs := p.texts(n, "type", write)
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.report(n.Line, write, "type is an empty list, which nothing matches")
	}
	for _, glob := range globs {
		if len(glob) > maxGlob {
			p.report(n.Line, "at most 256 bytes", "a glob of type is too long")
		}
	}
	return globs
}
