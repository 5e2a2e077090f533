package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// badWords are what no caller means: bytes that Postgres, Temporal, JSON and terminals trip over, numbers beyond every type, and words
// of other languages.
var badWords = []string{
	"", " ", "\x00", "a\x00b", "\xff", "\xed\xa0\x80", "\u202e", "\u009b", "%", "'", `"`, "\\", "' OR 1=1 --", "$1", "../..", "a:b", "::", ":",
	"-1", "0.5", "1e309", "NaN", "Infinity", "9223372036854775808", "null", "[]", "{}", "{{7*7}}", "infinity", "0000-00-00", "9999999h",
	"canary-" + strings.Repeat("x", 7000), strings.Repeat("[", 3000), "00000000-0000-0000-0000-000000000000",
}

// badBodies are what no operation takes.
var badBodies = []string{
	"{", "[]", `"canary"`, "1", "\xff", `{"canary":1}`, `{"filter":{"canary":1}}`, `{"filter":[]}`, `{"filter":{"type":"\u0000"}}`, `{"filter":{"type":1}}`,
	`{"filter":{"q":"\u0000"}}`, `{"filter":{"q":{"a\u0000":1}}}`, `{"filter":{"since":"never"}}`, `{"filter":{},"rate":-1}`, `{"filter":{},"rate":1e309}`,
	`{"filter":{},"from":"canary"}`, `{"from":1}`, `{"from":"canary"}`, `{"reason":1}`, `{"reason":"a\u0000b"}`, `{"reason":"` + strings.Repeat("x", 1<<20) + `"}`,
	strings.Repeat("[", 100_000), `{"filter":` + strings.Repeat(`{"a":`, 5000),
}

// caller asks a running process, and holds its answers against what all problems have.
type caller struct {
	*inProcess
	t *testing.T
}

func (c caller) ask(method, target, body string) int {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url, strings.NewReader(body))
	require.NoError(c.t, err)
	u, err := url.Parse(c.url + target)
	require.NoError(c.t, err)
	r.URL = u
	r.Header.Set("Authorization", "Bearer 0123456789abcdef")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(c.t, err, target)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(c.t, err)
	about := fmt.Sprintf("%s %.200s %.200q: %d %.300s", method, target, body, answer.StatusCode, text)
	require.Less(c.t, answer.StatusCode, 500, about)
	for _, internal := range []string{"SQLSTATE", "pgx", "goroutine", "hookflow/", "rpc error", "json:"} {
		require.NotContains(c.t, string(text), internal, about)
	}
	if answer.StatusCode >= 400 {
		var problem struct{ Code, Detail string }
		require.NoError(c.t, json.Unmarshal(text, &problem), about)
		require.NotEmpty(c.t, problem.Code, about)
		require.NotEmpty(c.t, problem.Detail, about)
		require.Less(c.t, len(text), 4096, about)
	}
	return answer.StatusCode
}

type described struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Parameters map[string]describedParameter
	}
}

type describedParameter struct {
	Ref    string `json:"$ref"`
	Name   string
	Schema struct {
		Ref  string `json:"$ref"`
		Type string
		Enum []string
	}
}

// free reports whether a parameter may be any text.
func (p describedParameter) free() bool {
	return p.Schema.Type == "string" && p.Schema.Enum == nil && !slices.Contains([]string{"q", "since", "until", "cursor", "by", "bucket"}, p.Name)
}

type describedOperation struct {
	Parameters []describedParameter
}

// Whatever stands in a path, a query or a body of the API, the fault is never the server's, and nothing is passed over in silence.
func TestBadValuesOfTheAPI(t *testing.T) {
	t.Parallel()
	p := startInProcessWith(t, "destinations: {out: {url: 'https://out.example.com'}}\nroutes: [{provider: stripe, type: x, steps: []}]\n",
		inProcessOptions{variables: map[string]string{"HOOKFLOW_FORWARD_SECRET": randomKey(), "HOOKFLOW_OPS_ADDR": ""}})
	c := caller{p, t}
	id := p.send(t, 1).ID
	require.Equal(t, 201, c.ask("POST", "/v1/replays", `{"filter":{}}`))
	replay := testkit.Query[string](t, p.config.DatabaseURL, "SELECT id::text FROM replays")
	answer, err := http.Get(p.url + "/openapi.json")
	require.NoError(t, err)
	defer answer.Body.Close()
	var d described
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&d))
	walked := 0
	for path, methods := range d.Paths {
		if !strings.HasPrefix(path, "/v1/") {
			continue
		}
		for method, raw := range methods {
			if method == "parameters" {
				continue
			}
			var o describedOperation
			require.NoError(t, json.Unmarshal(raw, &o), path)
			walked++
			of := id
			if strings.HasPrefix(path, "/v1/replays") {
				of = replay
			}
			c.walk(strings.ToUpper(method), path, of, d, o)
		}
	}
	require.Greater(t, walked, 14)
	for _, word := range badWords {
		require.GreaterOrEqual(t, c.ask("POST", "/webhooks/"+url.PathEscape(word), "{}"), 400)
	}
}

func (c caller) walk(method, path, id string, d described, o describedOperation) {
	c.t.Helper()
	if strings.Contains(path, "{") {
		for _, word := range badWords {
			target := strings.NewReplacer("{id}", url.PathEscape(word), "{name}", url.PathEscape(word)).Replace(path)
			require.GreaterOrEqual(c.t, c.ask(method, target, ""), 400, "%s %.100q", path, word)
		}
	}
	target := strings.NewReplacer("{id}", id, "{name}", "out").Replace(path)
	for _, parameter := range o.Parameters {
		name := strings.TrimPrefix(parameter.Ref, "#/components/parameters/")
		parameter, ok := d.Components.Parameters[name]
		require.True(c.t, ok, name)
		for _, word := range badWords {
			status := c.ask(method, target+"?"+parameter.Name+"="+url.QueryEscape(word), "")
			if !parameter.free() && word != "" && !(parameter.Name == "q" && json.Valid([]byte(word))) {
				require.Equal(c.t, 400, status, "%s?%s=%.100q", target, parameter.Name, word)
			}
		}
	}
	require.Equal(c.t, 400, c.ask(method, target+"?dry_run=true&canary=1", ""), "%s %s: parameters that nobody knows", method, target)
	if method == http.MethodGet {
		return
	}
	for _, body := range badBodies {
		status := c.ask(method, target, body)
		require.True(c.t, status >= 400, "%s %s takes %.100q", method, target, body)
	}
}
