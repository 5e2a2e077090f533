package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Providers is the section "providers" of the YAML file: what a provider needs that is no secret.
type Providers struct {
	Twilio TwilioSettings
}

// TwilioSettings is providers.twilio.
type TwilioSettings struct {
	// VoiceTwiML answers incoming calls; empty means the built-in answer. Twilio's rules for it are checked where the
	// provider is made.
	VoiceTwiML string
}

// Sections returns the sections of the file by name, each as YAML in one order and without comments, so that two files
// can be compared. It is nil for a file that is no mapping.
func Sections(text []byte) map[string]string {
	var values map[string]any
	if yaml.Unmarshal(text, &values) != nil {
		return nil
	}
	sections := make(map[string]string, len(values))
	for name, value := range values {
		if plain, err := yaml.Marshal(value); err == nil {
			sections[name] = string(plain)
		}
	}
	return sections
}

// section reads a part of a YAML file strictly: no unknown key, none twice.
type section struct {
	name     string
	problems []error
}

func (s *section) report(n *yaml.Node, what, write string) {
	s.problems = append(s.problems, &Problem{Where: fmt.Sprintf("%s:%d", s.name, max(n.Line, 1)), What: what, Write: write})
}

// providers returns the section. The rest of the file is not its business, and neither is a file that is no mapping.
func (s *section) providers(text []byte) Providers {
	var p Providers
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil || len(doc.Content) == 0 {
		return p
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return p
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "providers" {
			continue
		}
		s.keys(root.Content[i+1], "providers", map[string]func(*yaml.Node){
			"twilio": func(n *yaml.Node) {
				s.keys(n, "providers.twilio", map[string]func(*yaml.Node){
					"voice_twiml": func(n *yaml.Node) { p.Twilio.VoiceTwiML = s.text(n, "voice_twiml", "<Response>…</Response>") },
				})
			},
		})
	}
	return p
}

// keys calls what is known about each key of a mapping. A mapping whose keys are all commented out is empty.
func (s *section) keys(n *yaml.Node, what string, known map[string]func(*yaml.Node)) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	var names []string
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	write := strings.Join(names, ", ")
	if n.Kind != yaml.MappingNode {
		s.report(n, what+" is not a mapping", write+" and a value, indented below it")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch read := known[key.Value]; {
		case seen[key.Value]:
			s.report(key, fmt.Sprintf("%s has the key %q twice", what, key.Value), "it once")
		case read == nil:
			s.report(key, fmt.Sprintf("%s has no key %q", what, key.Value), write)
		default:
			read(n.Content[i+1])
		}
		seen[key.Value] = true
	}
}

func (s *section) text(n *yaml.Node, what, write string) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || strings.TrimSpace(n.Value) == "" {
		s.report(n, what+" is not text, or empty", write+", or leave the key out")
		return ""
	}
	return n.Value
}
