package providers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func setupOf(t testing.TB, name, text string) Setup {
	t.Helper()
	setups, err := Setups("f", []byte(text))
	require.NoError(t, err)
	for _, s := range setups {
		if s.Name == name {
			return s
		}
	}
	require.Fail(t, "no setup "+name)
	return Setup{}
}

func TestSetups_eachKindIsOne(t *testing.T) {
	t.Parallel()
	setups, err := Setups("f", []byte("routes: []\n"))
	require.NoError(t, err)
	require.Len(t, setups, len(Kinds()))
	require.GreaterOrEqual(t, len(setups), 35)
	require.Equal(t, "GITHUB_WEBHOOK_SECRET", setupOf(t, "github", "").Variable)
}

// Two sources of one provider have their own secrets, caps and keys.
func TestSetups_sourcesOfOneProvider(t *testing.T) {
	t.Parallel()
	const file = `
sources:
  github-infra: {scheme: github, secrets_env: INFRA, max_body: 100}
  Github-2: {scheme: github, min_secret: 4}
`
	infra, second := setupOf(t, "github-infra", file), setupOf(t, "Github-2", file)
	require.Equal(t, "INFRA", infra.Variable)
	require.Equal(t, "GITHUB_2_WEBHOOK_SECRET", second.Variable)
	none := func(string) string { return "" }
	a, err := infra.Make([]string{testSecret}, none)
	require.NoError(t, err)
	require.EqualValues(t, 100, a.Traits().MaxBody)
	b, err := second.Make([]string{"four"}, none)
	require.NoError(t, err)
	_, err = infra.Make([]string{"four"}, none)
	require.ErrorContains(t, err, "secret 1 has 4 bytes")

	r := signedBy(a.Provider.(Signer), `{"action":"opened","issue":{}}`)
	r.Header.Set("X-GitHub-Delivery", "d-1")
	r.Header.Set("X-GitHub-Event", "issues")
	e, err := readOne(a, r, testNow)
	require.NoError(t, err)
	require.Equal(t, "github-infra:d-1", e.Key())
	require.Equal(t, "github", e.Scheme)
	require.Equal(t, "issues.opened", e.Type)
	_, err = readOne(b, r, testNow)
	requireRefused(t, ReasonMismatch, err)
}

func TestSetups_ownScheme(t *testing.T) {
	t.Parallel()
	s := setupOf(t, "our-billing", `
sources:
  our-billing:
    scheme: {header: X-Sig, separator: ",", element: key=value, versions: [v2], encoding: base64, algorithm: sha512,
      template: "{id}|{timestamp}|{body}", timestamp: {header: X-Time, unit: ms, tolerance: 1m}, id_header: X-Id}
    id: ["{/no/such}", "{id}"]
    type: "bill.{/kind}"
    account: "{header X-Tenant}"
    time: "{/at}"
    answer: {status: 202, type: text/plain, body: thanks}
    refusal: {status: 403, empty: true}
    media_types: [application/cloudevents+json]
`)
	source, err := s.Make([]string{testSecret}, func(string) string { return "" })
	require.NoError(t, err)
	r := &Request{Method: "POST", Body: []byte(`{"kind":"paid","at":1767225600}`)}
	setHeader(r, "Content-Type", "application/cloudevents+json")
	setHeader(r, "X-Id", "b-7")
	setHeader(r, "X-Tenant", "acme")
	source.Provider.(Signer).Sign(r, testNow)
	e, err := readOne(source, r, testNow)
	require.NoError(t, err)
	require.Equal(t, "our-billing:b-7", e.Key())
	require.Equal(t, []string{"bill.paid", "acme", "our-billing"}, []string{e.Type, e.Account, e.Scheme})
	require.Equal(t, testNow, e.OccurredAt)
	require.Equal(t, &Answer{Status: 202, ContentType: "text/plain", Body: []byte("thanks")}, source.Answer(&e))
	require.Equal(t, Refusal{Status: 403, Empty: true}, source.Traits().Refusal)
	requireRefused(t, ReasonStale, source.Verify(r, testNow.Add(61e9)))
}

// What the environment holds wins over the file, for a built-in source; a source of the file has the file's alone.
func TestSetups_options(t *testing.T) {
	t.Parallel()
	const file = "providers: {meta: {verify_token: from-the-file}}\nsources: {meta-2: {scheme: meta, options: {verify_token: its-own}}}\n"
	probe := func(s Setup, env string) func(token string) bool {
		source, err := s.Make([]string{testSecret}, func(name string) string {
			require.Equal(t, "META_VERIFY_TOKEN", name)
			return env
		})
		require.NoError(t, err)
		return func(token string) bool {
			g, err := source.Provider.(Prober).Probe(&Request{Method: "GET", URL: "https://h/x?hub.mode=subscribe&hub.challenge=77&hub.verify_token=" + token})
			return err == nil && string(g.Body) == "77"
		}
	}
	require.True(t, probe(setupOf(t, "meta", file), "")("from-the-file"))
	require.True(t, probe(setupOf(t, "meta", file), "from-env")("from-env"))
	require.False(t, probe(setupOf(t, "meta", file), "from-env")("from-the-file"))
	require.True(t, probe(setupOf(t, "meta-2", file), "from-env")("its-own"))
	require.False(t, probe(setupOf(t, "meta", ""), "")(""), "without a token nobody subscribes")
}

func TestSetups_problems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"providers: {githb: {}}":                                                                                    `f:1: providers has no key "githb"; write: github`,
		"providers: {github: {secret: x}}":                                                                          `f:1: providers.github has no key "secret"; write: one of allow_weak, max_body, min_secret`,
		"providers: {twilio: {voice_twiml: 1}}":                                                                     "f:1: voice_twiml is not text",
		"providers: {github: {min_secret: 0}}":                                                                      `f:1: min_secret is "0"; write: a whole number from 1 to 64`,
		"providers: github":                                                                                         "f:1: providers is not a mapping",
		"sources: {a_b: {scheme: github}}":                                                                          "f:1: the name of a source holds something else than letters, digits and -",
		"sources: {a: {secrets_env: X}}":                                                                            "f:1: source a has no scheme; write: scheme:",
		"sources:\n  a:\n    scheme: gitub":                                                                         `f:3: scheme is "gitub"; write: github`,
		"sources: {a: {scheme: stripe, id: '{/id}'}}":                                                               "f:1: stripe has code of its own, which id cannot change",
		"sources: {a: {scheme: github, secrets_env: whsec-x}}":                                                      "secrets_env is not one; write: the name of an environment variable, never the secret itself",
		"sources: {a: {scheme: github, options: {x: y}}}":                                                           `f:1: options has no key "x"`,
		"sources: {a: {scheme: github, id: '{/id'}}":                                                                "f:1: id: a { is without its }",
		"sources: {a: {scheme: github, id: '{body}'}}":                                                              "f:1: id: {body} is no place; there are {/json/pointer}",
		"sources: {a: {scheme: github, batch: /events}}":                                                            "f:1: batch names no list; write: a pointer with a *",
		"sources: {a: {scheme: github, answer: {status: 404}}}":                                                     `f:1: status is "404"; write: a whole number from 200 to 299`,
		"sources: {a: {scheme: github, answer: {body: x}}}":                                                         "f:1: answer has one of type and body",
		"sources: {a: {scheme: github, handshake: slak}}":                                                           `f:1: handshake is "slak"; write: slack`,
		"sources: {a: {scheme: {}}}":                                                                                "the scheme names no signature header",
		"sources: {a: {scheme: {header: X, algorithm: md5}}}":                                                       `algorithm is "md5"; write: one of sha1, sha256, sha512`,
		"sources: {a: {scheme: {header: X, algorithm: sha1}}}":                                                      "sha1 is weak: set allow_weak",
		"sources: {a: {scheme: {header: X, template: '{secret}{body}'}}}":                                           "a plain hash, which is weak",
		"sources: {a: {scheme: {header: X, template: '{url}'}}}":                                                    "the template does not sign {body}",
		"sources: {a: {scheme: {header: X, template: '{body}{host}'}}}":                                             "the template's placeholder {host} is unknown",
		"sources: {a: {scheme: {header: X, timestamp: {header: T}}}}":                                               "an unsigned time protects nothing",
		"sources: {a: {scheme: {header: X, timestamp: {tolerance: 1m}}}}":                                           "timestamp names no place; a tolerance without a signed time protects nothing",
		"sources: {a: {scheme: {header: X, template: '{timestamp}{body}', timestamp: {header: T, tolerance: 0s}}}}": `tolerance is "0s", not a duration above zero`,
		"sources: {a: {scheme: {token: {header: X}}}}":                                                              "a token, which proves nothing about the body",
		"sources: {a: {scheme: {header: X, element: key=value}}}":                                                   "none is accepted: name them",
		"sources: {a: {scheme: {header: X}, scheme: github}}":                                                       `has the key "scheme" twice`,
	} {
		_, err := Setups("f", []byte(text))
		require.ErrorContains(t, err, want, text)
		for line := range strings.Lines(err.Error()) {
			require.Regexp(t, `^f:[1-9]\d*: .+; write: .+`, line)
		}
	}
}

func FuzzSetups(f *testing.F) {
	f.Add([]byte("sources: {a: {scheme: {header: X, separator: ',', element: key=value, versions: [v1], timestamp: {element: t}}, id: '{/a}'}}"))
	f.Add([]byte("providers: &a {twilio: *a}\nsources: {b: {scheme: standard, batch: [/*, /a/*/b/*], answer: {}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		setups, err := Setups("f", text)
		if err != nil {
			require.Regexp(t, `(?s)^f:[1-9]\d*: .+; write: .+`, err.Error())
			return
		}
		for _, s := range setups {
			if s.Own { // what was accepted can be made, or its secret is refused
				_, _ = s.Make([]string{testSecret}, func(string) string { return "" })
			}
		}
	})
}

func FuzzKinds(f *testing.F) {
	f.Add(providersYAML)
	f.Add([]byte("a: {scheme: [{header: X}], samples: [{name: b}], options: {c: d}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := parseKinds("f", text)
		if err != nil {
			require.Regexp(t, `(?s)^f:[1-9]\d*: .+; write: .+`, err.Error())
		}
	})
}
