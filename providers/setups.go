package providers

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"hookflow/internal/yamlfile"

	"go.yaml.in/yaml/v3"
)

// Setup is one source as it is set up: what it is made of, and which environment variable holds its secrets.
type Setup struct {
	// Name is the source's: the path word, and the provider of its events.
	Name string
	Kind *Kind
	// Variable holds the secrets. A source is off while it is empty.
	Variable string
	// Own says that an operator's file declares the source: its options stand there, not in the environment.
	Own bool
	// Settings are those of the file, without the secrets.
	Settings
}

// variable is the form of an environment variable's name.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Setups returns the sources of a configuration file in the order of their names: one of each kind, with what the section
// "providers" says, and those of the section "sources". name is how messages call the file. The error joins a problem for
// each thing that is wrong in the two sections; a file that is no YAML is another reader's to report.
func Setups(name string, text []byte) ([]Setup, error) {
	d := declarer{yamlfile.New(name)}
	all := map[string]Setup{}
	for _, k := range Kinds() {
		all[k.Name] = Setup{Name: k.Name, Kind: k, Variable: k.Variable, Settings: Settings{Options: map[string]string{}}}
	}
	root := yamlfile.New(name).Document(text)
	if root != nil && root.Kind == yaml.MappingNode {
		for _, e := range yamlfile.New(name).Entries(root, "the file", nil) {
			switch e.Key {
			case "providers":
				d.builtIn(e.Node, all)
			case "sources":
				d.sources(e.Node, all)
			}
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Setup) int { return strings.Compare(a.Name, b.Name) }), d.Err()
}

// builtIn reads the section "providers": settings of the built-in sources by their names.
func (d declarer) builtIn(n *yaml.Node, all map[string]Setup) {
	for _, provider := range d.Entries(n, "providers", kindNames()) {
		s := all[provider.Key]
		what := "providers." + provider.Key
		known := append([]string{"max_body", "min_secret", "allow_weak"}, optionNames(s.Kind)...)
		for _, e := range d.Entries(provider.Node, what, known) {
			if !d.setting(&s.Settings, e) {
				s.Options[e.Key] = d.Text(e.Node, e.Key, "text, or leave the key out")
			}
		}
		all[s.Name] = s
	}
}

// setting reads what sources of every kind have.
func (d declarer) setting(s *Settings, e yamlfile.Entry) bool {
	switch e.Key {
	case "max_body":
		s.MaxBody = d.Count(e.Node, e.Key, 1, maxMaxBody)
	case "min_secret":
		s.MinSecret = int(d.Count(e.Node, e.Key, 1, 64))
	case "allow_weak":
		s.AllowWeak = d.Flag(e.Node, e.Key)
	default:
		return false
	}
	return true
}

// sourceKeys are the keys of a source beside declarationKeys.
var sourceKeys = append([]string{"scheme", "secrets_env", "min_secret", "allow_weak", "options"}, declarationKeys...)

func (d declarer) sources(n *yaml.Node, all map[string]Setup) {
	for _, source := range d.Entries(n, "sources", nil) {
		if why := CheckName(source.Key); why != "" {
			d.Report(source.Line, "letters, digits and -, at most 40", "the name of a source %s", why)
			continue
		}
		if s, ok := d.source(source); ok {
			all[s.Name] = s
		}
	}
}

// source reads one source. It returns false when it cannot be told how its requests are proven.
func (d declarer) source(source yamlfile.Entry) (Setup, bool) {
	s := Setup{
		Name: source.Key, Own: true, Variable: variableOf(source.Key) + "_WEBHOOK_SECRET",
		Settings: Settings{Options: map[string]string{}},
	}
	entries := d.Entries(source.Node, "source "+source.Key, sourceKeys)
	scheme := slices.IndexFunc(entries, func(e yamlfile.Entry) bool { return e.Key == "scheme" })
	if scheme < 0 {
		d.Report(source.Line, "scheme: and the name of a provider, or how it signs", "source %s has no scheme", source.Key)
		return s, false
	}
	s.Kind = d.kindOf(source.Key, entries[scheme].Node)
	if s.Kind == nil {
		return s, false
	}
	var changed *Declaration // the kind's, where this source changes it
	for _, e := range entries {
		switch e.Key {
		case "scheme":
		case "secrets_env":
			if s.Variable = d.Text(e.Node, e.Key, "the name of an environment variable"); s.Variable != "" && !variable.MatchString(s.Variable) {
				d.Report(e.Node.Line, "the name of an environment variable, never the secret itself", "secrets_env is not one")
				s.Variable = ""
			}
		case "options":
			for _, o := range d.Entries(e.Node, e.Key, optionNames(s.Kind)) {
				s.Options[o.Key] = d.Text(o.Node, o.Key, "text, or leave the key out")
			}
		default:
			if d.setting(&s.Settings, e) {
				continue
			}
			if s.Kind.Declaration == nil {
				d.Report(e.Line, "it only with a scheme that is data; hookflow providers list says which are",
					"%s has code of its own, which %s cannot change", s.Kind.Name, e.Key)
				continue
			}
			if changed == nil {
				copied := *s.Kind.Declaration
				changed = &copied
			}
			d.declare(changed, e)
		}
	}
	if changed != nil {
		s.Kind = s.Kind.with(*changed)
	}
	return s, true
}

// kindOf reads a source's scheme: the name of a kind, or how it signs.
func (d declarer) kindOf(name string, n *yaml.Node) *Kind {
	if n.Kind == yaml.ScalarNode {
		return KindOf(d.Word(n, "scheme", kindNames()...))
	}
	before := d.Problems()
	k := &Kind{Name: name, Title: name, Secret: "the sender's secret",
		Samples: []Sample{{Name: "sample", Body: `{"id":"{{.ID}}","type":"sample"}`}}}
	var declared Declaration
	declared.Signatures, declared.Token = d.signatures(n, "scheme")
	if d.Problems() > before {
		return nil
	}
	return k.with(declared)
}

// with returns the kind under another declaration.
func (k Kind) with(declared Declaration) *Kind {
	k.Declaration = &declared
	k.ID, k.Type = inWords(declared.ID, "the SHA-256 of the body"), inWords(declared.Type, "`unknown`")
	k.UnsignedID, k.UnsignedType = unsigned(declared, declared.ID), unsigned(declared, declared.Type)
	name := k.Name
	k.Build = func(s Settings) (Provider, error) { return NewDeclared(name, declared, s) }
	return &k
}

func kindNames() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	return names
}

func optionNames(k *Kind) []string {
	names := []string{} // not nil: no option is known rather than all
	for _, o := range k.Options {
		names = append(names, o.Name)
	}
	return names
}

// Variables lists the environment variables that a setup reads: of the secrets, and of its options.
func (s Setup) Variables() (secrets string, options []string) {
	if s.Own {
		return s.Variable, nil
	}
	for _, o := range s.Kind.Options {
		if o.Variable != "" {
			options = append(options, o.Variable)
		}
	}
	return s.Variable, options
}

// Make makes the source with its current secrets. value returns what an environment variable holds; it wins over the
// file.
func (s Setup) Make(secrets []string, value func(variable string) string) (Source, error) {
	settings := s.Settings
	settings.Secrets = secrets
	settings.Options = maps.Clone(s.Options)
	if settings.Options == nil {
		settings.Options = map[string]string{}
	}
	for _, o := range s.Kind.Options {
		if o.Variable == "" || s.Own {
			continue
		}
		if v := value(o.Variable); v != "" {
			settings.Options[o.Name] = v
		}
	}
	return s.Kind.New(s.Name, settings)
}
