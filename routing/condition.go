package routing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"go.yaml.in/yaml/v3"
)

// A condition is an expression in CEL (https://cel.dev), compiled and type-checked when the file is read.
const (
	// maxCondition bounds an expression's characters, and conditionDepth its nesting.
	maxCondition   = 4096
	conditionDepth = 100
	// conditionCost is how much work one evaluation may do, in CEL's units: about one per comparison, and one per ten
	// bytes of a text that is searched. A list of 100,000 elements can be walked once; measured, that takes 0.1 s.
	conditionCost = 1_000_000
)

// seenEvent is the variable event of a condition.
type seenEvent struct {
	Provider string `cel:"provider"`
	Type     string `cel:"type"`
	Account  string `cel:"account"`  // "" where there is none
	Livemode any    `cel:"livemode"` // null where the provider does not say
	ID       string `cel:"id"`       // the provider's
}

// The variables of a condition, and the fields of event, for suggestions.
var (
	conditionVariables = []string{"event", "headers", "payload"}
	eventFields        = []string{"account", "id", "livemode", "provider", "type"}
)

// conditions is the language: CEL with its string functions and optional values, and numbers that compare across types.
var conditions = sync.OnceValues(func() (*cel.Env, error) {
	texts, err := boundedStrings()
	if err != nil {
		return nil, err
	}
	return cel.NewEnv(
		ext.NativeTypes(ext.ParseStructTags(true), reflect.TypeFor[*seenEvent]()),
		texts,
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxCondition),
		cel.ParserRecursionLimit(conditionDepth),
		cel.Variable("event", cel.ObjectType("routing.seenEvent")),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("payload", cel.DynType),
	)
})

// condition is one when:, or an expression in a fallback.
type condition struct {
	text         string
	program      cel.Program
	readsPayload bool
}

// broken stands for a condition that was reported, so that its route does not pass for one without.
var broken = &condition{}

// condition compiles the value of when:. What is wrong with it is reported; broken is returned then.
func (r *reader) condition(n *yaml.Node) *condition {
	const write = "a condition in CEL, such as payload.data.object.amount > 1000"
	if n.Tag == "!!bool" { // when: true
		n = &yaml.Node{Kind: n.Kind, Tag: "!!str", Value: strings.ToLower(n.Value), Line: n.Line, Column: n.Column}
	}
	text := r.text(n, "when", write)
	if text == "" {
		return broken
	}
	return r.expression(n, "when", cel.BoolType)
}

// expression compiles the text of n, which belongs to what. With a wanted type it must be of that, as far as can be told
// before there is an event. What is wrong with it is reported at its line and column; broken is returned then.
func (r *reader) expression(n *yaml.Node, what string, wanted *cel.Type) *condition {
	text := n.Value
	env, err := conditions()
	if err != nil {
		r.report(n.Line, "nothing; this build has no expressions", "%s: %v", what, err)
		return broken
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors()[:min(len(issues.Errors()), 5)] {
			r.expressionProblem(n, what, e)
		}
		return broken
	}
	if out := checked.OutputType(); wanted != nil && !out.IsExactType(wanted) && !out.IsExactType(cel.DynType) {
		r.report(n.Line, "a comparison, which is true or false", "%s is of type %s", what, out)
		return broken
	}
	if at := variablePattern(checked.NativeRep()); at != nil {
		line, column := r.place(n, at.Line(), at.Column())
		r.reportAt(line, column, `the pattern as it is, such as "^in_[0-9]+$"`, "%s: matches takes a pattern that is written out: one of the event's could be any", what)
		return broken
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(conditionCost),
		cel.CostTracking(callCosts{}), cel.InterruptCheckFrequency(100))
	if err != nil {
		r.report(n.Line, "a simpler expression", "%s: %v", what, err)
		return broken
	}
	c := &condition{text: text, program: program}
	for _, reference := range checked.NativeRep().ReferenceMap() {
		c.readsPayload = c.readsPayload || reference.Name == "payload"
	}
	return c
}

// variablePattern returns where an expression takes a regular expression from the event, nil where it does not.
func variablePattern(checked *ast.AST) common.Location {
	calls := ast.MatchDescendants(ast.NavigateAST(checked), ast.FunctionMatcher("matches"))
	for _, call := range calls {
		args := call.AsCall().Args()
		if len(args) > 0 && args[len(args)-1].Kind() != ast.LiteralKind {
			return checked.SourceInfo().GetStartLocation(call.ID())
		}
	}
	return nil
}

var (
	undeclared     = regexp.MustCompile(`^undeclared reference to '([^']+)'`)
	undefinedField = regexp.MustCompile(`^undefined field '([^']+)'`)
)

// conditionWords are the variables and functions of a condition.
func conditionWords() []string {
	words := slices.Clone(conditionVariables)
	if env, err := conditions(); err == nil {
		for name := range env.Functions() {
			if !strings.ContainsFunc(name, notInWord) && !strings.HasPrefix(name, "_") {
				words = append(words, name)
			}
		}
	}
	return words
}

// expressionProblem reports what the compiler says, with what to write where that can be told.
func (r *reader) expressionProblem(n *yaml.Node, whose string, e *common.Error) {
	what, write := e.Message, "an expression in CEL; docs/routes.md has examples"
	what, _, _ = strings.Cut(what, " expecting ")
	what, _, _ = strings.Cut(what, " (")
	what = strings.ReplaceAll(what, "routing.seenEvent", "event")
	if found := undeclared.FindStringSubmatch(what); found != nil {
		write = cmp.Or(nearest(found[1], conditionWords()), "event, headers or payload, or a function of CEL")
	}
	if found := undefinedField.FindStringSubmatch(what); found != nil {
		write = instead(found[1], eventFields)
	}
	line, column := r.place(n, e.Location.Line(), e.Location.Column())
	r.reportAt(line, column, write, "%s: %s", whose, what)
}

// place returns where in the file a place in a text stands: its line, from 1, and column, from 0. The column is 0 where
// it cannot be told, since YAML folded the lines.
func (r *reader) place(n *yaml.Node, line, column int) (int, int) {
	switch {
	case line < 1: // the whole text
	case n.Style&yaml.LiteralStyle != 0:
		line += n.Line
		if line <= len(r.lines) {
			return line, len(r.lines[line-1]) - len(strings.TrimLeft(r.lines[line-1], " ")) + column + 1
		}
	case n.Style&yaml.FoldedStyle == 0 && n.Line <= len(r.lines) && strings.Contains(r.lines[n.Line-1], n.Value):
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			column++
		}
		return n.Line, n.Column + column
	}
	return n.Line, 0
}

// evaluate returns the expression's value within the bounds of conditionCost and conditionTime.
func (c *condition) evaluate(s *subject) (ref.Val, error) {
	ctx, cancel := context.WithTimeout(context.Background(), conditionTime)
	defer cancel()
	value, _, err := c.program.ContextEval(ctx, s.variables())
	return value, err
}

// holds evaluates the condition. The error says why it is neither true nor false, with nothing of the event in it.
func (c *condition) holds(s *subject) (bool, error) {
	value, err := c.evaluate(s)
	if err != nil {
		return false, c.harmless(err)
	}
	if yes, ok := value.(types.Bool); ok {
		return bool(yes), nil
	}
	return false, fmt.Errorf("it is of type %s, not true or false", typeName(value))
}

func typeName(v ref.Val) string { return v.Type().TypeName() }

// The errors of CEL that hold nothing but their own words.
var knownErrors = []string{"no such overload", "division by zero", "modulus by zero", "index out of bounds", "integer overflow",
	errTooCostly, "no such attribute"}

var missingKey = regexp.MustCompile(`no such key: (\S+)`)

// harmless is err without what it may quote of the payload: this is recorded in the run's history and logged. A missing
// key is named where it stands in the condition itself.
func (c *condition) harmless(err error) error {
	if found := missingKey.FindStringSubmatch(err.Error()); found != nil {
		if strings.Contains(c.text, found[1]) {
			return errors.New("no such key: " + found[1])
		}
		return errors.New("no such key")
	}
	if strings.Contains(err.Error(), "operation interrupted") { // by conditionTime
		return errors.New(errTooCostly)
	}
	for _, known := range knownErrors {
		if strings.Contains(err.Error(), known) {
			return errors.New(known)
		}
	}
	return errors.New("it cannot be evaluated for this event")
}
