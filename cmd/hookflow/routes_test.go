package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hookflow/config"
	"hookflow/routing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const someRoutes = `policies:
  patient: {start_to_close_timeout: 1m, retry_policy: {maximum_attempts: 3, non_retryable_error_types: [InvalidPayload]}}
routes:
  - name: large
    provider: stripe
    type: charge.*
    when: payload.data.object.amount > 1000
    continue: true
    steps: [{activity: vapi.RecordCall, inline: true}]
  - provider: stripe
    type: "*"
    steps:
      - parallel:
          - {activity: stripe.RecordCheckout, policy: patient}
          - {activity: twilio.RecordCall}
`

// routesFile writes a file of routes and returns its path.
func routesFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "routes.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestRoutesCheck(t *testing.T) {
	t.Parallel()
	good := execute(t, newRoutesCommand, nil, "check")
	require.Zero(t, good.code, good.stderr)
	require.Equal(t, "default.yaml is good: 4 routes for stripe, twilio, vapi\n", good.stdout)

	path := routesFile(t, someRoutes)
	good = execute(t, newRoutesCommand, map[string]string{"HOOKFLOW_CONFIG": path}, "check")
	require.Equal(t, path+" is good: 2 routes for stripe\n", good.stdout)

	bad := routesFile(t, strings.NewReplacer("charge.*", "charge.*\n    whn: a", "amount >", "amount >>", "patient}", "patent}", "routes:", "providers: {twilo: {}}\nroutes:").Replace(someRoutes))
	found := execute(t, newRoutesCommand, map[string]string{"HOOKFLOW_CONFIG": path}, "check", bad)
	require.Equal(t, exitFailed, found.code)
	require.Equal(t, strings.Join([]string{
		bad + `:3: providers has no key "twilo"; write: twilio`,
		bad + `:8: a route has no key "whn"; write: when`,
		bad + `:9:39: when: Syntax error: extraneous input '>'; write: an expression in CEL; docs/routes.md has examples`,
		bad + `:16: there is no policy "patent"; write: patient`,
	}, "\n")+"\n", found.stdout)
	require.Contains(t, found.err.Error(), "4 problems in "+bad)
}

// What Check finds, beyond the file by itself.
func TestRoutesCheck_whatExists(t *testing.T) {
	t.Parallel()
	path := routesFile(t, "routes:\n  - {provider: strip, type: x, steps: [{activity: stripe.RecordChekout}]}\n")
	found := execute(t, newRoutesCommand, nil, "check", "-o", "json", path)
	require.Equal(t, exitFailed, found.code)
	var answer checked
	require.NoError(t, json.Unmarshal([]byte(found.stdout), &answer))
	require.Equal(t, checked{File: path, Providers: []string{}, Problems: []routing.Problem{
		{Name: path, Line: 2, What: `there is no provider "strip"`, Write: "stripe"},
		{Name: path, Line: 2, What: `there is no activity "stripe.RecordChekout"`, Write: "stripe.RecordCheckout"},
	}}, answer)
}

func TestRoutesCheck_calledWrongly(t *testing.T) {
	t.Parallel()
	require.Equal(t, exitUsage, execute(t, newRoutesCommand, nil, "check", "a", "b").code)
	require.Equal(t, exitUsage, execute(t, newRoutesCommand, nil, "chek").code)
	require.Equal(t, exitUsage, execute(t, newRoutesCommand, nil, "check", "-o", "xml").code)
	missing := execute(t, newRoutesCommand, nil, "check", "/nowhere/routes.yaml")
	require.Equal(t, exitFailed, missing.code)
	require.Contains(t, missing.err.Error(), "the routes cannot be read: open /nowhere/routes.yaml: no such file")
}

func TestRoutesExplain(t *testing.T) {
	t.Parallel()
	path := routesFile(t, someRoutes)
	refund := filepath.Join(t.TempDir(), "refund.json")
	require.NoError(t, os.WriteFile(refund, []byte(`{"data":{"object":{"amount":5000}}}`+"\n"), 0o600))
	with := execute(t, newRoutesCommand, map[string]string{"HOOKFLOW_CONFIG": path}, "explain", "stripe", "charge.refunded", "--payload", refund)
	require.Zero(t, with.code, with.stderr)
	require.Equal(t, `ROUTE     LINE  VERDICT  WHY
large     4     matched  the type is charge.*, and when is true: payload.data.object.amount > 1000
stripe *  10    matched  the type is *

    STEP                      ACTIVITY               ONE ATTEMPT  ALL  RETRIES
1   vapi.RecordCall (inline)  vapi.RecordCall        2s           72h  after 1s, ×2 up to 1m40s
2a  stripe.RecordCheckout     stripe.RecordCheckout  1m           72h  after 1s, ×2 up to 1m40s, 3 attempts, not after InvalidPayload
2b  twilio.RecordCall         twilio.RecordCall      30s          72h  after 1s, ×2 up to 1m40s
`, with.stdout)

	without := execute(t, newRoutesCommand, nil, "explain", "-f", path, "stripe", "charge.refunded")
	require.Contains(t, without.stdout, "large     4     unknown  when reads the payload, and none was given: payload.data.object.amount > 1000")
	require.Contains(t, without.stdout, "\nThere may be more: give --payload for the conditions that read it.\n")

	none := execute(t, newRoutesCommand, nil, "explain", "vapi", "tool-calls")
	require.Contains(t, none.stdout, "vapi tool-calls takes no step: it is recorded and completed at once.")
}

func TestRoutesExplain_json(t *testing.T) {
	t.Parallel()
	path := routesFile(t, "routes: [{provider: twilio, type: x, when: payload.CallStatus == 'busy' && event.account == 'AC1' && event.livemode, steps: [{activity: twilio.RecordCall}]}]")
	form := filepath.Join(t.TempDir(), "form")
	require.NoError(t, os.WriteFile(form, []byte("CallStatus=busy&To=%2B1"), 0o600))
	found := execute(t, newRoutesCommand, nil, "explain", "twilio", "x", "-f", path, "--payload", form, "--account", "AC1", "--livemode", "true", "-o", "json")
	require.Zero(t, found.code, found.stderr)
	var answer explained
	require.NoError(t, json.Unmarshal([]byte(found.stdout), &answer))
	require.Equal(t, routing.Matched, answer.Routes[0].Verdict)
	require.Equal(t, "twilio.RecordCall", answer.Plan.Steps[0].Activity)
}

func TestRoutesExplain_refuses(t *testing.T) {
	t.Parallel()
	bad := routesFile(t, "routes: [{provider: stripe, type: x, steps: [], when: paylod.a}]")
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"strip", "x"}, exitFailed, "no route is for strip; is it stripe?"},
		{[]string{"github", "x"}, exitFailed, "no route is for github, but for stripe, twilio, vapi"},
		{[]string{"stripe"}, exitUsage, "usage: explain PROVIDER TYPE"},
		{[]string{"stripe", "x", "--livemode", "maybe"}, exitUsage, "--livemode is true or false"},
		{[]string{"stripe", "x", "--payload", "/nowhere"}, exitFailed, "the payload cannot be read"},
		{[]string{"stripe", "x", "-f", bad}, exitFailed, "when: undeclared reference to 'paylod'; write: payload"},
	} {
		found := execute(t, newRoutesCommand, nil, append([]string{"explain"}, test.args...)...)
		require.Equal(t, test.code, found.code, test.args)
		require.Contains(t, strings.ReplaceAll(found.err.Error(), "routes explain", "explain"), test.want)
	}
}

func TestRoutesSchema(t *testing.T) {
	t.Parallel()
	require.Equal(t, string(config.Schema), execute(t, newRoutesCommand, nil, "schema").stdout)
}

// fence finds the blocks of a page: their language and their text.
var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// Each YAML block of docs/routes.md is a file that routes check and the schema take, and each console block says what a
// command prints, with the YAML and JSON blocks before it.
func TestDocs_routes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/routes.md")
	require.NoError(t, err)
	schema := compiledSchema(t)
	var file, payload string
	counted := map[string]int{}
	for _, block := range fence.FindAllStringSubmatch(string(page), -1) {
		language, text := block[1], block[2]
		counted[language]++
		switch language {
		case "yaml":
			file = routesFile(t, text)
			found := execute(t, newRoutesCommand, nil, "check", file)
			require.Zero(t, found.code, "%s\n%s", found.stdout, text)
			var value any
			require.NoError(t, yaml.Unmarshal([]byte(text), &value))
			require.NoError(t, schema.Validate(value), text)
		case "json":
			payload = routesFile(t, text)
		case "console":
			line, want, _ := strings.Cut(text, "\n")
			args := strings.Fields(strings.TrimPrefix(line, "$ hookflow routes "))
			args[slices.Index(args, "session.json")] = payload
			found := execute(t, newRoutesCommand, map[string]string{"HOOKFLOW_CONFIG": file, "STRIPE_API_KEY": "rk_test_1"}, args...)
			require.Equal(t, want, found.stdout)
		}
	}
	require.GreaterOrEqual(t, counted["yaml"], 5)
	require.GreaterOrEqual(t, counted["console"], 1)
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("schema.json", document))
	schema, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	return schema
}
