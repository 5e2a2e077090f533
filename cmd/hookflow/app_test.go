package main

import (
	"maps"
	"strings"
	"testing"
	"time"

	"hookflow/config"

	"github.com/stretchr/testify/require"
)

// assembled is a process as serve makes it, with the log that it has written, and connected to nothing.
func assembled(t *testing.T, mode config.Mode, only string, more map[string]string) (*app, *gathered) {
	t.Helper()
	variables := map[string]string{
		"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing", "TEMPORAL_ADDRESS": "127.0.0.1:1", "STRIPE_WEBHOOK_SECRET": testSecret,
		"TEMPORAL_CONFIG_FILE": t.TempDir() + "/none",
	}
	maps.Copy(variables, more)
	log := &gathered{}
	env := environment{getenv: func(name string) string { return variables[name] }, stderr: log, now: time.Now}
	c, err := loadConfig(mode, env.getenv, only)
	require.NoError(t, err)
	tel, err := newTelemetry(c, env)
	require.NoError(t, err)
	temporal, err := temporalOptions(mode, env.getenv, tel.Log)
	require.NoError(t, err)
	a, err := assemble(t.Context(), plan{
		config: c, temporal: temporal, api: only != "worker", worker: only != "api", telemetry: tel, variable: env.getenv, now: env.now,
	})
	require.NoError(t, err)
	t.Cleanup(a.store.Close)
	t.Cleanup(a.temporal.Close)
	return a, log
}

// Secrets that can be guessed are told once each, by a process that takes webhooks, and not shown.
func TestShortSecretsAreWarnedOf(t *testing.T) {
	t.Parallel()
	variables := map[string]string{
		"VAPI_WEBHOOK_SECRET": "c4nary0", "TWILIO_AUTH_TOKEN": "c4nary00000", "TWILIO_ACCOUNT_SID": "AC0123456789abcdef0123456789abcdef",
		"HOOKFLOW_PUBLIC_URL": "https://hooks.example.com",
	}
	for _, c := range []struct {
		mode config.Mode
		only string
		want []string
	}{
		{config.Dev, "", []string{
			`level=WARN msg="a secret is too short" provider=twilio reason="secret 1 has 11 bytes, and one below 16 can be guessed"`,
			`level=WARN msg="a secret is too short" provider=vapi reason="secret 1 has 7 bytes, and one below 16 can be guessed"`,
		}},
		{config.Serve, "api", []string{
			`"level":"WARN","msg":"a secret is too short","provider":"twilio","reason":"secret 1 has 11 bytes, and one below 16 can be guessed"}`,
			`"level":"WARN","msg":"a secret is too short","provider":"vapi","reason":"secret 1 has 7 bytes, and one below 16 can be guessed"}`,
		}},
		{config.Serve, "worker", nil},
	} {
		_, log := assembled(t, c.mode, c.only, variables)
		text := log.String()
		require.NotContains(t, text, "c4nary")
		require.Equal(t, len(c.want), strings.Count(text, "too short"), text)
		for _, want := range c.want {
			at := strings.Index(text, want)
			require.GreaterOrEqual(t, at, 0, "%s is not in order in %s", want, text)
			text = text[at:]
		}
	}
}
