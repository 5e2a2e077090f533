package routing

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// yamlLine finds the line in an error of the YAML package, which has no type for it.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// document returns the root of the only document in text, or nil when there is none; that it is missing or cannot be
// read is reported.
func (r *reader) document(text []byte) *yaml.Node {
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		r.report(1, "routes: []", "the file is empty")
		return nil
	case err != nil:
		r.syntax(err)
		return nil
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		r.report(second.Line, "everything in one document, without ---", "a second document begins here")
	case !errors.Is(err, io.EOF):
		r.syntax(err)
	}
	return doc.Content[0]
}

func (r *reader) syntax(err error) {
	found := yamlLine.FindStringSubmatch(err.Error())
	line, message := 1, err.Error()
	if found != nil {
		line, _ = strconv.Atoi(found[1]) // "" is 0, which report makes 1
		message = message[len(found[0]):]
	}
	r.report(line, "valid YAML; look at the indentation and at the line before", "this is not YAML: %s", message)
}

// is reports whether n is of the wanted kind, and complains otherwise.
func (r *reader) is(n *yaml.Node, kind yaml.Kind, what, write string) bool {
	switch {
	case n.Kind == kind:
		return true
	case n.Kind == yaml.AliasNode:
		r.report(n.Line, "the value itself, or a named policy", "%s is an alias (*%s), which is not read here", what, n.Value)
	case n.Kind == yaml.ScalarNode && n.Value == "":
		r.report(n.Line, write, "%s is empty", what)
	default:
		r.report(n.Line, write, "%s is %s", what, kindOf(n))
	}
	return false
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return shown(n)
}

// fields returns the values of a mapping by key. Repeated keys are reported; unknown ones are too, unless known is nil.
func (r *reader) fields(n *yaml.Node, what string, known []string) map[string]*yaml.Node {
	if !r.is(n, yaml.MappingNode, what, "keys and their values") {
		return nil
	}
	values := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !r.is(key, yaml.ScalarNode, "a key of "+what, "a word"):
		case values[key.Value] != nil:
			r.report(key.Line, "it once", "%s has the key %s twice", what, shown(key))
		case known != nil && !slices.Contains(known, key.Value):
			r.report(key.Line, instead(key.Value, known), "%s has no key %s", what, shown(key))
		default:
			values[key.Value] = value
		}
	}
	return values
}

// keys returns the keys of a mapping in the order of the alphabet, so that messages do not depend on chance.
func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// text reads a string that is not empty. It returns "" after a complaint.
func (r *reader) text(n *yaml.Node, what, write string) string {
	if !r.is(n, yaml.ScalarNode, what, write) {
		return ""
	}
	switch {
	case n.Tag == "!!null" || strings.TrimSpace(n.Value) == "":
		r.report(n.Line, write, "%s is empty", what)
		return ""
	case n.Tag != "!!str":
		r.report(n.Line, strconv.Quote(n.Value), "%s is not text", what)
		return ""
	}
	return n.Value
}

// word reads a name: it goes into idempotency keys, metric labels and URLs, so its letters are few.
func (r *reader) word(n *yaml.Node, what string) string {
	const longest = 100
	write := "letters, digits, dots, dashes and underscores, at most 100"
	s := r.text(n, what, write)
	if len(s) > longest || strings.ContainsFunc(s, notInWord) {
		r.report(n.Line, write, "%s %s is not a name", what, shown(n))
		return ""
	}
	return s
}

func notInWord(c rune) bool {
	return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("._-", c))
}

// texts reads a list of strings, or a single string where one is enough.
func (r *reader) texts(n *yaml.Node, what, write string) []string {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		n = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}
	}
	if !r.is(n, yaml.SequenceNode, what, write) {
		return nil
	}
	var all []string
	for _, item := range n.Content {
		if s := r.text(item, what, write); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// duration reads a time.Duration that is not negative.
func (r *reader) duration(n *yaml.Node, what string) Duration {
	const write = "a number and its unit, such as 500ms, 30s, 5m or 72h"
	if !r.is(n, yaml.ScalarNode, what, write) {
		return 0
	}
	d, err := time.ParseDuration(n.Value)
	switch {
	case err != nil:
		r.report(n.Line, write, "%s is %s, not a duration", what, shown(n))
	case d < 0:
		r.report(n.Line, write, "%s is negative", what)
	default:
		return Duration(d)
	}
	return 0
}

// flag reads true or false.
func (r *reader) flag(n *yaml.Node, what string) bool {
	if !r.is(n, yaml.ScalarNode, what, "true or false") {
		return false
	}
	if n.Tag != "!!bool" {
		r.report(n.Line, "true or false", "%s is %s", what, shown(n))
	}
	return strings.EqualFold(n.Value, "true")
}

// networks reads a list of networks in CIDR.
func (r *reader) networks(n *yaml.Node) []string {
	var all []string
	for _, item := range n.Content {
		network, err := netip.ParsePrefix(item.Value)
		if err != nil || network.Masked() != network {
			r.report(item.Line, "networks such as [10.1.0.0/16, 240.0.0.0/4]", "allow_private has %s, which is no network in CIDR", shown(item))
			continue
		}
		all = append(all, network.String())
	}
	return all
}

// count reads a whole number from 0 that fits in 32 bits.
func (r *reader) count(n *yaml.Node, what string) int32 {
	const write = "a whole number, 0 for no limit"
	if !r.is(n, yaml.ScalarNode, what, write) {
		return 0
	}
	i, err := strconv.ParseInt(n.Value, 10, 32)
	if err != nil || i < 0 {
		r.report(n.Line, write, "%s is %s", what, shown(n))
		return 0
	}
	return int32(i)
}

// coefficient reads a number from 1.
func (r *reader) coefficient(n *yaml.Node, what string) float64 {
	const write = "a number from 1, such as 2.0"
	if !r.is(n, yaml.ScalarNode, what, write) {
		return 0
	}
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || f < 1 {
		r.report(n.Line, write, "%s is %s", what, shown(n))
		return 0
	}
	return f
}
