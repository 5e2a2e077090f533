package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hookflow/config"
)

// Whoever sets up a server hears of everything that is wrong with it the first time, and of each thing once.
func TestServeReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hookflow.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
sources: {mine: {secrets_env: MINE}}
routes:
  - {provider: strype, type: x, steps: [{activity: stripe.RecordCheckout}]}
  - {provider: stripe, type: x, steps: [{activity: stripe.RecordChekout}]}
  - {provider: github, type: x, steps: [{name: on, forward: 'https://on.example.com'}]}
`), 0o600))
	certificate := filepath.Join(t.TempDir(), "none.pem")
	for name, c := range map[string]struct {
		only string
		vars map[string]string
		want []string
	}{
		"nothing is set": {"", nil, []string{"DATABASE_URL: is not set", "environment: no provider has a secret; write: STRIPE_WEBHOOK_SECRET"}},
		"a worker":       {"worker", nil, []string{"DATABASE_URL: is not set"}},
		"providers": {"", map[string]string{
			"STRIPE_WEBHOOK_SECRET": "a,,b", "VAPI_WEBHOOK_SECRET": testSecret, "VAPI_WEBHOOK_SCHEME": "hmca",
			"TWILIO_AUTH_TOKEN": "12345", "TWILIO_ACCOUNT_SID": "CA1", "HOOKFLOW_API_TOKEN": "short",
		}, []string{
			"DATABASE_URL: is not set", "STRIPE_WEBHOOK_SECRET: has an empty element", "HOOKFLOW_API_TOKEN: the token of element 1 is shorter",
			"vapi, with VAPI_WEBHOOK_SECRET: scheme hmca: unknown: write hmac", "twilio, with TWILIO_AUTH_TOKEN: twilio: the account SID is not",
			"HOOKFLOW_PUBLIC_URL: is not set, and Twilio signs",
		}},
		"the public URL": {"", map[string]string{
			"DATABASE_URL": "postgres://127.0.0.1/x", "TWILIO_AUTH_TOKEN": testSecret, "HOOKFLOW_PUBLIC_URL": "https://h.example.com/",
		}, []string{"HOOKFLOW_PUBLIC_URL: ends with a slash"}},
		"no public URL": {"", map[string]string{"DATABASE_URL": "postgres://127.0.0.1/x", "TWILIO_AUTH_TOKEN": testSecret},
			[]string{"HOOKFLOW_PUBLIC_URL: is not set, and Twilio signs"}},
		"the file": {"", map[string]string{"HOOKFLOW_CONFIG": file, "STRIPE_WEBHOOK_SECRET": testSecret, "TEMPORAL_TLS_CLIENT_CERT_PATH": certificate}, []string{
			"DATABASE_URL: is not set", "source mine has no scheme", `there is no provider "strype"`, `there is no activity "stripe.RecordChekout"`,
			"provider github is off", "HOOKFLOW_FORWARD_SECRET", "the variables of Temporal cannot be read",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadConfig(config.Serve, func(variable string) string { return c.vars[variable] }, c.only)
			require.Error(t, err)
			for _, want := range c.want {
				require.Equal(t, 1, strings.Count(err.Error(), want), "%q in\n%v", want, err)
			}
			require.Len(t, strings.Split(err.Error(), "\n"), len(c.want), err.Error())
			require.NotContains(t, err.Error(), testSecret)
		})
	}
}
