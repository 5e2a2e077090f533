package routing

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// outline writes a plan's steps as text: "a, (b, c), d", those of a parallel group in brackets.
func outline(plan Plan) string {
	var stages []string
	for _, stage := range plan.Stages() {
		var names []string
		for _, step := range stage {
			names = append(names, step.Name)
		}
		text := strings.Join(names, ", ")
		if stage[0].Group > 0 {
			text = "(" + text + ")"
		}
		stages = append(stages, text)
	}
	return strings.Join(stages, ", ")
}

const composed = `
policies:
  quick: {start_to_close_timeout: 1s}
templates:
  tell everybody:
    - parallel:
        - {activity: tell.Crm, policy: quick}
        - {activity: tell.Search}
    - use: log it
  log it:
    - {activity: log.Write, inline: true}
routes:
  - name: live
    provider: stripe
    type: charge.*
    when: event.livemode == true
    continue: true
    steps:
      - activity: ledger.Book
      - parallel: [{activity: a.One}, {activity: a.Two, name: two}]
      - parallel: [{activity: a.Three}]
  - name: large
    provider: stripe
    type: [charge.refunded, "dispute.*"]
    when: payload.amount > 1000
    continue: true
    steps:
      - parallel: [{activity: alarm.Ring}, {use: log it}]
  - name: all
    provider: stripe
    type: charge.captured
    steps: [{use: tell everybody}, {activity: end.Well}]
  - name: others
    provider: stripe
    type: "*"
    steps: []
`

func TestPlan_severalRoutes(t *testing.T) {
	t.Parallel()
	table := parsed(t, composed)
	for _, test := range []struct {
		eventType, payload string
		live               bool
		route, steps       string
	}{
		{"charge.captured", `{}`, true, "live, all", "ledger.Book, (a.One, two), (a.Three), (tell.Crm, tell.Search), log.Write, end.Well"},
		{"charge.captured", `{}`, false, "all", "(tell.Crm, tell.Search), log.Write, end.Well"},
		{"charge.refunded", `{"amount":2000}`, true, "live, large, others", "ledger.Book, (a.One, two), (a.Three), (alarm.Ring, log.Write)"},
		{"charge.refunded", `{"amount":2}`, true, "live, others", "ledger.Book, (a.One, two), (a.Three)"},
		{"dispute.created", `{"amount":2000}`, true, "large, others", "(alarm.Ring, log.Write)"},
		{"invoice.paid", `{}`, true, "others", ""},
	} {
		e := &event.Event{Provider: "stripe", Type: test.eventType, Livemode: &test.live}
		plan := table.Plan(e, json.RawMessage(test.payload))
		require.Equal(t, test.route, plan.Route, test.eventType)
		require.Equal(t, test.steps, outline(plan), test.eventType)
		require.Empty(t, plan.Notes)
	}
	require.Equal(t, []string{"a.One", "a.Three", "a.Two", "alarm.Ring", "end.Well", "ledger.Book", "log.Write", "tell.Crm", "tell.Search"}, table.Activities())
}

func TestPlan_groupsAreNumberedInOrder(t *testing.T) {
	t.Parallel()
	live := true
	plan := parsed(t, composed).Plan(&event.Event{Provider: "stripe", Type: "charge.captured", Livemode: &live}, nil)
	var groups []int
	for _, step := range plan.Steps {
		groups = append(groups, step.Group)
	}
	require.Equal(t, []int{0, 1, 1, 2, 3, 3, 0, 0}, groups)
}

func TestPlan_templateKeepsItsPolicies(t *testing.T) {
	t.Parallel()
	plan := planOf(parsed(t, composed), "stripe", "charge.captured")
	require.Equal(t, "1s", plan.Steps[0].Options.StartToCloseTimeout.Std().String())
	require.True(t, plan.Steps[2].Inline)
}

func TestStages_keepEveryStepInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		plan := Plan{}
		for _, group := range rapid.SliceOf(rapid.IntRange(0, 2)).Draw(t, "groups") {
			plan.Steps = append(plan.Steps, Step{Name: "s", Group: group})
		}
		var back []Step
		for _, stage := range plan.Stages() {
			require.NotEmpty(t, stage)
			for _, step := range stage {
				require.Equal(t, stage[0].Group, step.Group)
				require.True(t, step.Group > 0 || len(stage) == 1)
			}
			back = append(back, stage...)
		}
		require.Equal(t, plan.Steps, back)
	})
}

func TestSteps_problems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		yaml string
		want []string
	}{
		"misspelt parallel": {"routes: [{provider: a, type: x, steps: [{paralel: []}]}]", []string{
			`1: a step has no key "paralel"; write: parallel`, `1: a step has no activity`}},
		"name of a group": {one + "      - parallel: [{activity: b}]\n        name: group\n", []string{
			`7: a parallel group has no key "name"; write: one of parallel`}},
		"empty group":      {one + "      - parallel: []\n", []string{`6: parallel is empty; write: the steps`}},
		"group of a word":  {one + "      - parallel: b\n", []string{`6: parallel is "b"; write: a list of steps`}},
		"group in a group": {one + "      - parallel:\n        - parallel: [{activity: b}]\n", []string{`7: a parallel group holds steps that run in order, or another group; write: single steps`}},
		"same name in a group": {one + "      - parallel:\n          - activity: b\n          - activity: a\n", []string{
			`8: two steps of the route are named a, the other in line 5; write: name:`}},
		"a list in a group": {"templates:\n  t: [{activity: b}, {activity: c}]\n" + one + "      - parallel:\n          - use: t\n", []string{
			`9: a parallel group holds steps that run in order`}},
		"no such template": {"templates:\n  tell: []\n" + one + "      - use: tel\n", []string{`8: there is no template "tel"; write: tell`}},
		"no templates":     {one + "      - use: tell\n", []string{`6: there is no template "tell"; write: nothing here, since none exists`}},
		"use and activity": {"templates: {t: []}\n" + one + "      - use: t\n        activity: b\n", []string{
			`8: a use of a template has no key "activity"; write: one of use`}},
		"template uses itself": {"templates:\n  t:\n    - use: u\n  u:\n    - use: t\nroutes: []\n", []string{`5: template t uses itself; write: the steps themselves`}},
		"template is wrong, said once": {"templates:\n  t: [{activity: b, inline: maybe}]\n" + one + "      - use: t\n  - {provider: b, type: x, steps: [{use: t}]}\n", []string{
			`2: inline is "maybe"`}},
		"unused template is wrong": {"templates:\n  t: stripe\nroutes: []\n", []string{`2: steps is "stripe"; write: a list of steps`}},
		"same template twice": {"templates:\n  t: [{activity: b}]\n" + one + "      - use: t\n      - use: t\n", []string{
			`9: two steps of the route are named b, the other in line 8`}},
		"collides with a template's": {"templates:\n  t:\n    - activity: a\n" + one + "      - use: t\n", []string{
			`9: two steps of the route are named a, the other in line 8`}},
		"collision": {"routes:\n  - {name: first, provider: a, type: x.*, continue: true, steps: [{activity: b}]}\n  - provider: a\n    type: \"*.y\"\n    steps:\n      - activity: b\n", []string{
			`6: step b is also one of route "first", in line 2, and an event may go through both routes; write: name: and another word in one of them`}},
		"collision by templates": {"templates:\n  t: [{activity: b}]\nroutes:\n  - {provider: a, type: x.*, continue: true, steps: [{use: t}]}\n  - provider: a\n    type: \"*.y\"\n    steps:\n      - use: t\n", []string{
			`8: step b is also one of route "a x.*", in line 4`}},
		"unreachable in spite of conditions": {"routes:\n  - {provider: a, type: x, when: payload.a == 1, steps: []}\n  - {provider: a, type: x, steps: []}\n  - {provider: a, type: x, steps: []}\n", []string{
			`4: no event reaches route "a x": the route in line 3 takes them all`}},
		"continue is a word": {"routes: [{provider: a, type: x, steps: [], continue: perhaps}]", []string{`1: continue is "perhaps"; write: true or false`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("routes.yaml", []byte(test.yaml))
			require.Error(t, err)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(test.want), err.Error())
			for i, want := range test.want {
				require.Contains(t, lines[i], "routes.yaml:"+want)
			}
		})
	}
}

// Templates that use each other twice would double with each.
func TestSteps_templatesDoNotMultiply(t *testing.T) {
	t.Parallel()
	file := "templates:\n  t00: [{activity: a}]\n"
	for i := 1; i < 60; i++ {
		file += fmt.Sprintf("  t%02d: [{use: t%02d}, {use: t%02d}]\n", i, i-1, i-1)
	}
	_, err := Parse("f", []byte(file+"routes: []\n"))
	require.Len(t, strings.Split(err.Error(), "\n"), 59, "each says it once")
}

func TestCheck_templateIsWrongOnce(t *testing.T) {
	t.Parallel()
	table := parsed(t, "templates:\n  t: [{activity: nobody.Knows}]\nroutes:\n  - {provider: a, type: x, steps: [{use: t}]}\n  - {provider: a, type: y, steps: [{use: t}]}\n")
	err := table.Check(Known{Providers: map[string]bool{"a": true}, Activities: []string{"other.Thing"}})
	require.EqualError(t, err, `routes.yaml:2: there is no activity "nobody.Knows"; write: one of other.Thing`)
}

func TestSteps_namesThatNeverMeet(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"the first match wins": "routes:\n  - {provider: a, type: x.*, when: payload.a, steps: [{activity: b}]}\n  - {provider: a, type: x.*, steps: [{activity: b}]}\n",
		"other types":          "routes:\n  - {provider: a, type: x.*, continue: true, steps: [{activity: b}]}\n  - {provider: a, type: y.*, steps: [{activity: b}]}\n",
		"other providers":      "routes:\n  - {provider: a, type: x, continue: true, steps: [{activity: b}]}\n  - {provider: b, type: x, steps: [{activity: b}]}\n",
		"one in between takes them": "routes:\n  - {provider: a, type: x.*, continue: true, steps: [{activity: b}]}\n  - {provider: a, type: x.*, steps: []}\n" +
			"  - {provider: a, type: [x.y, z], steps: [{activity: b}]}\n",
	} {
		_, err := Parse(name, []byte(text))
		require.NoError(t, err)
	}
}

// A file that is taken never gives an event two steps of one name, whatever its conditions say.
func TestPlan_namesAreUnique(t *testing.T) {
	t.Parallel()
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		var file strings.Builder
		file.WriteString("routes:\n")
		for range rapid.IntRange(1, 5).Draw(t, "routes") {
			fmt.Fprintf(&file, "  - {provider: p, type: [%q, %q], continue: %v, steps: [{activity: %s}]",
				rapid.SampledFrom([]string{"a*", "*b", "ab", "a?", "*", "b"}).Draw(t, "glob"), rapid.SampledFrom([]string{"c", "*c", "a.*"}).Draw(t, "other"),
				rapid.Bool().Draw(t, "continue"), rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "step"))
			if rapid.Bool().Draw(t, "conditional") {
				fmt.Fprintf(&file, ", when: payload.%s", rapid.SampledFrom([]string{"yes", "no", "missing"}).Draw(t, "when"))
			}
			file.WriteString("}\n")
		}
		table, err := Parse("f", []byte(file.String()))
		if err != nil {
			return
		}
		taken++
		for _, eventType := range []string{"", "a", "ab", "abc", "b", "bb", "c", "ac", "a.c", "a.b"} {
			names := map[string]bool{}
			for _, step := range table.Plan(&event.Event{Provider: "p", Type: eventType}, json.RawMessage(`{"yes":true,"no":false}`)).Steps {
				require.False(t, names[step.Name], "%s has two steps %s by\n%s", eventType, step.Name, file.String())
				names[step.Name] = true
			}
		}
	})
	require.Positive(t, taken, "some files are good")
}

func TestGlobsMeet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"x.*", "*.y", true}, {"x.*", "y.*", false}, {"*", "", true}, {"a?c", "abc", true}, {"a?c", "a*d", false}, {"*a*", "b*", true},
		{"", "", true}, {"?", "", false}, {"a*", "a", true}, {"ab*", "*bc", true}, {"*x", "*y", false}, {"é?", "?a", true},
	} {
		require.Equal(t, test.want, globsMeet(test.a, test.b), "%q %q", test.a, test.b)
		require.Equal(t, test.want, globsMeet(test.b, test.a), "%q %q", test.b, test.a)
	}
}

func TestGlobsMeet_whenSomeTypeMatchesBoth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, s := someGlob.Draw(t, "a"), someGlob.Draw(t, "b"), someType.Draw(t, "s")
		if globMatch(a, s) && globMatch(b, s) {
			require.True(t, globsMeet(a, b))
		}
		if globsMeet(a, b) && !strings.ContainsAny(a, "*?") {
			require.True(t, globMatch(b, a), "a text meets what it matches, and nothing else")
		}
		if globCovers(a, b) {
			require.True(t, globsMeet(a, b))
		}
	})
}
