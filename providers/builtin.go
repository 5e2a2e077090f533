package providers

import (
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"hookflow/internal/yamlfile"

	"go.yaml.in/yaml/v3"
)

// providersYAML declares the providers that need no code of their own.
//
//go:embed providers.yaml
var providersYAML []byte

// kindKeys are the keys of a provider in providers.yaml beside declarationKeys.
var kindKeys = append([]string{"title", "docs", "variable", "secret", "options", "dashboard", "retries", "notes", "scheme", "weak", "identity", "samples"},
	declarationKeys...)

// declaredKinds are the kinds of the embedded file. That it has no problems is held by a test.
var declaredKinds = sync.OnceValue(func() []*Kind {
	kinds, err := parseKinds("providers.yaml", providersYAML)
	if err != nil {
		panic(err)
	}
	return kinds
})

// parseKinds reads a file of kinds.
func parseKinds(name string, text []byte) ([]*Kind, error) {
	d := declarer{yamlfile.New(name)}
	var kinds []*Kind
	if root := d.Document(text); root != nil {
		for _, e := range d.Entries(root, "the file", nil) {
			kinds = append(kinds, d.kind(e))
		}
	}
	return kinds, d.Err()
}

func (d declarer) kind(provider yamlfile.Entry) *Kind {
	k := &Kind{Name: provider.Key, Variable: variableOf(provider.Key) + "_WEBHOOK_SECRET"}
	var declared Declaration
	if why := CheckName(k.Name); why != "" {
		d.Report(provider.Line, "letters, digits and -, at most 40", "the name %s", why)
	}
	for _, e := range d.Entries(provider.Node, k.Name, kindKeys) {
		switch e.Key {
		case "title":
			k.Title = d.Text(e.Node, e.Key, "the sender as it writes itself")
		case "docs":
			k.Docs = d.Text(e.Node, e.Key, "the address of its page on verification")
		case "variable":
			k.Variable = d.Text(e.Node, e.Key, "the name of an environment variable")
		case "secret":
			k.Secret = d.Text(e.Node, e.Key, "what the variable holds")
		case "options":
			for _, o := range d.Entries(e.Node, e.Key, nil) {
				k.Options = append(k.Options, Option{
					Name: o.Key, Variable: variableOf(k.Name) + "_" + strings.ToUpper(o.Key), What: d.Text(o.Node, o.Key, "what it is for"),
				})
			}
		case "dashboard":
			k.Dashboard = d.Texts(e.Node, e.Key, "what to set at the sender")
		case "retries":
			k.Retries = d.Text(e.Node, e.Key, "what the sender does after a failure")
		case "notes":
			k.Notes = d.Texts(e.Node, e.Key, "a sentence")
		case "scheme":
			if e.Node.Kind == yaml.ScalarNode && e.Node.Value == "standard" {
				declared.Signatures = standardSignatures
			} else {
				declared.Signatures, declared.Token = d.signatures(e.Node, "scheme")
			}
		case "weak":
			declared.Weak, _ = d.signatures(e.Node, "weak")
		case "identity":
			k.Identity = d.identity(e.Node)
		case "samples":
			for _, item := range list(e.Node) {
				k.Samples = append(k.Samples, d.sample(item))
			}
		default:
			d.declare(&declared, e)
		}
	}
	d.complete(k, declared, provider.Line)
	return k
}

// complete fills in what follows from the declaration.
func (d declarer) complete(k *Kind, declared Declaration, line int) {
	if len(declared.Signatures) == 0 && declared.Token == nil {
		d.Report(line, "scheme: and how it signs, or standard", "%s has no scheme", k.Name)
	}
	*k = *k.with(declared)
}

func (d declarer) sample(n *yaml.Node) (s Sample) {
	for _, e := range d.Entries(n, "a sample", []string{"name", "headers", "body", "query"}) {
		switch e.Key {
		case "name":
			s.Name = d.Text(e.Node, e.Key, "the event's type")
		case "headers":
			s.Header = map[string]string{}
			for _, h := range d.Entries(e.Node, e.Key, nil) {
				s.Header[h.Key] = d.Scalar(h.Node, h.Key, "the header's value")
			}
		case "body":
			s.Body = d.Text(e.Node, e.Key, "the body")
		case "query":
			s.Query = d.Text(e.Node, e.Key, "the query, without ?")
		}
	}
	return s
}

// MakeSecret returns a fresh secret in the form that the sender issues, as what a variable holds: for trying a provider
// out, where nobody else signs.
func (k *Kind) MakeSecret(random io.Reader) (string, error) {
	if k.Generate != nil {
		return k.Generate(random)
	}
	key := make([]byte, 24)
	if _, err := io.ReadFull(random, key); err != nil {
		return "", err
	}
	d := k.Declaration
	switch {
	case d != nil && d.Token != nil && d.Token.Basic:
		return "hookflow:" + hex.EncodeToString(key), nil
	case d != nil && len(d.Signatures) > 0 && d.Signatures[0].SecretEncoding == encodingBase64:
		return d.Signatures[0].SecretPrefix + base64.StdEncoding.EncodeToString(key), nil
	}
	return hex.EncodeToString(key), nil
}

// CheckName reports why a name cannot be that of a source, "" when it can: it is a path word, a part of keys, a value of
// metric labels and a part of workflow IDs.
func CheckName(name string) string {
	const longest = 40
	switch {
	case name == "":
		return "is empty"
	case len(name) > longest:
		return "is longer than 40 bytes"
	}
	for _, c := range name {
		if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return "holds something else than letters, digits and -"
		}
	}
	return ""
}

func variableOf(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// unsigned reports whether a declared field usually comes from a header that no signature covers.
func unsigned(d Declaration, texts []string) bool {
	f, err := parseField(texts[:min(len(texts), 1)])
	if err != nil {
		return false
	}
	signed := map[string]bool{}
	for _, s := range d.Signatures {
		signed[s.IDHeader] = true
	}
	return slices.ContainsFunc(f.headers(), func(name string) bool { return !signed[name] })
}

// inWords writes a field for the documentation.
func inWords(texts []string, otherwise string) string {
	var all []string
	for _, text := range texts {
		all = append(all, "`"+text+"`")
	}
	return strings.Join(append(all, otherwise), ", else ")
}

// identity reads which rule the kind's ids follow.
func (d declarer) identity(n *yaml.Node) (i Identity) {
	for _, e := range d.Entries(n, "identity", []string{"rule", "docs", "why"}) {
		switch e.Key {
		case "rule":
			i.Rule = d.Word(e.Node, e.Key, identityRules...)
		case "docs":
			i.Docs = d.Text(e.Node, e.Key, "the address of the sender's page")
		case "why":
			i.Why = d.Text(e.Node, e.Key, "half a sentence")
		}
	}
	return i
}
