package main

import (
	"hookflow/providers"
)

// secretNames are the variables that hold the secrets of each provider.
var secretNames = map[string]string{
	"stripe": "STRIPE_WEBHOOK_SECRET",
	"twilio": "TWILIO_AUTH_TOKEN",
	"vapi":   "VAPI_WEBHOOK_SECRET",
}

// newSigner returns the provider with the secrets of a server started in this folder; it signs with the first.
func newSigner(env environment, provider string) (providers.Signer, error) {
	secrets := env.secrets(secretNames[provider])
	if len(secrets) == 0 {
		return nil, usageError("no secret to sign with: set %s, or run this in the folder where make dev runs (%s)",
			secretNames[provider], env.secretsPath())
	}
	signer, err := signerOf(env, provider, secrets)
	if err != nil {
		return nil, usageError("cannot sign as %s does: %v", provider, err)
	}
	return signer, nil
}

func signerOf(env environment, provider string, secrets []string) (providers.Signer, error) {
	switch provider {
	case "stripe":
		return providers.NewStripe(secrets)
	case "twilio":
		return providers.NewTwilio(providers.TwilioConfig{Tokens: secrets, AccountSID: env.setting("TWILIO_ACCOUNT_SID")})
	default:
		return providers.NewVapi(providers.VapiConfig{Secrets: secrets, Schemes: env.secrets("VAPI_WEBHOOK_SCHEME")})
	}
}
