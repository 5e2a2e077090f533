package routing

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

const forwarding = `
destinations:
  billing:
    url: https://billing.example.com/in?team=a
    secrets_env: BILLING_SECRET
    headers: {X-Team: payments, X-From: destination}
    headers_env: {Authorization: BILLING_AUTHORIZATION}
    timeout: 5s
    rate_limit: 300/m
    concurrency: 4
    circuit: {failures: 3, pause: 10s}
    final_statuses: [422]
  plain: {url: "http://plain.example.com", allow_private: true}
routes:
  - provider: stripe
    type: "*"
    steps:
      - {name: archive, forward: "https://archive.example.com/in"}
      - name: billing
        forward: {destination: billing, format: cloudevents, headers: {X-From: step}, final_statuses: [404]}
        retry_policy: {maximum_attempts: 3}
`

func TestForward(t *testing.T) {
	t.Parallel()
	table, err := Parse("f", []byte(forwarding))
	require.NoError(t, err)
	all := table.Destinations()
	require.Len(t, all, 2)
	billing := all["billing"]
	require.Equal(t, Destination{
		Name: "billing", RateLimit: 5, Concurrency: 4, Circuit: Circuit{Failures: 3, Pause: 10 * time.Second},
		Endpoint: Endpoint{
			URL: "https://billing.example.com/in?team=a", SecretsEnv: "BILLING_SECRET", Timeout: Duration(5 * time.Second),
			Headers:    map[string]string{"X-Team": "payments", "X-From": "destination"},
			HeadersEnv: map[string]string{"Authorization": "BILLING_AUTHORIZATION"}, FinalStatuses: []int{422},
		},
	}, billing)
	require.Equal(t, Destination{
		Name: "plain", Endpoint: Endpoint{URL: "http://plain.example.com", AllowPrivate: true}, Concurrency: 10,
		Circuit: Circuit{Failures: 20, Pause: time.Minute},
	}, all["plain"])

	require.Equal(t, []string{"BILLING_AUTHORIZATION", "BILLING_SECRET"}, table.Variables())

	steps := table.Plan(&event.Event{Provider: "stripe", Type: "a"}, nil).Steps
	require.Len(t, steps, 2)
	require.Equal(t, ForwardActivity, steps[0].Activity)
	require.Empty(t, steps[0].TaskQueue, "without a destination it waits with all others")
	require.JSONEq(t, `{"url":"https://archive.example.com/in"}`, string(steps[0].Input), "a plain URL is recorded")
	require.Equal(t, "hookflow.to.billing", steps[1].TaskQueue)
	require.NotContains(t, string(steps[1].Input), "https", "the URL of a destination is looked up at each attempt")
	var f Forward
	require.NoError(t, json.Unmarshal(steps[1].Input, &f))
	require.Equal(t, "billing", f.Destination)
	e := f.Over(billing.Endpoint)
	require.Equal(t, "cloudevents", e.Format)
	require.Equal(t, billing.URL, e.URL)
	require.Equal(t, map[string]string{"X-Team": "payments", "X-From": "step"}, e.Headers)
	require.Equal(t, []int{422, 404}, e.FinalStatuses)
	require.Equal(t, "destination", billing.Headers["X-From"], "the destination itself is untouched")
}

func TestForward_problems(t *testing.T) {
	t.Parallel()
	step := func(s string) string {
		return "destinations:\n  billing: {url: \"https://b.example.com\", timeout: 29s}\nroutes:\n  - provider: stripe\n    type: a\n    steps:\n      - " + s + "\n"
	}
	destination := func(s string) string { return "destinations:\n  " + s + "\nroutes: []\n" }
	for name, c := range map[string]struct{ yaml, want string }{
		"no name":           {step(`forward: https://a.example.com`), "f:7: a step that forwards has no name; write: name:"},
		"inline":            {step(`{name: a, inline: true, forward: "https://a.example.com"}`), "f:7: a step that forwards is inline"},
		"both":              {step(`{name: a, activity: b.C, forward: "https://a.example.com"}`), "f:7: a step has activity and forward"},
		"unknown":           {step(`{name: a, forward: {destination: biling}}`), `f:7: there is no destination "biling"; write: billing`},
		"url of both":       {step(`{name: a, forward: {destination: billing, url: "https://a.example.com"}}`), "f:7: url belongs to the destination"},
		"no url":            {step(`{name: a, forward: {format: original}}`), "f:7: forward has no url"},
		"format":            {step(`{name: a, forward: {url: "https://a.example.com", format: xml}}`), `f:7: there is no format "xml"; write: original or cloudevents`},
		"a number":          {step(`{name: a, forward: 1}`), "f:7: url is not text"},
		"scheme":            {step(`{name: a, forward: "ftp://a.example.com"}`), "f:7: url does not begin with https:// or http://"},
		"fragment":          {step(`{name: a, forward: "https://a.example.com/#x"}`), "f:7: url has a fragment"},
		"no host":           {step(`{name: a, forward: "https:///in"}`), "f:7: url has no host"},
		"status":            {step(`{name: a, forward: {url: "https://a.example.com", final_statuses: [200, x]}}`), `f:7: final_statuses holds "200"`},
		"too slow":          {step(`{name: a, forward: {url: "https://a.example.com", timeout: 29s}}`), "start_to_close_timeout: 31s or more"},
		"too slow there":    {step(`{name: a, forward: {destination: billing}}`), "a request may take 29s"},
		"secret for name":   {step(`{name: a, forward: {url: "https://a.example.com", secrets_env: whsec_a+b}}`), "secrets_env is not the name of a variable"},
		"activity by hand":  {step(`{name: a, activity: forward.Post}`), "f:7: forward.Post is not an activity to be named; write: forward:"},
		"destination name":  {destination(`a.b: {url: "https://a.example.com"}`), `f:2: "a.b" is not the name of a destination`},
		"destination empty": {destination(`a: {}`), "f:2: destination a has no url"},
		"two urls":          {destination(`a: {url: "https://a.example.com", url_env: A}`), "f:2: destination a has url and url_env; write: one of the two"},
		"two proxies":       {step(`{name: a, forward: {url_env: A, proxy: "http://p", proxy_env: P}}`), "f:7: forward has proxy and proxy_env; write: one of the two"},
		"proxy":             {destination(`a: {url_env: A, proxy: "ftp://p"}`), "f:2: proxy does not begin with http://, https:// or socks5://"},
		"proxy's path":      {destination(`a: {url_env: A, proxy: "http://p/in"}`), "f:2: proxy has more than a host and a port"},
		"certificate":       {destination(`a: {url_env: A, client_cert: {cert_file: a.pem}}`), "f:2: client_cert has no key_file"},
		"of destination":    {step(`{name: a, forward: {destination: billing, ca_file: a.pem}}`), "f:7: ca_file belongs to the destination"},
		"rate":              {destination(`a: {url: "https://a.example.com", rate_limit: 50/y}`), `f:2: rate_limit is "50/y"; write: how many`},
		"rate of none":      {destination(`a: {url: "https://a.example.com", rate_limit: 0/s}`), `f:2: rate_limit is "0/s"`},
		"rate not a number": {destination(`a: {url: "https://a.example.com", rate_limit: NaN/s}`), `f:2: rate_limit is "NaN/s"`},
		"concurrency":       {destination(`a: {url: "https://a.example.com", concurrency: 0}`), "f:2: concurrency is 0; write: a whole number from 1"},
		"pause":             {destination(`a: {url: "https://a.example.com", circuit: {pause: 1ms}}`), "f:2: pause is shorter than a second"},
		"key":               {destination(`a: {url: "https://a.example.com", rate: 1}`), `f:2: destination a has no key "rate"; write: `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("f", []byte(c.yaml))
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "whsec_a+b", "what may be a secret is not shown")
		})
	}
	for what, text := range map[string]string{
		"url holds a password; write: it into a variable, and the variable's name behind url_env":     `{name: a, forward: "https://user:canary@a.example.com"}`,
		"proxy holds a password; write: it into a variable, and the variable's name behind proxy_env": `{name: a, forward: {url: "https://a.example.com", proxy: "http://user:canary@p.example.com"}}`,
		"url_env is not the name of a variable":                                                       `{name: a, forward: {url_env: "https://a.example.com/canary"}}`,
	} {
		_, err := Parse("f", []byte(step(text)))
		require.ErrorContains(t, err, what)
		require.NotContains(t, err.Error(), "canary")
	}
}

// What only the environment can tell is asked for each endpoint, at its line.
func TestForward_endpointsAreChecked(t *testing.T) {
	t.Parallel()
	table, err := Parse("f", []byte(forwarding))
	require.NoError(t, err)
	err = table.Check(Known{
		Providers: map[string]bool{"stripe": true}, Activities: []string{ForwardActivity},
		Endpoint: func(e Endpoint) (string, string) { return "endpoint " + e.URL + e.Format, "x" },
	})
	require.Equal(t, []string{
		"f:4: endpoint https://billing.example.com/in?team=a; write: x",
		"f:13: endpoint http://plain.example.com; write: x",
		"f:18: endpoint https://archive.example.com/in; write: x",
		"f:20: endpoint cloudevents; write: x",
	}, strings.Split(err.Error(), "\n"))
}
