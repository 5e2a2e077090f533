package routing

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"
)

// What one evaluation of a condition may cost, beside conditionCost. The functions on texts take arguments that a sender
// writes, and one call of replace or format can make more text than the machine has memory. So each call is measured by its
// arguments before it is made, and counted by its result after.
const (
	// conditionTime ends an evaluation, measured by the clock: what it does between two looks is bounded by the others.
	conditionTime = time.Second
	// longestText is the longest text that one call may make, in bytes.
	longestText = 4 << 20
	// mostParts is how many parts a text may be split into.
	mostParts = 100_000
	// longestSearch bounds the bytes of a text times those of what is looked for in it: the library compares naively.
	longestSearch = 32 << 20
)

const errTooCostly = "actual cost limit exceeded"

// boundedStrings is ext.Strings with a measure before each of its functions whose work grows by more than its text.
func boundedStrings() (cel.EnvOption, error) {
	plain, err := cel.NewCustomEnv()
	if err != nil {
		return nil, err
	}
	extended, err := plain.Extend(ext.Strings(ext.StringsVersion(4)))
	if err != nil {
		return nil, err
	}
	var options []cel.EnvOption
	for _, name := range slices.Sorted(maps.Keys(extended.Functions())) {
		declared := extended.Functions()[name]
		bindings, err := declared.Bindings()
		if err != nil {
			return nil, err
		}
		var overloads []cel.FunctionOpt
		for _, o := range declared.OverloadDecls() {
			i := slices.IndexFunc(bindings, func(b *functions.Overload) bool { return b.Operator == o.ID() })
			if i < 0 {
				continue
			}
			overload := cel.Overload
			if o.IsMemberFunction() {
				overload = cel.MemberOverload
			}
			overloads = append(overloads, overload(o.ID(), o.ArgTypes(), o.ResultType(), cel.FunctionBinding(measured(name, bindings[i]))))
		}
		if len(overloads) > 0 {
			options = append(options, cel.Function(name, overloads...))
		}
	}
	return cel.Lib(library(options)), nil
}

// library are options as one library.
type library []cel.EnvOption

func (l library) CompileOptions() []cel.EnvOption   { return l }
func (library) ProgramOptions() []cel.ProgramOption { return nil }

// measured calls an overload unless its arguments would make it do too much.
func measured(name string, o *functions.Overload) functions.FunctionOp {
	within := measures[name]
	return func(args ...ref.Val) ref.Val {
		switch {
		case within != nil && !within(args):
			return types.NewErr(errTooCostly)
		case len(args) == 1 && o.Unary != nil:
			return o.Unary(args[0])
		case len(args) == 2 && o.Binary != nil:
			return o.Binary(args[0], args[1])
		}
		return o.Function(args...)
	}
}

// measures report whether a call may be made with these arguments; the text is the first.
var measures = map[string]func(args []ref.Val) bool{
	"indexOf":     searchIsBounded,
	"lastIndexOf": searchIsBounded,
	"replace": func(args []ref.Val) bool {
		text, from, to := textOf(args, 0), textOf(args, 1), textOf(args, 2)
		times := utf8.RuneCountInString(text) + 1
		if from != "" {
			times = strings.Count(text, from)
		}
		return len(text)+times*max(len(to)-len(from), 0) <= longestText
	},
	"split": func(args []ref.Val) bool {
		text, by := textOf(args, 0), textOf(args, 1)
		parts := utf8.RuneCountInString(text)
		if by != "" {
			parts = strings.Count(text, by)
		}
		return parts <= mostParts
	},
	"join": func(args []ref.Val) bool {
		list, ok := args[0].(traits.Lister)
		if !ok {
			return true
		}
		length := 0
		for it := list.Iterator(); it.HasNext() == types.True && length <= longestText; {
			length += len(textOf(args, 1))
			if s, ok := it.Next().(types.String); ok {
				length += len(s)
			}
		}
		return length <= longestText
	},
	"format": func(args []ref.Val) bool {
		pattern := textOf(args, 0)
		if strings.ContainsAny(pattern, ".") && longPrecision(pattern) {
			return false
		}
		length := len(pattern)
		list, ok := args[1].(traits.Lister)
		if !ok {
			return true
		}
		for it := list.Iterator(); it.HasNext() == types.True && length <= longestText; {
			length += written(it.Next(), longestText)
		}
		return length <= longestText
	},
}

func searchIsBounded(args []ref.Val) bool {
	return len(textOf(args, 0))*max(len(textOf(args, 1)), 1) <= longestSearch
}

func textOf(args []ref.Val, i int) string {
	if i < len(args) {
		if s, ok := args[i].(types.String); ok {
			return string(s)
		}
	}
	return ""
}

// longPrecision reports whether a pattern asks for more than 99 digits behind the point.
func longPrecision(pattern string) bool {
	for _, behind := range strings.Split(pattern, ".")[1:] {
		if digits := len(behind) - len(strings.TrimLeft(behind, "0123456789")); digits > 2 {
			return true
		}
	}
	return false
}

// written is about how long a value is as text, some more than most where it is longer than that.
func written(v ref.Val, most int) int {
	switch v := v.(type) {
	case types.String:
		return len(v) + 2
	case types.Bytes:
		return 4 * len(v)
	case traits.Mapper:
		length := 2
		for it := v.Iterator(); it.HasNext() == types.True && length <= most; {
			key := it.Next()
			length += written(key, most) + written(v.Get(key), most) + 4
		}
		return length
	case traits.Lister:
		length := 2
		for it := v.Iterator(); it.HasNext() == types.True && length <= most; {
			length += written(it.Next(), most) + 2
		}
		return length
	}
	return 32
}

// callCosts counts the text that a call made: one for ten bytes, as CEL counts what is searched.
type callCosts struct{}

func (callCosts) CallCost(_, _ string, args []ref.Val, result ref.Val) *uint64 {
	made := uint64(0)
	switch result := result.(type) {
	case types.String:
		made = uint64(len(result))
	case traits.Lister:
		size, _ := result.Size().(types.Int)
		made = 10 * uint64(size)
	default:
		return nil
	}
	for i := range args {
		made += uint64(len(textOf(args, i)))
	}
	cost := 1 + made/10
	return &cost
}
