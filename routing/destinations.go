package routing

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Destination is an endpoint with a queue of its own, so that it holds up nobody else.
type Destination struct {
	Name string
	Endpoint
	RateLimit   float64 // attempts a second over all processes; 0 is without limit
	Concurrency int     // attempts at a time in each process
	Circuit     Circuit
}

// Circuit says when a destination is left alone by itself.
type Circuit struct {
	Failures int           // in a row that open it; 0: it never opens
	Pause    time.Duration // how long it stays open before one attempt is made to see whether it may close
}

// The defaults of a destination.
const (
	defaultConcurrency = 10
	defaultFailures    = 20
	defaultPause       = time.Minute
)

// DestinationQueue is the task queue of a destination in an installation whose own is queue.
func DestinationQueue(queue, name string) string { return queue + ".to." + name }

// destinationFields are the fields of a destination beside those of its endpoint.
var destinationFields = map[string]func(p *parser, n *yaml.Node, d *Destination){
	"rate_limit":  func(p *parser, n *yaml.Node, d *Destination) { d.RateLimit = p.rate(n) },
	"concurrency": func(p *parser, n *yaml.Node, d *Destination) { d.Concurrency = int(p.count(n, "concurrency")) },
	"circuit":     func(p *parser, n *yaml.Node, d *Destination) { d.Circuit = p.circuit(n) },
}

var (
	destinationKeys = slices.Concat(keys(ownFields), keys(placeFields), keys(destinationFields))
	circuitKeys     = []string{"failures", "pause"}
)

// placedDestination is a destination and the line of its name's value.
type placedDestination struct {
	Destination
	line int
}

// readDestinations reads the section of that name.
func (p *parser) readDestinations(n *yaml.Node) {
	named := p.fields(n, "destinations", nil)
	p.destinations = make(map[string]placedDestination, len(named))
	for _, name := range keys(named) {
		p.destinations[name] = placedDestination{p.destination(name, named[name]), named[name].Line}
	}
}

func (p *parser) destination(name string, n *yaml.Node) Destination {
	d := Destination{Name: name, Concurrency: defaultConcurrency, Circuit: Circuit{defaultFailures, defaultPause}}
	what := "destination " + name
	if len(name) > 60 || name == "" || strings.ContainsFunc(name, func(c rune) bool { return notInWord(c) || c == '.' }) {
		p.report(n.Line, "letters, digits, dashes and underscores, at most 60", "%q is not the name of a destination", name)
	}
	values := p.fields(n, what, destinationKeys)
	if values == nil {
		return d
	}
	d.Endpoint = p.place(n, values, what, p.endpoint(values, ownFields))
	for _, key := range keys(destinationFields) {
		if v := values[key]; v != nil {
			destinationFields[key](p, v, &d)
		}
	}
	if d.Concurrency == 0 {
		p.report(cmp.Or(values["concurrency"], n).Line, "a whole number from 1; hookflow destinations pause stops it", "concurrency is 0")
	}
	return d
}

// rate reads "50/s", "600/m" or "1000/h" as attempts a second.
func (p *parser) rate(n *yaml.Node) float64 {
	const write = "how many attempts at most in a second, minute or hour, such as 50/s, 600/m or 1000/h"
	count, unit, _ := strings.Cut(n.Value, "/")
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[strings.TrimSpace(unit)]
	number, err := strconv.ParseFloat(strings.TrimSpace(count), 64)
	if !p.is(n, yaml.ScalarNode, "rate_limit", write) {
		return 0
	}
	if err != nil || seconds == 0 || !(number > 0 && number <= 1e6) {
		p.report(n.Line, write, "rate_limit is %s", shown(n))
		return 0
	}
	return number / seconds
}

func (p *parser) circuit(n *yaml.Node) Circuit {
	c := Circuit{defaultFailures, defaultPause}
	values := p.fields(n, "circuit", circuitKeys)
	if v := values["failures"]; v != nil {
		c.Failures = int(p.count(v, "failures"))
	}
	if v := values["pause"]; v != nil {
		if c.Pause = p.duration(v, "pause").Std(); c.Pause < time.Second {
			p.report(v.Line, "1s or more", "pause is shorter than a second")
		}
	}
	return c
}

// Destinations returns the destinations of the file by name.
func (t *Table) Destinations() map[string]Destination {
	all := make(map[string]Destination, len(t.destinations))
	for name, d := range t.destinations {
		all[name] = d.Destination
	}
	return all
}

// Variables returns the names of the environment variables that endpoints take secrets from.
func (t *Table) Variables() []string {
	var names []string
	add := func(e Endpoint) {
		names = append(names, e.SecretsEnv, e.URLEnv, e.ProxyEnv)
		for _, header := range keys(e.HeadersEnv) {
			names = append(names, e.HeadersEnv[header])
		}
	}
	for _, name := range keys(t.destinations) {
		add(t.destinations[name].Endpoint)
	}
	for _, route := range t.routes {
		for _, step := range route.steps {
			if step.forward != nil {
				add(step.forward.Endpoint)
			}
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// checkEndpoints reports the endpoints that cannot work as things are.
func (t *Table) checkEndpoints(r *reader, wrong func(Endpoint) (what, write string)) {
	if wrong == nil {
		return
	}
	check := func(e Endpoint, line int) {
		if what, write := wrong(e); what != "" {
			r.report(line, write, "%s", what)
		}
	}
	for _, name := range keys(t.destinations) {
		check(t.destinations[name].Endpoint, t.destinations[name].line)
	}
	for _, route := range t.routes {
		for _, step := range route.steps {
			if step.forward != nil {
				check(step.forward.Endpoint, step.line)
			}
		}
	}
}
