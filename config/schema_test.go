package config_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"hookflow/config"
	"hookflow/providers"
	"hookflow/routing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// schema compiles the published schema, which also checks it against JSON Schema's own.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	var document any
	require.NoError(t, json.Unmarshal(config.Schema, &document))
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("schema.json", document))
	compiled, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	return compiled
}

// validate holds a file against the schema as an editor does.
func validate(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	var value any
	require.NoError(t, yaml.Unmarshal([]byte(text), &value))
	return s.Validate(value)
}

// The schema and the parser know the same keys.
func TestSchema_hasTheParsersKeys(t *testing.T) {
	t.Parallel()
	var document struct {
		Defs map[string]struct {
			Properties map[string]struct{ Description string }
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(config.Schema, &document))
	for kind, keys := range routing.Keys() {
		definition, ok := document.Defs[kind]
		require.True(t, ok, "config/schema.json: write $defs.%s, with the properties %v", kind, keys)
		for _, key := range keys {
			require.Contains(t, definition.Properties, key,
				"config/schema.json: write %q into $defs.%s.properties, with a description and a type", key, kind)
		}
		for _, key := range slices.Sorted(maps.Keys(definition.Properties)) {
			require.Contains(t, keys, key, "config/schema.json: take %q out of $defs.%s.properties: the parser does not read it", key, kind)
		}
	}
}

func TestSchema_takesWhatTheParserTakes(t *testing.T) {
	t.Parallel()
	s := schema(t)
	require.NoError(t, validate(t, s, string(config.DefaultYAML)))
	for _, text := range []string{
		"routes: []",
		"routes: []\ndefaults:\npolicies:\nproviders:\ntemplates:\n",
		"routes: []\ndestinations:\n",
		"routes: [{provider: a, type: x, steps: [{name: b, forward: 'https://b.example.com'}, {name: c, forward: {destination: d, format: cloudevents, timeout: 5s}}]}]\n" +
			"destinations: {d: {url: 'http://d.example.com', secrets_env: D, headers: {a: b}, headers_env: {c: D}, final_statuses: [410, 422]," +
			" allow_private: true, rate_limit: 50/s, concurrency: 3, circuit: {failures: 0, pause: 1m}}}",
		"routes: []\ndestinations: {d: {url_env: D, ca_file: ca.pem, client_cert: {cert_file: c.pem, key_file: k.pem}, proxy: 'http://p:3128'}}",
		"routes: [{provider: a, type: x, steps: [{name: b, forward: {url_env: D, proxy_env: P}}]}]",
		"routes: [{provider: a, type: x, steps: [], when: true, continue: false}]",
		"routes: [{provider: a, type: [x, 'y.*'], when: payload.a > 1, name: some words, steps: [{parallel: [{activity: b}, {use: t}]}, {use: u}]}]\ntemplates: {t: [{activity: c}], u: [{activity: d}, {activity: e}]}",
		"routes: [{provider: a, type: x, steps: [{activity: b, start_to_close_timeout: 1h30m, schedule_to_close_timeout: 0, heartbeat_timeout: 1.5s," +
			" retry_policy: {backoff_coefficient: 2, maximum_attempts: 0, non_retryable_error_types: E}}]}]",
	} {
		_, err := routing.Parse("f", []byte(text))
		require.NoError(t, err)
		require.NoError(t, validate(t, s, text), text)
	}
}

func TestSchema_refusesWhatTheParserRefuses(t *testing.T) {
	t.Parallel()
	s := schema(t)
	const step = "routes: [{provider: a, type: x, steps: [{activity: b, "
	for _, text := range []string{
		"{}", "[]", "routes:", "routes: stripe", "route: []\nroutes: []", "routes: [{}]", "routes: [{provider: a, type: x}]",
		"routes: [{provider: a/b, type: x, steps: []}]", "routes: [{provider: a, type: [], steps: []}]", "routes: [{provider: a, type: 1, steps: []}]",
		"routes: [{provider: a, type: x, steps: [], when: [a]}]", "routes: [{provider: a, type: x, steps: [], when: ''}]",
		"routes: [{provider: a, type: x, steps: [], continue: perhaps}]", "routes: [{provider: a, type: x, steps: b}]",
		"routes: [{provider: a, type: x, steps: [{}]}]", "routes: [{provider: a, type: x, steps: [{name: b}]}]",
		"routes: [{provider: a, type: x, steps: [{parallel: []}]}]", "routes: [{provider: a, type: x, steps: [{parallel: [{activity: b}], name: c}]}]",
		"routes: [{provider: a, type: x, steps: [{parallel: [{parallel: [{activity: b}]}]}]}]",
		"routes: [{provider: a, type: x, steps: [{use: t, activity: b}]}]\ntemplates: {t: []}",
		"routes: []\ntemplates: {t: stripe}", "routes: []\npolicies: {p: {max_attempts: 1}}",
		"routes: [{provider: a, type: x, steps: [{forward: 'https://b.example.com'}]}]", step + "forward: 'https://b.example.com'}]}]",
		"routes: [{provider: a, type: x, steps: [{name: b, forward: b.example.com}]}]", "routes: [{provider: a, type: x, steps: [{name: b, forward: {}}]}]",
		"routes: [{provider: a, type: x, steps: [{name: b, forward: {destination: d, url: 'https://b.example.com'}}]}]\ndestinations: {d: {url: 'https://d.example.com'}}",
		"routes: []\ndestinations: {d: {}}", "routes: []\ndestinations: {a.b: {url: 'https://d.example.com'}}",
		"routes: []\ndestinations: {d: {url: 'https://d.example.com', rate_limit: 5}}", "routes: []\ndestinations: {d: {url: 'https://d.example.com', concurrency: 0}}",
		"routes: []\ndestinations: {d: {url: 'https://d.example.com', format: xml}}", "routes: []\ndestinations: {d: {url: 'https://d.example.com', final_statuses: [200]}}",
		"routes: []\ndestinations: {d: {url: 'https://d.example.com', url_env: D}}", "routes: []\ndestinations: {d: {url_env: 'https://d.example.com'}}",
		"routes: []\ndestinations: {d: {url_env: D, proxy: 'ftp://p'}}", "routes: []\ndestinations: {d: {url_env: D, proxy: 'http://p', proxy_env: P}}",
		"routes: []\ndestinations: {d: {url_env: D, proxy: 'http://u:p@p'}}", "routes: []\ndestinations: {d: {url_env: D, proxy: 'http://p/in'}}",
		"routes: []\ndestinations: {d: {url_env: D, client_cert: {cert_file: c.pem}}}", "routes: []\ndestinations: {d: {url_env: D, ca_file: ''}}",
		"routes: [{provider: a, type: x, steps: [{name: b, forward: {destination: d, ca_file: c}}]}]\ndestinations: {d: {url_env: D}}",
		step + "inline: maybe}]}]", step + "heartbeat_timeout: 5}]}]", step + "heartbeat_timeout: 3d}]}]", step + "heartbeat_timeout: -5s}]}]",
		step + "retry_policy: never}]}]", step + "retry_policy: {backoff_coefficient: 0.5}}]}]", step + "retry_policy: {maximum_attempts: 1.5}}]}]",
		step + "retry_polcy: {}}]}]", step + "policy: ''}]}]",
	} {
		_, err := routing.Parse("f", []byte(text))
		require.Error(t, err, text)
		require.Error(t, validate(t, s, text), text)
	}
}

// The names of the providers, which editors complete, are those that exist.
func TestSchema_namesEveryProvider(t *testing.T) {
	t.Parallel()
	var document struct {
		Defs struct {
			Providers struct {
				PropertyNames struct{ Enum []string }
			}
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(config.Schema, &document))
	var names []string
	for _, k := range providers.Kinds() {
		names = append(names, k.Name)
	}
	require.Equal(t, names, document.Defs.Providers.PropertyNames.Enum, "config/schema.json: write these names into $defs.providers.propertyNames.enum")
}

func TestSchema_providers(t *testing.T) {
	t.Parallel()
	s := schema(t)
	for text, good := range map[string]bool{
		"routes: []\nproviders: {twilio: {voice_twiml: <Response/>}}": true, "routes: []\nproviders: {twilio: }": true,
		"routes: []\nproviders: {twilo: {}}": false, "routes: []\nproviders: {twilio: {voice_twiml: 1}}": false, "routes: []\nproviders: twilio": false,
		"routes: []\nproviders: {github: {allow_weak: true, min_secret: 8, max_body: 100}}":                           true,
		"routes: []\nproviders: {github: {allow_weak: perhaps}}":                                                      false,
		"routes: []\nsources: {github-infra: {scheme: github, secrets_env: GITHUB_INFRA_SECRET}}":                     true,
		"routes: []\nsources: {a_b: {scheme: github}}":                                                                false,
		"routes: []\nsources: {a: {}}":                                                                                false,
		"routes: []\nsources: {a: {scheme: github, secrets_env: 'not one'}}":                                          false,
		"routes: []\nsources: {a: {scheme: {header: X-A, template: '{timestamp}.{body}', timestamp: {header: X-T}}}}": true,
		"routes: []\nsources: {a: {scheme: [{header: X-A}, {header: X-B}], id: ['{/id}', '{sha256}'], answer: {}}}":   true,
		"routes: []\nsources: {a: {scheme: {header: X-A, algorithm: md5}}}":                                           false,
		"routes: []\nsources: {a: {scheme: {header: X-A, timestamp: {header: X-T, unit: days}}}}":                     false,
		"routes: []\nsources: {a: {scheme: {token: {header: X-A}, allow_unsigned_body: true}, batch: /events/*}}":     true,
		"routes: []\nsources: {a: {scheme: github, batch: events}}":                                                   false,
		"routes: []\nsources: {a: {scheme: github, answer: {status: 500}}}":                                           false,
	} {
		_, err := providers.Setups("f", []byte(text))
		require.Equal(t, good, err == nil, text)
		require.Equal(t, good, validate(t, s, text) == nil, text)
	}
}
