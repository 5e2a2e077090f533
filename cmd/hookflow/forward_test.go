package main

import (
	"os"
	"path/filepath"
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

// What stands in files is as good as what stands in variables, and is read when it is asked for.
func TestCheckEndpoint_files(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	variables := map[string]string{activities.ForwardSecret + "_FILE": file, "BOTH": "canary", "BOTH_FILE": file}
	variable := func(name string) string { return variables[name] }
	check := checkEndpoint(variable, true)
	good := routing.Endpoint{URL: "https://billing.example.com/in"}
	what, write := check(good)
	require.Contains(t, what, activities.ForwardSecret+"_FILE names a file that cannot be read: ")
	require.Equal(t, "the path of a file that holds the secret", write)
	secret := randomKey()
	require.NoError(t, os.WriteFile(file, []byte(secret+"\n"+randomKey()+"\n"), 0o600))
	what, _ = check(good)
	require.Empty(t, what)
	for _, e := range []routing.Endpoint{{URL: good.URL, SecretsEnv: "BOTH"}, {HeadersEnv: map[string]string{"X": "BOTH"}}} {
		what, write = check(e)
		require.Equal(t, "BOTH_FILE is set, and so is BOTH", what)
		require.Equal(t, "one of the two", write)
	}
	require.Contains(t, forwardSecrets("f", []byte("routes: []\n"), variable), secret, "it is kept out of logs")
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

func TestForwardSecrets(t *testing.T) {
	t.Parallel()
	variables := map[string]string{activities.ForwardSecret: "one,two", "BILLING": "three"}
	text := "destinations: {billing: {url: 'https://a.example.com', headers_env: {Authorization: BILLING}}}\nroutes: []\n"
	require.ElementsMatch(t, []string{"one", "two", "three"},
		forwardSecrets("f", []byte(text), func(name string) string { return variables[name] }))
}
