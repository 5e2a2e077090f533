package routing

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// conditional is a table of one route with this condition.
func conditional(t testing.TB, when string) *Table {
	t.Helper()
	table, err := Parse("routes.yaml", fmt.Appendf(nil, "routes:\n  - {name: r, provider: stripe, type: \"*\", steps: [{activity: a}], when: %s}\n", strconv.Quote(when)))
	require.NoError(t, err)
	return table
}

const paid = `{"amount":1500,"whole":1500.0,"half":0.5,"huge":12345678901234567890,"far":1e400,"big":1e3,"data":{"object":{"livemode":true,
	"currency":"eur","items":[{"sku":"a","n":1},{"sku":"b","n":20}]}},"none":null,"text":"12a"}`

func TestCondition(t *testing.T) {
	t.Parallel()
	live := true
	e := &event.Event{Provider: "stripe", Type: "charge.refunded", EventID: "evt_1", Account: "acct_1", Livemode: &live,
		Headers: map[string]string{"Stripe-Signature": "x", "Content-Type": "application/json"}}
	for _, test := range []struct {
		when string
		want bool
		note string
	}{
		{`payload.data.object.livemode == true`, true, ""},
		{`payload.data.object.livemode`, true, ""},
		{`payload.amount > 1000`, true, ""},
		{`payload.amount > 1000.5`, true, ""},
		{`payload.amount > 1500`, false, ""},
		{`payload.whole == 1500 && payload.whole + 1 == 1501`, true, ""},
		{`payload.big == 1000`, true, ""},
		{`payload.half < 1`, true, ""},
		{`payload.half * 2.0 == 1.0`, true, ""},
		{`payload.huge > 1000`, true, ""},
		{`payload.far > 1e300`, true, ""},
		{`payload.data.object.items.exists(i, i.sku == "b" && i.n >= 20)`, true, ""},
		{`payload.data.object.items.map(i, i.n).size() == 2`, true, ""},
		{`payload.data.object.currency in ["eur", "chf"]`, true, ""},
		{`payload.data.object.currency.upperAscii() == "EUR"`, true, ""},
		{`event.type.startsWith("charge.") && event.provider == "stripe" && event.id == "evt_1"`, true, ""},
		{`event.account == "acct_1" && event.livemode == true`, true, ""},
		{`headers["content-type"] == "application/json"`, true, ""},
		{`"x-none" in headers`, false, ""},
		{`has(payload.refund) && payload.refund > 1`, false, ""},
		{`has(payload.data.object.currency)`, true, ""},
		{`payload.?data.?customer.?name.orValue("") == ""`, true, ""},
		{`payload.none == null`, true, ""},
		{`payload["amount"] == 1500`, true, ""},
		{`payload.data.object.currency.matches("^e")`, true, ""},

		{`payload.refund > 1`, false, "no such key: refund"},
		{`payload.refund > 1 || true`, true, ""}, // CEL's or does not mind
		{`payload.amount.currency == "eur"`, false, "no such key: currency"},
		{`payload.amount.startsWith("1")`, false, "no such overload"},
		{`payload.half + 1 == 1`, false, "no such overload"}, // arithmetic wants one type: double(payload.half) + 1.0
		{`payload.amount`, false, "it is of type int, not true or false"},
		{`payload[payload.text] == 1`, false, "no such key"}, // the key is the payload's, and not told
		{`int(payload.text) == 1`, false, "it cannot be evaluated for this event"},
		{`1 / (payload.amount - 1500) == 1`, false, "division by zero"},
		{`payload.data.object.items[7].n == 1`, false, "index out of bounds"},
		{`payload.data.object.items.all(a, payload.data.object.items.all(b, ` + strings.Repeat(`[1,2,3,4,5,6,7,8,9].all(x, `, 7) + `true` +
			strings.Repeat(`)`, 7) + `))`, false, "actual cost limit exceeded"},
	} {
		plan := conditional(t, test.when).Plan(e, json.RawMessage(paid))
		require.Equal(t, test.want, plan.Route == "r", test.when)
		if test.note == "" {
			require.Empty(t, plan.Notes, test.when)
			continue
		}
		require.Equal(t, []string{`route "r" in line 2 did not match: when: ` + test.note}, plan.Notes, test.when)
	}
}

func TestCondition_whatIsNotSaid(t *testing.T) {
	t.Parallel()
	e := &event.Event{Provider: "stripe", Type: "x"}
	for when, want := range map[string]bool{
		`event.livemode == null`:  true,
		`event.livemode == false`: false,
		`event.account == ""`:     true,
		`payload == null`:         true,
		`headers.size() == 0`:     true,
	} {
		require.Equal(t, want, conditional(t, when).Plan(e, nil).Route == "r", when)
	}
	require.Len(t, conditional(t, `payload.a == 1`).Plan(e, json.RawMessage(`{"a":`)).Notes, 1, "half a payload is none")
}

func TestCondition_formsAndLists(t *testing.T) {
	t.Parallel()
	e := &event.Event{Provider: "stripe", Type: "x"}
	require.Equal(t, "r", conditional(t, `payload.CallStatus == "busy"`).Plan(e, json.RawMessage(`{"CallStatus":"busy"}`)).Route)
	require.Equal(t, "r", conditional(t, `payload[0].n == 1`).Plan(e, json.RawMessage(`[{"n":1}]`)).Route)
}

func TestCondition_problems(t *testing.T) {
	t.Parallel()
	route := "routes:\n  - provider: stripe\n    type: x\n    steps: []\n"
	for name, test := range map[string]struct {
		yaml string
		want []string
	}{
		"misspelt variable":                 {route + "    when: paylod.amount > 1\n", []string{`5:11: when: undeclared reference to 'paylod'; write: payload`}},
		"misspelt, quoted":                  {route + "    when: \"paylod.amount > 1\"\n", []string{`5:12: when: undeclared reference to 'paylod'; write: payload`}},
		"misspelt field":                    {route + "    when: payload.a && event.tipe == 'x'\n", []string{`5:29: when: undefined field 'tipe'; write: type`}},
		"second line":                       {route + "    when: |\n      payload.a\n      && evnt.type == 'x'\n", []string{`7:10: when: undeclared reference to 'evnt'; write: event`}},
		"folded":                            {route + "    when: >\n      payload.a\n      && evnt.type == 'x'\n", []string{`5: when: undeclared reference to 'evnt'; write: event`}},
		"not a condition":                   {route + "    when: payload.amount >\n", []string{`5:27: when: Syntax error: mismatched input '<EOF>'; write: an expression in CEL`}},
		"compares by letter":                {route + "    when: event.type == 1\n", []string{`5:22: when: found no matching overload for '_==_' applied to '(string, int)'`}},
		"a number":                          {route + "    when: 1 + 1\n", []string{`5: when is of type int; write: a comparison`}},
		"unknown function":                  {route + "    when: payload.a.beginsWith('x')\n", []string{`5:31: when: undeclared reference to 'beginsWith'; write: event, headers or payload, or a function of CEL`}},
		"misspelt function":                 {route + "    when: payload.a.startWith('x')\n", []string{`5:30: when: undeclared reference to 'startWith'; write: startsWith`}},
		"empty":                             {route + "    when: ''\n", []string{`5: when is empty; write: a condition in CEL`}},
		"a list":                            {route + "    when: [a]\n", []string{`5: when is a list; write: a condition in CEL`}},
		"too long":                          {route + "    when: payload.a == '" + strings.Repeat("x", maxCondition) + "'\n", []string{`5: when: expression code point size exceeds limit`}},
		"a regular expression that is none": {route + "    when: payload.a.matches('(')\n", []string{`5: when: error parsing regexp`}},
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

func TestCondition_trueAndFalse(t *testing.T) {
	t.Parallel()
	table := parsed(t, "routes:\n  - {provider: a, type: x, steps: [], when: true, name: on}\n  - {provider: b, type: x, steps: [], when: False, name: off}\n")
	require.Equal(t, "on", planOf(table, "a", "x").Route)
	require.Empty(t, planOf(table, "b", "x").Route)
}

// A condition is evaluated within Begin, which has two seconds: what the limit allows must end well before.
func TestCondition_worstCaseIsBounded(t *testing.T) {
	t.Parallel()
	var items []string
	for i := range 20_000 {
		items = append(items, fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat("a", 30)))
	}
	payload := json.RawMessage(`{"items":[` + strings.Join(items, ",") + `]}`)
	for _, when := range []string{
		`payload.items.exists(i, i.n < 0)`,
		`payload.items.exists(i, payload.items.exists(j, i.n + j.n < 0))`,
		`payload.items.exists(i, i.text.matches("(a*)*(b|c)"))`,
		`payload.items.map(i, i.text + i.text).size() == 0`,
	} {
		table := conditional(t, when)
		began := time.Now()
		table.Plan(&event.Event{Provider: "stripe"}, payload)
		t.Logf("%v %s", time.Since(began), when)
		require.Less(t, time.Since(began), time.Minute, when)
	}
}

// One call can make more text than the machine has memory, out of arguments that a sender writes: it is measured before.
func TestCondition_textsAreBounded(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("ab", 1<<19)
	payload := json.RawMessage(`{"text":"` + text + `","from":"a","to":"` + text + `","list":["` + strings.Repeat(`a","`, 50_000) + `a"],"object":{"a":{"b":"` + text + `"}}}`)
	for when, bounded := range map[string]bool{
		`payload.text.replace(payload.from, payload.to) == ""`:                                                true,
		`payload.text.replace("", payload.to).size() == 0`:                                                    true,
		`payload.text.replace(payload.from, "c").size() == 1`:                                                 false,
		`payload.list.join(payload.text) == ""`:                                                               true,
		`payload.list.join(",").size() == 0`:                                                                  false,
		`payload.text.indexOf(payload.to + "x") == 1`:                                                         true,
		`payload.text.lastIndexOf(payload.to.replace("a", "b")) == 1`:                                         true,
		`payload.text.lastIndexOf("ba") < 0`:                                                                  false,
		`payload.text.split("").size() == 0`:                                                                  true,
		`"` + strings.Repeat("%s", 200) + `".format([` + strings.Repeat("payload.object,", 199) + `1]) == ""`: true,
		`"%.1000000000f".format([1.0]) == ""`:                                                                 true,
		`"%s".format([payload.from]) == "b"`:                                                                  false,
		`payload.list.map(i, payload.text + i).size() == 0`:                                                   true,
		`payload.list.map(i, payload.text.upperAscii()).size() == 0`:                                          true,
		`payload.list.exists(i, payload == payload && i == "b")`:                                              true,
	} {
		table := conditional(t, when)
		notes := table.Plan(&event.Event{Provider: "stripe"}, payload).Notes
		require.Equal(t, bounded, len(notes) > 0, "%.80s: %v", when, notes)
	}
}

func TestCondition_patternOfTheEvent(t *testing.T) {
	t.Parallel()
	for _, when := range []string{`payload.text.matches(payload.pattern)`, `matches(payload.text, event.type)`, `payload.l.exists(p, event.type.matches(p))`} {
		_, err := Parse("routes.yaml", []byte("routes:\n  - {provider: stripe, type: \"*\", steps: [], when: '"+when+"'}\n"))
		require.ErrorContains(t, err, "written out", when)
	}
	conditional(t, `payload.text.matches("^a+$")`)
}

// FuzzCondition: whatever is written, it compiles or is refused with a place, and evaluates or says why not, with
// nothing of the payload in what it says.
func FuzzCondition(f *testing.F) {
	for _, when := range []string{`payload.amount > 1000`, `payload[payload.text]`, `has(payload.a.b)`, `headers["x"].matches(payload.text)`,
		`payload.data.object.items.map(i, i.n)[5] == 1`, `event.livemode || payload.?a.orValue(false)`, `timestamp(payload.text) < timestamp("x")`} {
		f.Add(when)
	}
	const canary = "c4nary"
	payload := json.RawMessage(`{"text":"` + canary + `","amount":1,"data":{"object":{"items":["` + canary + `"]}}}`)
	f.Fuzz(func(t *testing.T, when string) {
		if strings.Contains(when, canary) {
			t.Skip()
		}
		text, err := json.Marshal(map[string]any{"routes": []any{map[string]any{"provider": "a", "type": "x", "steps": []any{}, "when": when}}})
		require.NoError(t, err)
		table, err := Parse("f", text) // JSON is YAML
		if err != nil {
			require.NotContains(t, err.Error(), canary)
			return
		}
		plan := table.Plan(&event.Event{Provider: "a", Type: "x"}, payload)
		require.NotContains(t, strings.Join(plan.Notes, "\n"), canary)
	})
}

func BenchmarkCondition(b *testing.B) {
	table := conditional(b, `payload.data.object.livemode == true && payload.amount > 1000`)
	e := &event.Event{Provider: "stripe", Type: "x"}
	for b.Loop() {
		table.Plan(e, json.RawMessage(paid))
	}
}
