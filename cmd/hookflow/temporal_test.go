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
