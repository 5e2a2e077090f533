package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong in a file of routes, with what to write instead.
type Problem struct {
	Name   string `json:"file"`
	Line   int    `json:"line"`             // from 1
	Column int    `json:"column,omitempty"` // from 1, in characters; 0 where the line says it
	What   string `json:"what"`
	Write  string `json:"write"`
}

// String returns "name:line: what; write: …", or "name:line:column: …", which editors turn into a link.
func (p Problem) String() string {
	if p.Column > 0 {
		return fmt.Sprintf("%s:%d:%d: %s; write: %s", p.Name, p.Line, p.Column, p.What, p.Write)
	}
	return fmt.Sprintf("%s:%d: %s; write: %s", p.Name, p.Line, p.What, p.Write)
}

// Problems is the error of Parse and Check: everything that is wrong, in the order of the lines.
type Problems []Problem

// Error returns one problem per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// reader collects what is wrong while a file is read, so that everything is said at once.
type reader struct {
	name     string
	lines    []string // of the file
	problems Problems
}

// report adds a problem at a line.
func (r *reader) report(line int, write, format string, args ...any) {
	r.reportAt(line, 0, write, format, args...)
}

// reportAt adds a problem at a line and a column.
func (r *reader) reportAt(line, column int, write, format string, args ...any) {
	r.problems = append(r.problems, Problem{
		Name: r.name, Line: max(line, 1), Column: column, What: fmt.Sprintf(format, args...), Write: write,
	})
}

// err returns the problems in order, each once, or nil: what is wrong in a template is wrong for each route that uses it.
func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return slices.Compact(r.problems)
}

// shown quotes a value for a message, cut to a length that fits a line.
func shown(n *yaml.Node) string {
	const longest = 60
	value := n.Value
	if len(value) > longest {
		value = strings.ToValidUTF8(value[:longest], "") + "…"
	}
	return fmt.Sprintf("%q", value)
}

// instead names the known word nearest to a wrong one, or all of them when none is near.
func instead(wrong string, known []string) string {
	if len(known) == 0 {
		return "nothing here, since none exists"
	}
	known = slices.Sorted(slices.Values(known))
	return cmp.Or(nearest(wrong, known), "one of "+strings.Join(known, ", "))
}

// nearest returns the known word that a wrong one is likely to mean, or "". Of equals it is the first.
func nearest(wrong string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	found := slices.MinFunc(known, func(a, b string) int { return cmp.Compare(distance(wrong, a), distance(wrong, b)) })
	if distance(wrong, found) > max(2, len(found)/3) {
		return ""
	}
	return found
}

// distance counts the letters to insert, remove or change between a and b, upper case being lower (Levenshtein).
// Long words are cut: nobody misspells by a hundred letters.
func distance(a, b string) int {
	const longest = 100
	a, b = strings.ToLower(a[:min(len(a), longest)]), strings.ToLower(b[:min(len(b), longest)])
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
