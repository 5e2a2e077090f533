package main

import (
	"crypto/rand"
	"log/slog"
	"testing"

	"hookflow/config"

	"github.com/stretchr/testify/require"
)

// A key that stands where the name of its file belongs is not shown.
func TestTemporalOptions_keyForAFile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"TEMPORAL_TLS_CLIENT_KEY_PATH", "TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_SERVER_CA_CERT_PATH"} {
		canary, there := "-----BEGIN PRIVATE KEY-----\n"+rand.Text(), "temporal_test.go"
		variables := map[string]string{"TEMPORAL_TLS_CLIENT_KEY_PATH": there, "TEMPORAL_TLS_CLIENT_CERT_PATH": there}
		if name == "TEMPORAL_TLS_SERVER_CA_CERT_PATH" {
			clear(variables)
		}
		variables[name] = canary
		_, err := temporalOptions(config.Dev, func(name string) string { return variables[name] }, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, name+": names a file that cannot be read: no such file or directory; write: the path of a PEM file")
		require.NotContains(t, err.Error(), canary)
	}
}

// What envconfig drops in silence, or what fails later in words that quote it, is said at the start.
func TestTemporalOptions_judgedAtTheStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"TEMPORAL_ADDRESS", "https://temporal.example.com:7233", "not host and port"},
		{"TEMPORAL_ADDRESS", "temporal.example.com", "not host and port"},
		{"TEMPORAL_ADDRESS", "temporal:port", "not host and port"},
		{"TEMPORAL_API_KEY", "c4nary\n", "white space"},
		{"TEMPORAL_NAMESPACE", "my namespace", "white space"},
		{"TEMPORAL_TLS", "yes", `is "yes"`},
		{"TEMPORAL_TLS_DISABLE_HOST_VERIFICATION", "on", `is "on"`},
	} {
		_, err := temporalOptions(config.Dev, func(name string) string { return map[string]string{c.name: c.value}[name] }, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, c.name)
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "c4nary")
	}
	for _, good := range []map[string]string{nil, {"TEMPORAL_ADDRESS": "[::1]:7233", "TEMPORAL_TLS": "true"}, {"TEMPORAL_TLS": "false"}} {
		_, err := temporalOptions(config.Dev, func(name string) string { return good[name] }, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
	}
}
