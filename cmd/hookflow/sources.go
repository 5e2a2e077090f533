package main

import (
	"fmt"

	"hookflow/api"
	"hookflow/config"
	"hookflow/providers"
	"hookflow/routing"
)

// sources makes the providers that have a secret, under their own names. on holds every known name, false for those
// that are off.
func sources(c config.Config) (made map[string]providers.Source, on map[string]bool, err error) {
	made = map[string]providers.Source{}
	on = map[string]bool{"stripe": false, "twilio": false, "vapi": false}
	add := func(name string, secrets []string, build func() (providers.Provider, error)) {
		if len(secrets) == 0 || err != nil {
			return
		}
		var p providers.Provider
		if p, err = build(); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			return
		}
		made[name], on[name] = providers.Source{Name: name, Provider: p}, true
	}
	add("stripe", c.Stripe.Secrets, func() (providers.Provider, error) { return providers.NewStripe(c.Stripe.Secrets) })
	add("twilio", c.Twilio.AuthTokens, func() (providers.Provider, error) {
		return providers.NewTwilio(providers.TwilioConfig{
			Tokens: c.Twilio.AuthTokens, AccountSID: c.Twilio.AccountSID, VoiceTwiML: c.Providers.Twilio.VoiceTwiML,
		})
	})
	add("vapi", c.Vapi.Secrets, func() (providers.Provider, error) {
		return providers.NewVapi(providers.VapiConfig{Secrets: c.Vapi.Secrets, Schemes: c.Vapi.Schemes})
	})
	return made, on, err
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
	known := routing.Known{Providers: on, Activities: activities}
	known.Endpoint = checkEndpoint(p.variable, p.worker)
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
	return table, table.Check(known)
}

func apiTokens(c config.Config) []api.Token {
	var tokens []api.Token
	for _, t := range c.APITokens {
		tokens = append(tokens, api.Token{Name: t.Name, Secret: t.Secret})
	}
	return tokens
}
