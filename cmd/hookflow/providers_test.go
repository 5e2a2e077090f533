package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hookflow/providers"

	"github.com/stretchr/testify/require"
)

func TestProvidersDocs_areFresh(t *testing.T) {
	t.Parallel()
	const file = "../../docs/providers.md"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	page, err := withProviders(string(text))
	require.NoError(t, err)
	require.True(t, page == string(text), "docs/providers.md is stale; write it with: go run ./cmd/hookflow providers docs docs/providers.md")
}

func TestProvidersDocs_write(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(file, []byte("before\n"+docsBegin+"\nold\n"+docsEnd+"\nafter\n"), 0o600))
	require.NoError(t, execute(t, newProvidersCommand, nil, "docs", file).err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "before\n"+docsBegin)
	require.Contains(t, string(text), docsEnd+"\nafter\n")
	require.NotContains(t, string(text), "old\n")
	require.NoError(t, os.WriteFile(file, []byte("nothing"), 0o600))
	require.ErrorContains(t, execute(t, newProvidersCommand, nil, "docs", file).err, "it lacks the line")
}

func TestProvidersList(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	secret := filepath.Join(folder, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("0123456789abcdef\n"), 0o600))
	file := filepath.Join(folder, "hookflow.yaml")
	require.NoError(t, os.WriteFile(file, []byte("routes: []\nsources: {infra: {scheme: github, secrets_env: INFRA}}\n"), 0o600))
	vars := map[string]string{"GITHUB_WEBHOOK_SECRET": "0123456789abcdef", "INFRA_FILE": secret, "HOOKFLOW_CONFIG": file}

	got := execute(t, newProvidersCommand, vars, "list")
	require.NoError(t, got.err)
	require.Regexp(t, `(?m)^github +on +github +GITHUB_WEBHOOK_SECRET$`, got.stdout)
	require.Regexp(t, `(?m)^infra +on +github +INFRA$`, got.stdout)
	require.Regexp(t, `(?m)^slack +off +slack +SLACK_WEBHOOK_SECRET$`, got.stdout)
	require.NotContains(t, got.stdout, "0123456789abcdef")

	got = execute(t, newProvidersCommand, vars, "list", "--on", "-o", "json")
	var listed struct {
		Providers []struct {
			Name string
			On   bool
		}
	}
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &listed))
	require.Len(t, listed.Providers, 2)
	require.True(t, listed.Providers[0].On)
}

func TestProvidersShow(t *testing.T) {
	t.Parallel()
	for _, k := range providers.Kinds() {
		got := execute(t, newProvidersCommand, map[string]string{"HOOKFLOW_PUBLIC_URL": "https://hooks.example.com/pre"}, "show", k.Name)
		require.NoError(t, got.err)
		require.Contains(t, got.stdout, k.Title+" ("+k.Name+") is off")
		require.Contains(t, got.stdout, "https://hooks.example.com/pre/webhooks/"+k.Name)
		require.Contains(t, got.stdout, k.Variable)
		require.NotRegexp(t, `\{variable\}|%!`, got.stdout)
	}
	got := execute(t, newProvidersCommand, map[string]string{"GITHUB_WEBHOOK_SECRET": "0123456789abcdef"}, "show", "github")
	require.Contains(t, got.stdout, "is on")
	require.Contains(t, got.stdout, "at most 25600 KiB")
	require.NotContains(t, got.stdout, "0123456789abcdef")
	require.ErrorContains(t, execute(t, newProvidersCommand, nil, "show", "gihub").err, "did you mean github?")
	require.ErrorContains(t, execute(t, newProvidersCommand, nil, "shw").err, "but list and show")
}

func TestVerify(t *testing.T) {
	t.Parallel()
	const old, current = "0123456789abcdef-old", "0123456789abcdef-new"
	folder := t.TempDir()
	body := filepath.Join(folder, "body")
	require.NoError(t, os.WriteFile(body, []byte(`{"action":"opened","issue":{}}`), 0o600))
	changed := filepath.Join(folder, "changed")
	require.NoError(t, os.WriteFile(changed, []byte(`{"action":"opened","issue":{}}`+"\n"), 0o600))
	source, err := providers.KindOf("github").New("github", providers.Settings{Secrets: []string{current}})
	require.NoError(t, err)
	r := &providers.Request{Body: []byte(`{"action":"opened","issue":{}}`)}
	source.Provider.(providers.Signer).Sign(r, time.Now())
	signature := r.Header.Get("X-Hub-Signature-256")
	vars := map[string]string{"GITHUB_WEBHOOK_SECRET": old + "," + current}
	headers := []string{"--header", "X-Hub-Signature-256: " + signature, "--header", "X-GitHub-Delivery: d-1", "-H", "X-GitHub-Event: issues",
		"-H", "Content-Type: application/json"}
	verify := func(vars map[string]string, args ...string) ran {
		return execute(t, newVerifyCommand, vars, append([]string{"github"}, args...)...)
	}

	got := verify(vars, append(headers, "--body", body)...)
	require.NoError(t, got.err)
	require.Equal(t, "github would take it, by secret 2 of 2 in GITHUB_WEBHOOK_SECRET\nkey  github:d-1\ntype issues.opened\n",
		got.stdout[:strings.Index(got.stdout, "id   ")])
	for name, c := range map[string]struct {
		vars map[string]string
		args []string
		want string
	}{
		"changed":        {vars, append(headers, "--body", changed), "github would refuse it: the body has changed since it was signed: a new line was added at its end"},
		"no header":      {vars, []string{"--body", body}, "the header X-Hub-Signature-256 is missing"},
		"another secret": {map[string]string{"GITHUB_WEBHOOK_SECRET": old}, append(headers, "--body", body), "no current secret gives this signature"},
		"no secret":      {nil, append(headers, "--body", body), "no secret of github: set GITHUB_WEBHOOK_SECRET"},
		"no body":        {vars, headers, "--body names the file"},
		"no such body":   {vars, append(headers, "--body", folder+"/x"), "the body cannot be read"},
		"no colon":       {vars, []string{"-H", "x", "--body", body}, "the colon is missing"},
		"no time":        {vars, append(headers, "--body", body, "--at", "noon"), `--at is "noon"`},
	} {
		got := verify(c.vars, c.args...)
		require.ErrorContains(t, got.err, c.want, name)
		for _, secret := range []string{old, current, signature} {
			require.NotContains(t, got.err.Error()+got.stdout+got.stderr, secret, name)
		}
	}
}
