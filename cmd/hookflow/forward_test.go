package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hookflow/activities"
	"hookflow/routing"
)

func TestCheckEndpoint(t *testing.T) {
	t.Parallel()
	variables := map[string]string{activities.ForwardSecret: randomKey(), "WRONG": "canary", "HEADER": "canary\r\n"}
	check := checkEndpoint(func(name string) string { return variables[name] }, true)
	good := routing.Endpoint{URL: "https://billing.example.com/in"}
	what, _ := check(good)
	require.Empty(t, what)
	for want, e := range map[string]routing.Endpoint{
		"localhost is at the private address 127.0.0.1":      {URL: "http://localhost:1"},
		"169.254.169.254 is at the address":                  {URL: "http://169.254.169.254", AllowPrivate: true},
		"Host is written by hookflow itself":                 {URL: good.URL, Headers: map[string]string{"Host": "canary"}},
		"the value of X holds a control character":           {HeadersEnv: map[string]string{"X": "HEADER"}},
		"NONE, the value of the header X, is not set":        {HeadersEnv: map[string]string{"X": "NONE"}},
		"WRONG: secret 1 does not begin with whsec_":         {URL: good.URL, SecretsEnv: "WRONG"},
		"NONE, with which deliveries are signed, is not set": {URL: good.URL, SecretsEnv: "NONE"},
	} {
		what, write := check(e)
		require.Contains(t, what, want)
		require.NotEmpty(t, write)
		require.NotContains(t, what+write, "canary")
	}
	what, _ = checkEndpoint(nil, false)(routing.Endpoint{URL: good.URL, SecretsEnv: "NONE", HeadersEnv: map[string]string{"X": "NONE"}})
	require.Empty(t, what, "a door sends nothing")
}

func TestForwardSecrets(t *testing.T) {
	t.Parallel()
	variables := map[string]string{activities.ForwardSecret: "one,two", "BILLING": "three"}
	text := "destinations: {billing: {url: 'https://a.example.com', headers_env: {Authorization: BILLING}}}\nroutes: []\n"
	require.ElementsMatch(t, []string{"one", "two", "three"},
		forwardSecrets("f", []byte(text), func(name string) string { return variables[name] }))
}
