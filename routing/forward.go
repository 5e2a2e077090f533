package routing

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"hookflow/event"

	"go.yaml.in/yaml/v3"
)

// ForwardActivity is the activity of a step that forwards. Its input is a Forward.
const ForwardActivity = "forward.Post"

// AskActivity is that of a reply that forwards: the endpoint's response is the answer.
const AskActivity = "forward.Ask"

// Endpoint says where events are sent, and how. Zero fields take the defaults of a delivery.
type Endpoint struct {
	URL string `json:"url,omitempty"`
	// URLEnv names the variable with the URL, where that is a secret itself.
	URLEnv string `json:"url_env,omitempty"`
	Format string `json:"format,omitempty"` // original or cloudevents
	// SecretsEnv names the variable with the signing secrets.
	SecretsEnv string `json:"secrets_env,omitempty"`
	// Headers are added as they are; HeadersEnv name the variables with the values of others, which are secret.
	Headers       map[string]string `json:"headers,omitempty"`
	HeadersEnv    map[string]string `json:"headers_env,omitempty"`
	Timeout       Duration          `json:"timeout,omitzero"`         // of one request
	FinalStatuses []int             `json:"final_statuses,omitempty"` // answers that no further attempt follows, beside 410
	AllowPrivate  bool              `json:"allow_private,omitempty"`
	// AllowNetworks are networks that are opened beside the internet, as CIDR, instead of all private ones.
	AllowNetworks []string `json:"allow_networks,omitempty"`
	// CAFile holds the certificates, as PEM, that are trusted instead of the system's.
	CAFile     string      `json:"ca_file,omitempty"`
	ClientCert *ClientCert `json:"client_cert,omitempty"`
	// Proxy is the URL of a proxy; ProxyEnv names the variable with one that holds credentials.
	Proxy    string `json:"proxy,omitempty"`
	ProxyEnv string `json:"proxy_env,omitempty"`
}

// ClientCert names the files, in PEM, of the certificate that is shown to a receiver and of its key.
type ClientCert struct {
	CertFile string `json:"cert_file"`
	KeyFile  string `json:"key_file"`
}

// Forward is the input of a step that forwards. With a destination, where the event goes is looked up at each attempt, so
// that a corrected URL reaches the steps that wait; what the step says itself stands here.
type Forward struct {
	Destination string `json:"destination,omitempty"`
	Endpoint
}

// Over lays what a step says over what its destination says.
func (e Endpoint) Over(under Endpoint) Endpoint {
	if e.Format != "" {
		under.Format = e.Format
	}
	if e.Timeout != 0 {
		under.Timeout = e.Timeout
	}
	under.Headers = merged(under.Headers, e.Headers)
	under.HeadersEnv = merged(under.HeadersEnv, e.HeadersEnv)
	under.FinalStatuses = slices.Concat(under.FinalStatuses, e.FinalStatuses)
	return under
}

func merged(under, over map[string]string) map[string]string {
	all := maps.Clone(under)
	if all == nil {
		return maps.Clone(over)
	}
	maps.Copy(all, over)
	return all
}

// endpointField reads one field of an endpoint.
type endpointField func(p *parser, n *yaml.Node, e *Endpoint)

// ownFields are what a step may say of an endpoint, be it that of a destination; placeFields are what belongs to whoever
// names the URL.
var (
	ownFields = map[string]endpointField{
		"format": func(p *parser, n *yaml.Node, e *Endpoint) { e.Format = p.format(n) },
		"headers": func(p *parser, n *yaml.Node, e *Endpoint) {
			e.Headers = p.pairs(n, "headers", "the name of a header and its value")
		},
		"headers_env": func(p *parser, n *yaml.Node, e *Endpoint) {
			e.HeadersEnv = p.pairs(n, "headers_env", "the name of a header and of the variable that holds its value")
		},
		"timeout":        func(p *parser, n *yaml.Node, e *Endpoint) { e.Timeout = p.duration(n, "timeout") },
		"final_statuses": func(p *parser, n *yaml.Node, e *Endpoint) { e.FinalStatuses = p.statuses(n) },
	}
	placeFields = map[string]endpointField{
		"url":     func(p *parser, n *yaml.Node, e *Endpoint) { e.URL = p.url(n) },
		"url_env": func(p *parser, n *yaml.Node, e *Endpoint) { e.URLEnv = p.variable(n, "url_env") },
		"ca_file": func(p *parser, n *yaml.Node, e *Endpoint) {
			e.CAFile = p.text(n, "ca_file", "the path of a file of PEM")
		},
		"client_cert": func(p *parser, n *yaml.Node, e *Endpoint) { e.ClientCert = p.clientCert(n) },
		"proxy":       func(p *parser, n *yaml.Node, e *Endpoint) { e.Proxy = p.proxy(n) },
		"proxy_env":   func(p *parser, n *yaml.Node, e *Endpoint) { e.ProxyEnv = p.variable(n, "proxy_env") },
		"secrets_env": func(p *parser, n *yaml.Node, e *Endpoint) { e.SecretsEnv = p.variable(n, "secrets_env") },
		"allow_private": func(p *parser, n *yaml.Node, e *Endpoint) {
			if n.Kind == yaml.SequenceNode {
				e.AllowNetworks = p.networks(n)
				return
			}
			e.AllowPrivate = p.flag(n, "allow_private")
		},
	}
	forwardKeys = slices.Concat([]string{"destination"}, keys(ownFields), keys(placeFields))
)

// forward reads what a step forwards to: a URL, or a mapping.
func (p *parser) forward(n *yaml.Node, s *placedStep) {
	s.Activity = ForwardActivity
	f := Forward{}
	if n.Kind == yaml.ScalarNode {
		f.URL = p.url(n)
	} else if values := p.fields(n, "forward", forwardKeys); values != nil {
		f = p.forwardTo(n, values)
	}
	if f.Destination != "" {
		s.TaskQueue = DestinationQueue(event.DefaultQueue, f.Destination)
	}
	s.forward = &f
	input, err := json.Marshal(f)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	s.Input = input
}

func (p *parser) forwardTo(n *yaml.Node, values map[string]*yaml.Node) Forward {
	f := Forward{Endpoint: p.endpoint(values, ownFields)}
	name := values["destination"]
	if name == nil {
		f.Endpoint = p.place(n, values, "forward", f.Endpoint)
		return f
	}
	f.Destination = p.text(name, "destination", "the name of one of destinations")
	if _, ok := p.destinations[f.Destination]; !ok && f.Destination != "" {
		p.report(name.Line, instead(f.Destination, keys(p.destinations)), "there is no destination %s", shown(name))
	}
	for _, key := range keys(placeFields) {
		if v := values[key]; v != nil {
			p.report(v.Line, "it there, or a forward without a destination", "%s belongs to the destination", key)
		}
	}
	return f
}

// place adds what stands in values of the fields that go with a URL, which must be among them.
func (p *parser) place(n *yaml.Node, values map[string]*yaml.Node, what string, e Endpoint) Endpoint {
	if values["url_env"] == nil {
		p.required(n, values, what, "url", "url: and where to, such as https://billing.example.com/webhooks, "+
			"url_env: and the variable that holds it, or in a forward destination: and the name of one")
	}
	for _, key := range []string{"url", "proxy"} {
		if v := values[key+"_env"]; v != nil && values[key] != nil {
			p.report(v.Line, "one of the two", "%s has %s and %s_env", what, key, key)
		}
	}
	for _, key := range keys(placeFields) {
		if v := values[key]; v != nil {
			placeFields[key](p, v, &e)
		}
	}
	return e
}

func (p *parser) endpoint(values map[string]*yaml.Node, known map[string]endpointField) Endpoint {
	var e Endpoint
	for _, key := range keys(known) {
		if v := values[key]; v != nil {
			known[key](p, v, &e)
		}
	}
	return e
}

// checkForward reports what a step that forwards cannot be.
func (p *parser) checkForward(s placedStep, values map[string]*yaml.Node) {
	if s.forward == nil {
		if s.Activity == ForwardActivity || s.Activity == AskActivity {
			p.report(s.line, "forward: and where to", "%s is not an activity to be named", s.Activity)
		}
		return
	}
	if values["name"] == nil {
		p.report(s.line, "name: and a word for the receiver, such as billing", "a step that forwards has no name")
	}
	if s.Inline {
		p.report(values["inline"].Line, "no inline: the receiver may take longer than a workflow task", "a step that forwards is inline")
	}
	timeout, attempt := s.forward.Timeout, s.Options.StartToCloseTimeout
	if d, ok := p.destinations[s.forward.Destination]; ok && timeout == 0 {
		timeout = d.Timeout
	}
	if timeout > 0 && attempt > 0 && timeout.Std()+timeoutMargin > attempt.Std() {
		p.report(s.line, "start_to_close_timeout: "+(timeout.Std()+timeoutMargin).String()+" or more",
			"a request may take %v, and the attempt around it only %v", timeout.Std(), attempt.Std())
	}
}

// timeoutMargin is what an attempt needs beside its request: reading the event, noting a failure.
const timeoutMargin = 2 * time.Second

func (p *parser) format(n *yaml.Node) string {
	const write = "original or cloudevents"
	word := p.text(n, "format", write)
	if word != "" && word != "original" && word != "cloudevents" {
		p.report(n.Line, write, "there is no format %s", shown(n))
		return ""
	}
	return word
}

// pairs reads a mapping of text to text.
func (p *parser) pairs(n *yaml.Node, what, write string) map[string]string {
	pairs := map[string]string{}
	named := p.fields(n, what, nil)
	for _, name := range keys(named) {
		if value := p.text(named[name], what+" "+strconv.Quote(name), write); value != "" {
			pairs[name] = value
		}
	}
	return pairs
}

// statuses reads a list of HTTP statuses that are not successes.
func (p *parser) statuses(n *yaml.Node) []int {
	const write = "a list of statuses from 300 to 599, such as [410, 422]"
	if !p.is(n, yaml.SequenceNode, "final_statuses", write) {
		return nil
	}
	var statuses []int
	for _, item := range n.Content {
		status, err := strconv.Atoi(item.Value)
		if err != nil || status < 300 || status > 599 {
			p.report(item.Line, write, "final_statuses holds %s", shown(item))
			continue
		}
		statuses = append(statuses, status)
	}
	return statuses
}

// variable reads the name of an environment variable.
func (p *parser) variable(n *yaml.Node, what string) string {
	const write = "the name of an environment variable, such as BILLING_SECRET"
	name := p.text(n, what, write)
	if strings.ContainsFunc(name, func(c rune) bool { return notInWord(c) || c == '.' || c == '-' }) {
		p.report(n.Line, write, "%s is not the name of a variable", what) // not shown: it may be the secret itself
		return ""
	}
	return name
}
