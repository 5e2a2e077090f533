package providers

import (
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bodies says which bodies go with which value of a header that no signature covers. A body that cannot be the header's has the
// type unknown: whoever holds one signed request could else send it as any other type.
type Bodies struct {
	Header string
	Of     map[string]Shape // by the header's value, or its beginning before a *
}

// Shape is what a body has and what it has not, as JSON pointers.
type Shape struct{ Has, Lacks []string }

// bodyChecks are Bodies that were read.
type bodyChecks struct {
	header string
	of     map[string]bodyShape
}

type bodyShape struct{ has, lacks [][]string }

func newBodyChecks(b *Bodies) *bodyChecks {
	if b == nil {
		return nil
	}
	checks := &bodyChecks{header: b.Header, of: map[string]bodyShape{}}
	for value, s := range b.Of {
		checks.of[value] = bodyShape{parsePointers(s.Has), parsePointers(s.Lacks)}
	}
	return checks
}

// contradict reports whether a body cannot be that of the header's value. A value that nobody declared is not checked.
func (b *bodyChecks) contradict(h http.Header, body jsonValue) bool {
	if b == nil || body.kind() != '{' {
		return false
	}
	s, known := b.shapeOf(h.Get(b.header))
	there := func(pointer []string) bool { return body.at(pointer).kind() != 0 }
	return known && (slices.ContainsFunc(s.lacks, there) || !all(s.has, there))
}

// shapeOf finds a value as it is, else the longest beginning of it.
func (b *bodyChecks) shapeOf(value string) (bodyShape, bool) {
	if s, ok := b.of[value]; ok {
		return s, true
	}
	var found bodyShape
	longest := -1
	for pattern, s := range b.of {
		beginning, open := strings.CutSuffix(pattern, "*")
		if open && strings.HasPrefix(value, beginning) && len(beginning) > longest {
			found, longest = s, len(beginning)
		}
	}
	return found, longest >= 0
}

func all(pointers [][]string, holds func([]string) bool) bool {
	return !slices.ContainsFunc(pointers, func(p []string) bool { return !holds(p) })
}

// bodies reads the key of that name.
func (d declarer) bodies(n *yaml.Node) *Bodies {
	b := &Bodies{Of: map[string]Shape{}}
	for _, e := range d.Entries(n, "bodies", []string{"header", "of"}) {
		switch e.Key {
		case "header":
			b.Header = d.Text(e.Node, e.Key, writeHeader)
		case "of":
			for i := 0; e.Node.Kind == yaml.MappingNode && i+1 < len(e.Node.Content); i += 2 {
				b.Of[e.Node.Content[i].Value] = d.shape(e.Node.Content[i+1])
			}
		}
	}
	if b.Header == "" || len(b.Of) == 0 {
		d.Report(n.Line, "header, and of: {VALUE: {has: [/POINTER]}}", "bodies names no header or no body")
	}
	return b
}

func (d declarer) shape(n *yaml.Node) Shape {
	var s Shape
	for _, e := range d.Entries(n, "of", []string{"has", "lacks"}) {
		for _, item := range list(e.Node) {
			pointer := d.pointer(item, e.Key)
			if e.Key == "has" {
				s.Has = append(s.Has, pointer)
			} else {
				s.Lacks = append(s.Lacks, pointer)
			}
		}
	}
	return s
}
