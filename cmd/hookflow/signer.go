package main

import (
	"errors"
	"os"
	"strings"

	"hookflow/config"
	"hookflow/providers"
)

// setups are the sources of a server started in this folder.
func (env environment) setups() ([]providers.Setup, error) {
	c, err := config.LoadFile(env.setting, os.ReadFile)
	setups, wrong := providers.Setups(c.FileName, c.File)
	return setups, errors.Join(err, wrong)
}

// setup is the source of a name.
func (env environment) setup(name string) (providers.Setup, error) {
	setups, err := env.setups()
	if err != nil {
		return providers.Setup{}, usageError("%v", err)
	}
	var names []string
	for _, s := range setups {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	if near := nearest(name, names); near != "" {
		return providers.Setup{}, usageError("there is no provider %q; did you mean %s? hookflow providers list names all", name, near)
	}
	return providers.Setup{}, usageError("there is no provider %q; hookflow providers list names all", name)
}

// webhookSecrets are the secrets that a server started in this folder would take from a variable, or from its file.
func (env environment) webhookSecrets(variable string) []string {
	path := env.setting(variable + config.SecretFileSuffix)
	if path == "" {
		return env.secrets(variable)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(string(text), func(c rune) bool { return c == ',' || c == '\n' || c == '\r' })
}

// source makes a source with the secrets of a server started in this folder.
func (env environment) source(s providers.Setup) (providers.Source, error) {
	secrets := env.webhookSecrets(s.Variable)
	if len(secrets) == 0 {
		hint := ""
		if devSecrets[s.Variable] != nil {
			hint = ", or run this in the folder where make dev runs (" + env.secretsPath() + ")"
		}
		return providers.Source{}, usageError("no secret of %s: set %s%s", s.Name, s.Variable, hint)
	}
	source, err := s.Make(secrets, env.setting)
	if err != nil {
		return source, usageError("%s, with %s: %v", s.Name, s.Variable, err)
	}
	return source, nil
}

// newSigner returns a source that signs as its sender does, with the first secret.
func newSigner(env environment, s providers.Setup) (providers.Source, providers.Signer, error) {
	source, err := env.source(s)
	if err != nil {
		return source, nil, err
	}
	signer, ok := source.Provider.(providers.Signer)
	if !ok {
		return source, nil, usageError("nobody but %s can sign as it does", s.Kind.Title)
	}
	return source, signer, nil
}
