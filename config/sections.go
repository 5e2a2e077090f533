package config

import (
	"go.yaml.in/yaml/v3"
)

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
