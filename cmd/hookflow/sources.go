package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"hookflow/api"
	"hookflow/config"
	"hookflow/providers"
	"hookflow/routing"
)

// sources makes the providers that have a secret, under their own names. on holds every known name, false for those
// that are off; one whose secrets could not be read is on, and not made. The error joins what is wrong with the sections of the file and with the settings of each.
func sources(c config.Config) (made map[string]providers.Source, on map[string]bool, err error) {
	made, on = map[string]providers.Source{}, map[string]bool{}
	setups, err := providers.Setups(c.FileName, c.File)
	wrong := []error{err}
	for _, s := range setups {
		secrets, set := c.Webhooks.Secrets[s.Variable]
		if on[s.Name] = set; len(secrets) == 0 {
			continue
		}
		source, err := s.Make(secrets, func(variable string) string { return c.Webhooks.Options[variable] })
		for _, one := range separate(err) {
			wrong = append(wrong, fmt.Errorf("%s, with %s: %w", s.Name, s.Variable, one))
		}
		signs := err == nil && source.Traits().SignsURL || err != nil && s.Kind.SignsURL()
		if signs && c.PublicURL == "" && c.Mode == config.Serve {
			wrong = append(wrong, &config.Problem{
				Where: "HOOKFLOW_PUBLIC_URL", What: "is not set, and " + s.Kind.Title + " signs the URL that it calls",
				Write: "scheme and host, such as https://hooks.example.com, with the prefix that a proxy strips, if any",
			})
		}
		if err == nil {
			made[s.Name] = source
		}
	}
	return made, on, errors.Join(wrong...)
}

// separate returns the errors that err joins, so that each is told on a line of its own.
func separate(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// warnOfShortSecrets names the sources with a secret that can be guessed, once each, in the order of their names.
func warnOfShortSecrets(made map[string]providers.Source, log *slog.Logger) {
	for _, name := range slices.Sorted(maps.Keys(made)) {
		if reason := made[name].Guessable; reason != "" {
			log.Warn("a secret is too short", "provider", name, "reason", reason)
		}
	}
}

// needsStripeAPI is the activity that only an API key makes work.
const needsStripeAPI = "stripe.RetrieveCheckout"

// routes reads the routes and holds them against what is there. In a file of the operator's own, a route of a provider
// that is off is a mistake, and so is a step that cannot work. The built-in file names everything: what is off is passed
// over. A worker has no use for secrets, a door none for API keys.
func routes(p plan, on map[string]bool, activities []string) (*routing.Table, error) {
	c := p.config
	table, err := routing.Parse(c.FileName, c.File)
	if err != nil {
		return nil, err
	}
	if p.telemetry != nil {
		p.readSecrets(table)
	}
	known := routing.Known{Providers: on, Activities: activities}
	known.Endpoint = checkEndpoint(p.secret, p.worker)
	if c.BuiltInFile() || !p.api {
		known.Providers = map[string]bool{}
		for name := range on {
			known.Providers[name] = true
		}
	}
	switch {
	case c.Stripe.APIKey != "":
	case c.BuiltInFile():
		table = table.Without(needsStripeAPI)
	case p.worker:
		known.Off = map[string]string{needsStripeAPI: "STRIPE_API_KEY into the environment, or leave the step out"}
	}
	return table.On(c.TaskQueue), table.Check(known)
}

func apiTokens(c config.Config) []api.Token {
	var tokens []api.Token
	for _, t := range c.APITokens {
		tokens = append(tokens, api.Token{Name: t.Name, Secret: t.Secret})
	}
	return tokens
}
