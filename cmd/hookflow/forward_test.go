package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hookflow/activities"
	"hookflow/config"
	"hookflow/routing"
)

func TestCheckEndpoint(t *testing.T) {
	t.Parallel()
	variables := map[string]string{activities.ForwardSecret: randomKey(), "WRONG": "canary", "HEADER": "canary\r\n", "LOCAL": "http://127.0.0.1/canary"}
	p := plan{variable: func(name string) string { return variables[name] }}
	check := checkEndpoint(p.secret, true)
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
		"NONE, where events are sent, is not set":            {URLEnv: "NONE"},
		"WRONG does not begin with https:// or http://":      {URLEnv: "WRONG"},
		"127.0.0.1 is at the private address":                {URLEnv: "LOCAL"},
		"NONE, the proxy's URL, is not set":                  {URL: good.URL, ProxyEnv: "NONE"},
		"WRONG does not begin with http://, https:// or":     {URL: good.URL, ProxyEnv: "WRONG"},
		"ca_file cannot be read: no such file":               {URL: good.URL, CAFile: filepath.Join(t.TempDir(), "canary")},
		"cert_file cannot be read: is a directory":           {URL: good.URL, ClientCert: &routing.ClientCert{CertFile: t.TempDir(), KeyFile: "canary"}},
	} {
		what, write := check(e)
		require.Contains(t, what, want)
		require.NotEmpty(t, write)
		require.NotContains(t, what+write, "canary")
	}
	for _, e := range []routing.Endpoint{
		{URL: good.URL, SecretsEnv: "NONE", HeadersEnv: map[string]string{"X": "NONE"}}, {URLEnv: "NONE", ProxyEnv: "NONE", CAFile: "none"},
	} {
		what, _ = checkEndpoint(nil, false)(e)
		require.Empty(t, what, "a door sends nothing")
	}
}

// What stands in files is as good as what stands in variables, and is read when it is asked for.
func TestCheckEndpoint_files(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	variables := map[string]string{activities.ForwardSecret + "_FILE": file, "BOTH": "canary", "BOTH_FILE": file}
	p := plan{variable: func(name string) string { return variables[name] }}
	check := checkEndpoint(p.secret, true)
	good := routing.Endpoint{URL: "https://billing.example.com/in"}
	what, write := check(good)
	require.Contains(t, what, activities.ForwardSecret+"_FILE names a file that cannot be read: ")
	require.Equal(t, "the path of a file that holds the secret", write)
	require.NoError(t, os.WriteFile(file, []byte(randomKey()+"\n"+randomKey()+"\n"), 0o600))
	what, _ = check(good)
	require.Empty(t, what)
	for _, e := range []routing.Endpoint{{URL: good.URL, SecretsEnv: "BOTH"}, {HeadersEnv: map[string]string{"X": "BOTH"}}} {
		what, write = check(e)
		require.Equal(t, "BOTH_FILE is set, and so is BOTH", what)
		require.Equal(t, "one of the two", write)
	}
}

// dev generates no secret beside one that a file holds, and one that it generated earlier gives way.
func TestDevLeavesFilesOfSecretsAlone(t *testing.T) {
	t.Parallel()
	env, _, _ := testEnvironment(t, nil)
	values, used, err := ensureSecrets(env)
	require.NoError(t, err)
	require.Len(t, values, len(devSecrets))
	require.Len(t, used, len(devSecrets))
	folder := env.getenv("HOOKFLOW_DATA_DIR")
	env, _, _ = testEnvironment(t, map[string]string{"HOOKFLOW_DATA_DIR": folder, activities.ForwardSecret + "_FILE": "/a/file"})
	again, used, err := ensureSecrets(env)
	require.NoError(t, err)
	require.NotContains(t, used, activities.ForwardSecret)
	delete(values, activities.ForwardSecret)
	require.Equal(t, values, again)
}

// A secret that stands where the name of its file belongs is not shown.
func TestCheckEndpoint_secretForAFile(t *testing.T) {
	t.Parallel()
	canary := randomKey()
	p := plan{variable: func(name string) string { return map[string]string{"BILLING_FILE": canary}[name] }}
	check := checkEndpoint(p.secret, true)
	for _, e := range []routing.Endpoint{{URL: "https://a.example.com", SecretsEnv: "BILLING"}, {HeadersEnv: map[string]string{"X": "BILLING"}}} {
		what, write := check(e)
		require.Equal(t, "BILLING_FILE names a file that cannot be read: no such file or directory", what)
		require.NotContains(t, write, canary)
	}
	_, err := activities.ForwardSigner(routing.Endpoint{SecretsEnv: "BILLING"}, p.secret)
	require.ErrorContains(t, err, "BILLING_FILE") // what last_error and Temporal's history hold
	require.NotContains(t, err.Error(), canary)
}

const billing = "destinations: {billing: {url: 'https://a.example.com', secrets_env: BILLING, headers_env: {Authorization: TOKEN}}}\nroutes: []\n"

// Whatever is read of what routes name is kept out of the log: at the start, from a file that has changed since, and by a
// reload; also where nothing is sent.
func TestSecretsOfRoutesAreKeptOutOfTheLog(t *testing.T) {
	t.Parallel()
	for _, only := range []string{"", "api"} {
		file, routes := filepath.Join(t.TempDir(), "secret"), routesFile(t, billing)
		first, second, rotated, added := randomKey(), randomKey(), randomKey(), randomKey()
		require.NoError(t, os.WriteFile(file, []byte(first+"\n"+second+"\n"), 0o600))
		a, log := assembled(t, config.Serve, only, map[string]string{"HOOKFLOW_CONFIG": routes, "BILLING_FILE": file, "TOKEN": "Bearer canary", "ADDED": added})
		said := func(text string) string {
			at := len(log.String())
			a.log.Info(text)
			return log.String()[at:]
		}
		require.Contains(t, said(first+" "+second+" Bearer canary"), "[secret] [secret] [secret]")

		require.NoError(t, os.WriteFile(file, []byte(rotated), 0o600))
		if only == "" {
			forward := a.worker.Handlers["forward"].(*activities.Forward)
			_, err := activities.ForwardSigner(routing.Endpoint{SecretsEnv: "BILLING"}, forward.Secret)
			require.NoError(t, err)
			require.Contains(t, said(rotated+" "+first), "[secret] [secret]")
		}

		require.Contains(t, said(added), added, "nobody names it")
		require.NoError(t, os.WriteFile(routes, []byte(strings.Replace(billing, "TOKEN", "ADDED", 1)), 0o600))
		a.routes.reload()
		require.Contains(t, log.String(), "are in force")
		require.Contains(t, said(added), "[secret]")
	}
}
