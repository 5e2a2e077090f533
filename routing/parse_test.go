package routing

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// whole uses every key.
const whole = `
defaults:
  heartbeat_timeout: 5s
policies:
  database:
    start_to_close_timeout: 2s
    retry_policy: {initial_interval: 500ms, maximum_interval: 1m, non_retryable_error_types: [Unknown]}
  patient: {start_to_close_timeout: 1m, schedule_to_start_timeout: 1h}
providers:
  twilio: {whatever: config reads}
routes:
  - name: checkout
    provider: stripe
    type: checkout.session.*
    steps:
      - activity: stripe.RecordCheckout
        name: record
        inline: true
        policy: database
        schedule_to_close_timeout: 24h
        retry_policy: {backoff_coefficient: 1.5, maximum_attempts: 7, non_retryable_error_types: [InvalidPayload]}
      - activity: forward
        policy: patient
  - provider: stripe
    type: [invoice.*, "charge.?"]
    steps: []
  - provider: twilio
    type: "*"
    steps: [{activity: twilio.RecordCall, inline: true}]
`

func parsed(t *testing.T, text string) *Table {
	t.Helper()
	table, err := Parse("routes.yaml", []byte(text))
	require.NoError(t, err)
	return table
}

func TestParse_everyKey(t *testing.T) {
	t.Parallel()
	plan := planOf(parsed(t, whole), "stripe", "checkout.session.completed")
	require.Equal(t, Plan{Route: "checkout", Steps: []Step{
		{Name: "record", Activity: "stripe.RecordCheckout", Inline: true, Options: Options{
			StartToCloseTimeout:    Duration(2 * time.Second),
			ScheduleToCloseTimeout: Duration(24 * time.Hour),
			HeartbeatTimeout:       Duration(5 * time.Second),
			RetryPolicy: RetryPolicy{
				InitialInterval: Duration(500 * time.Millisecond), MaximumInterval: Duration(time.Minute),
				BackoffCoefficient: 1.5, MaximumAttempts: 7, NonRetryableErrorTypes: []string{"InvalidPayload"},
			},
		}},
		{Name: "forward", Activity: "forward", Options: Options{
			StartToCloseTimeout:    Duration(time.Minute),
			ScheduleToCloseTimeout: Duration(72 * time.Hour),
			ScheduleToStartTimeout: Duration(time.Hour),
			HeartbeatTimeout:       Duration(5 * time.Second),
		}},
	}}, plan)
}

func TestParse_defaultPolicy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		yaml string
		want Options
	}{
		"nothing said": {
			"routes: [{provider: a, type: b, steps: [{activity: c}]}]",
			Options{StartToCloseTimeout: Duration(30 * time.Second), ScheduleToCloseTimeout: Duration(72 * time.Hour)},
		},
		"inline": {
			"routes: [{provider: a, type: b, steps: [{activity: c, inline: true}]}]",
			Options{StartToCloseTimeout: Duration(2 * time.Second), ScheduleToCloseTimeout: Duration(72 * time.Hour)},
		},
		"a short whole": {
			"routes: [{provider: a, type: b, steps: [{activity: c, schedule_to_close_timeout: 10s}]}]",
			Options{StartToCloseTimeout: Duration(10 * time.Second), ScheduleToCloseTimeout: Duration(10 * time.Second)},
		},
		"no end": {
			"routes: [{provider: a, type: b, steps: [{activity: c, schedule_to_close_timeout: 0s}]}]",
			Options{StartToCloseTimeout: Duration(30 * time.Second)},
		},
		"defaults of the file": {
			"routes: [{provider: a, type: b, steps: [{activity: c}]}]\ndefaults: {start_to_close_timeout: 5s}",
			Options{StartToCloseTimeout: Duration(5 * time.Second), ScheduleToCloseTimeout: Duration(72 * time.Hour)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, planOf(parsed(t, test.yaml), "a", "b").Steps[0].Options)
		})
	}
}

func TestPlan_isCompactInHistory(t *testing.T) {
	t.Parallel()
	plan := planOf(parsed(t, "routes: [{provider: a, type: b, steps: [{activity: c}]}]"), "a", "b")
	text, err := json.Marshal(plan)
	require.NoError(t, err)
	require.JSONEq(t, `{"route":"a b","steps":[{"name":"c","activity":"c","options":
		{"start_to_close_timeout":"30s","schedule_to_close_timeout":"72h0m0s"}}]}`, string(text))
	var back Plan
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, plan, back)
}

const one = "routes:\n  - provider: stripe\n    type: x\n    steps:\n      - activity: a\n"

func TestParse_problems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		yaml string
		want []string
	}{
		"empty file":        {"", []string{`1: the file is empty; write: routes: []`}},
		"only comments":     {"# nothing\n", []string{`1: the file is empty; write: routes: []`}},
		"not YAML":          {"routes:\n  - [a\n", []string{`: this is not YAML: did not find expected`}},
		"a list":            {"- a\n", []string{`1: the file is a list; write: keys and their values`}},
		"no routes":         {"policies: {}\n", []string{`1: there are no routes; write: routes: []`}},
		"routes is a word":  {"routes: stripe\n", []string{`1: routes is "stripe"; write: a list of routes`}},
		"routes is empty":   {"routes:\n", []string{`1: routes is empty; write: a list of routes`}},
		"two documents":     {"routes: []\n---\nroutes: []\n", []string{`2: a second document begins here; write: everything`}},
		"broken second":     {"routes: []\n---\na: [\n", []string{`this is not YAML`}},
		"alias":             {"defaults: &d {}\nroutes: *d\n", []string{`2: routes is an alias (*d), which is not read here; write: the value itself`}},
		"misspelt top":      {"route: []\nroutes: []\n", []string{`1: the file has no key "route"; write: routes`}},
		"far from any":      {"zzzzzzz: []\nroutes: []\n", []string{`1: the file has no key "zzzzzzz"; write: one of defaults, destinations, policies, providers, routes, sources, templates`}},
		"misspelt in route": {"routes:\n  - providr: stripe\n    provider: stripe\n    type: x\n    steps: []\n", []string{`2: a route has no key "providr"; write: provider`}},
		"misspelt in step":  {one + "        retry_polcy: {}\n", []string{`6: a step has no key "retry_polcy"; write: retry_policy`}},
		"misspelt in retry": {one + "        retry_policy:\n          max_attempts: 3\n", []string{`7: retry_policy has no key "max_attempts"; write: maximum_attempts`}},
		"duplicate key":     {"routes: []\nroutes: []\n", []string{`2: the file has the key "routes" twice; write: it once`}},
		"duplicate policy":  {"routes: []\npolicies:\n  a: {}\n  a: {}\n", []string{`4: policies has the key "a" twice; write: it once`}},
		"key is a list":     {"? [a]\n: b\nroutes: []\n", []string{`1: a key of the file is a list; write: a word`}},
		"route of nothing": {"routes:\n  - {}\n", []string{
			`2: a route has no provider; write: provider: and`, `2: a route has no type; write: type: "*"`,
			`2: a route has no steps; write: steps: []`}},
		"route is a word":  {"routes: [stripe]\n", []string{`1: a route is "stripe"; write: keys and their values`}},
		"empty type":       {"routes: [{provider: a, type: '', steps: []}]\n", []string{`1: type is empty; write: a glob`}},
		"no types":         {"routes: [{provider: a, type: [], steps: []}]\n", []string{`1: type is an empty list`}},
		"number as type":   {"routes: [{provider: a, type: [1], steps: []}]\n", []string{`1: type is not text; write: "1"`}},
		"long glob":        {"routes: [{provider: a, type: " + strings.Repeat("x", 300) + ", steps: []}]\n", []string{`1: a glob of type is too long; write: at most 256 bytes`}},
		"strange provider": {"routes: [{provider: a/b, type: x, steps: []}]\n", []string{`1: provider "a/b" is not a name; write: letters`}},
		"steps is a word":  {"routes: [{provider: a, type: x, steps: b}]\n", []string{`1: steps is "b"; write: a list of steps`}},
		"step is a word":   {"routes: [{provider: a, type: x, steps: [b]}]\n", []string{`1: a step is "b"; write: keys and their values`}},
		"no activity":      {"routes: [{provider: a, type: x, steps: [{name: b}]}]\n", []string{`1: a step has no activity or forward; write: activity:`}},
		"same name": {one + "      - activity: b\n        name: a\n", []string{
			`6: two steps of the route are named a, the other in line 5; write: name:`}},
		"no such policy": {"policies: {database: {}}\n" + one + "        policy: databse\n", []string{
			`7: there is no policy "databse"; write: database`}},
		"no policies":   {one + "        policy: fast\n", []string{`6: there is no policy "fast"; write: nothing here, since none exists`}},
		"empty policy":  {one + "        policy:\n", []string{`6: policy is empty; write: the name of one of policies`}},
		"no unit":       {one + "        heartbeat_timeout: 5\n", []string{`6: heartbeat_timeout is "5", not a duration; write: a number and its unit`}},
		"negative":      {one + "        heartbeat_timeout: -5s\n", []string{`6: heartbeat_timeout is negative; write:`}},
		"days":          {one + "        schedule_to_close_timeout: 3d\n", []string{`6: schedule_to_close_timeout is "3d", not a duration`}},
		"time-out list": {one + "        heartbeat_timeout: [5s]\n", []string{`6: heartbeat_timeout is a list; write: a number and its unit`}},
		"endless attempt": {one + "        start_to_close_timeout: 0s\n", []string{
			`6: start_to_close_timeout is 0: an attempt of a worker that died would never end; write: how long`}},
		"attempt over all": {one + "        start_to_close_timeout: 2m\n        schedule_to_close_timeout: 1m\n", []string{
			`6: start_to_close_timeout, of one attempt, is longer than schedule_to_close_timeout, of all; write: 1m0s or less`}},
		"coefficient":      {one + "        retry_policy: {backoff_coefficient: 0.5}\n", []string{`6: backoff_coefficient is "0.5"; write: a number from 1`}},
		"coefficient nan":  {one + "        retry_policy: {backoff_coefficient: nan}\n", []string{`6: backoff_coefficient is "nan"; write: a number from 1`}},
		"attempts":         {one + "        retry_policy: {maximum_attempts: -1}\n", []string{`6: maximum_attempts is "-1"; write: a whole number`}},
		"attempts of half": {one + "        retry_policy: {maximum_attempts: 1.5}\n", []string{`6: maximum_attempts is "1.5"; write: a whole number`}},
		"retry is a word":  {one + "        retry_policy: never\n", []string{`6: retry_policy is "never"; write: keys`}},
		"intervals": {one + "        retry_policy:\n          initial_interval: 10s\n          maximum_interval: 5s\n", []string{
			`8: maximum_interval 5s is shorter than initial_interval 10s; write: 10s or more`}},
		"interval under Temporal's own": {one + "        retry_policy: {maximum_interval: 500ms}\n", []string{
			`6: maximum_interval 500ms is shorter than initial_interval 1s; write: 1s or more`}},
		"interval over the policy's": {"defaults: {retry_policy: {maximum_interval: 5s}}\n" + one + "        retry_policy: {initial_interval: 1m}\n", []string{
			`7: maximum_interval 5s is shorter than initial_interval 1m0s; write: 1m0s or more`}},
		"inline word": {one + "        inline: yes please\n", []string{`6: inline is "yes please"; write: true or false`}},
		"inline too long": {one + "        inline: true\n        start_to_close_timeout: 3s\n", []string{
			`7: step a is inline and its start_to_close_timeout is 3s; write: start_to_close_timeout: 2s or less, or inline: false`}},
		"inline by policy": {"policies: {slow: {start_to_close_timeout: 3s}}\n" + one + "        inline: true\n        policy: slow\n", []string{
			`6: step a is inline and its start_to_close_timeout is 3s`}},
		"policy wrong, said once": {"policies:\n  p:\n    retry_policy: {initial_interval: 2s, maximum_interval: 1s}\n" + one +
			"        policy: p\n      - {activity: b, policy: p}\n", []string{`3: maximum_interval 1s is shorter than initial_interval 2s`}},
		"defaults wrong, said once": {"defaults: {start_to_close_timeout: 100h}\n" + one, []string{`1: start_to_close_timeout, of one attempt, is longer`}},
		"unreachable": {"routes:\n  - {provider: a, type: '*', steps: []}\n  - {provider: b, type: x, steps: []}\n  - {provider: a, type: [x, y*], steps: []}\n", []string{
			`4: no event reaches route "a x, y*": the route in line 2 takes them all, and the first match wins; write: it before that route, or continue: true in that one, or nothing`}},
		"unreachable by two": {"routes:\n  - {provider: a, type: x*, steps: []}\n  - {provider: a, type: y*, steps: []}\n  - {provider: a, type: [xx, yy], steps: []}\n", []string{
			`4: no event reaches route "a xx, yy"`}},
		"all at once, in order": {"polices: {}\nroutes:\n  - {provider: a, type: x, steps: [{activity: b, inline: maybe}]}\n  - {provider: a, tipe: x, type: y, steps: []}\n", []string{
			`1: the file has no key "polices"; write: policies`, `3: inline is "maybe"`, `4: a route has no key "tipe"; write: type`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, err := Parse("routes.yaml", []byte(test.yaml))
			require.Nil(t, table)
			var problems Problems
			require.ErrorAs(t, err, &problems)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(test.want), err.Error())
			for i, want := range test.want {
				require.Contains(t, lines[i], want)
				require.True(t, strings.HasPrefix(lines[i], "routes.yaml:"), lines[i])
			}
		})
	}
}

func TestParse_commentedOut(t *testing.T) {
	t.Parallel()
	table := parsed(t, "defaults:\n#  heartbeat_timeout: 1s\npolicies:\nproviders:\nroutes: []\n")
	require.Empty(t, table.Activities())
}

func TestParse_partlyCoveredRouteIsReachable(t *testing.T) {
	t.Parallel()
	table := parsed(t, "routes:\n  - {name: first, provider: a, type: x, steps: []}\n  - {name: second, provider: a, type: [x, y], steps: []}\n")
	require.Equal(t, "first", planOf(table, "a", "x").Route)
	require.Equal(t, "second", planOf(table, "a", "y").Route)
}

// FuzzParse: whatever the bytes, the answer is a table that keeps its promises, or problems that each have a line, a
// reason and a remedy.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole), "checkout.session.completed")
	f.Add([]byte(one), "x")
	f.Add([]byte(composed), "charge.captured")
	f.Add([]byte("templates: {a: [{use: b}], b: [{use: a}]}\nroutes: [{provider: a, type: x, steps: [{parallel: [{use: a}]}]}]"), "x")
	f.Add([]byte("a: &a [*a]\nroutes: *a\n"), "")
	f.Add([]byte("routes:\n  - <<: {provider: a}\n"), "")
	f.Add([]byte("\xff\xfer\x00o\x00"), "")
	f.Add([]byte("routes: [{provider: a, type: !!binary aGk=, steps: [{activity: 1e999999}]}]"), "hi")
	problem := regexp.MustCompile(`(?s)^f:[1-9]\d*(:[1-9]\d*)?: .+; write: .+`)
	f.Fuzz(func(t *testing.T, text []byte, eventType string) {
		table, err := Parse("f", text)
		if err != nil {
			var problems Problems
			require.True(t, errors.As(err, &problems))
			for _, p := range problems {
				require.Regexp(t, problem, p.String())
			}
			return
		}
		for _, r := range table.routes {
			names := map[string]bool{}
			for _, step := range planOf(table, r.provider, eventType).Steps {
				o := step.Options
				require.False(t, names[step.Name], "two steps of one plan are named %s", step.Name)
				names[step.Name] = true
				require.NotEmpty(t, step.Name)
				require.Contains(t, table.Activities(), step.Activity)
				require.Positive(t, o.StartToCloseTimeout)
				require.True(t, !step.Inline || o.StartToCloseTimeout.Std() <= MaxInline)
				require.True(t, o.RetryPolicy.BackoffCoefficient == 0 || o.RetryPolicy.BackoffCoefficient >= 1)
			}
		}
	})
}
