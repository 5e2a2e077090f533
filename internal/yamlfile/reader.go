// Package yamlfile reads YAML that people write: strictly, and with every problem at once, each with its line and with
// what to write instead.
package yamlfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong in a file.
type Problem struct {
	File  string
	Line  int // from 1
	What  string
	Write string
}

// Error returns "file:line: what; write: …", which editors turn into a link.
func (p *Problem) Error() string {
	return fmt.Sprintf("%s:%d: %s; write: %s", p.File, p.Line, p.What, p.Write)
}

// Reader collects what is wrong while a file is read.
type Reader struct {
	name     string
	problems []*Problem
}

// New returns a reader; name is how messages call the file.
func New(name string) *Reader { return &Reader{name: name} }

// Report adds a problem at a line.
func (r *Reader) Report(line int, write, format string, args ...any) {
	r.problems = append(r.problems, &Problem{File: r.name, Line: max(line, 1), What: fmt.Sprintf(format, args...), Write: write})
}

// Problems returns how many there are.
func (r *Reader) Problems() int { return len(r.problems) }

// Err joins the problems in the order of their lines; nil when there are none.
func (r *Reader) Err() error {
	slices.SortStableFunc(r.problems, func(a, b *Problem) int { return cmp.Compare(a.Line, b.Line) })
	all := make([]error, len(r.problems))
	for i, p := range r.problems {
		all[i] = p
	}
	return errors.Join(all...)
}

// yamlLine finds the line in an error of the YAML package, which has no type for it.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// Document returns the root of the first document in text, or nil when there is none. What is not YAML is reported.
func (r *Reader) Document(text []byte) *yaml.Node {
	var doc yaml.Node
	switch err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		return nil
	case err != nil:
		line, message := 1, err.Error()
		if found := yamlLine.FindStringSubmatch(message); found != nil {
			line, _ = strconv.Atoi(found[1]) // "" is 0, which Report makes 1
			message = message[len(found[0]):]
		}
		r.Report(line, "valid YAML; look at the indentation and at the line before", "this is not YAML: %s", message)
		return nil
	}
	return doc.Content[0]
}

// Entry is a key of a mapping and its value.
type Entry struct {
	Key  string
	Line int
	Node *yaml.Node
}

// Entries returns a mapping in its order. A value whose lines are all commented out counts as an empty mapping. Repeated
// keys are reported; unknown ones are too, unless known is nil.
func (r *Reader) Entries(n *yaml.Node, what string, known []string) []Entry {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.Report(n.Line, "keys and their values, indented below it", "%s is not a mapping", what)
		return nil
	}
	var entries []Entry
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.Report(key.Line, "a word", "a key of %s is not a word", what)
		case seen[key.Value]:
			r.Report(key.Line, "it once", "%s has the key %q twice", what, shown(key.Value))
		case known != nil && !slices.Contains(known, key.Value):
			r.Report(key.Line, instead(key.Value, known), "%s has no key %q", what, shown(key.Value))
		default:
			entries = append(entries, Entry{key.Value, key.Line, value})
		}
		seen[key.Value] = true
	}
	return entries
}

// Text reads a string that is not empty, "" after a complaint.
func (r *Reader) Text(n *yaml.Node, what, write string) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || strings.TrimSpace(n.Value) == "" {
		r.Report(n.Line, write, "%s is not text, or empty", what)
		return ""
	}
	return n.Value
}

// Scalar reads a string, or a number or a flag as it is written.
func (r *Reader) Scalar(n *yaml.Node, what, write string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		r.Report(n.Line, write, "%s is not a single value, or empty", what)
		return ""
	}
	return n.Value
}

// Word is Text for one of some words.
func (r *Reader) Word(n *yaml.Node, what string, known ...string) string {
	text := r.Text(n, what, "one of "+strings.Join(known, ", "))
	if text != "" && !slices.Contains(known, text) {
		r.Report(n.Line, instead(text, known), "%s is %q", what, shown(text))
		return ""
	}
	return text
}

// Texts reads a list of strings, or a single one.
func (r *Reader) Texts(n *yaml.Node, what, write string) []string {
	if n.Kind != yaml.SequenceNode {
		if text := r.Text(n, what, write); text != "" {
			return []string{text}
		}
		return nil
	}
	var all []string
	for _, item := range n.Content {
		if text := r.Text(item, what, write); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// Flag reads true or false.
func (r *Reader) Flag(n *yaml.Node, what string) bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		r.Report(n.Line, "true or false", "%s is not true or false", what)
		return false
	}
	return strings.EqualFold(n.Value, "true")
}

// Count reads a whole number from least to most.
func (r *Reader) Count(n *yaml.Node, what string, least, most int64) int64 {
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || err != nil || i < least || i > most {
		r.Report(n.Line, fmt.Sprintf("a whole number from %d to %d", least, most), "%s is %q", what, shown(n.Value))
		return 0
	}
	return i
}

// Duration reads a duration above zero.
func (r *Reader) Duration(n *yaml.Node, what string) time.Duration {
	d, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || d <= 0 {
		r.Report(n.Line, "a number and its unit, such as 30s, 5m or 1h", "%s is %q, not a duration above zero", what, shown(n.Value))
		return 0
	}
	return d
}

// shown cuts a value to a length that fits a line.
func shown(value string) string {
	const longest = 60
	if len(value) > longest {
		return strings.ToValidUTF8(value[:longest], "") + "…"
	}
	return value
}

// instead names the known word that begins as the wrong one does, or all of them.
func instead(wrong string, known []string) string {
	for _, word := range known {
		if len(wrong) > 2 && strings.HasPrefix(word, strings.ToLower(wrong[:3])) {
			return word
		}
	}
	return "one of " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}
