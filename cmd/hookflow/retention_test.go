package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hookflow/routing"

	"github.com/stretchr/testify/require"
)

// Content that goes before the longest step can have failed is warned of.
func TestShortRetention(t *testing.T) {
	t.Parallel()
	table, err := routing.Parse("r.yaml", []byte(`routes:
  - {provider: stripe, type: a, steps: [{name: quick, activity: x, schedule_to_close_timeout: 1h}]}
  - {provider: stripe, type: b, steps: [{name: patient, activity: x}]}
`))
	require.NoError(t, err)
	require.Empty(t, shortRetention(90*24*time.Hour, table))
	require.Empty(t, shortRetention(72*time.Hour, table))
	require.Empty(t, shortRetention(0, table), "for ever")
	require.Equal(t, "HOOKFLOW_PAYLOAD_RETENTION keeps content for 24 hours after an event's end, and step patient may take 3 days", shortRetention(24*time.Hour, table))
}

// routes check warns of it, and calls the file good all the same.
func TestRoutesCheckWarnsOfShortRetention(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "r.yaml")
	require.NoError(t, os.WriteFile(file, []byte("routes:\n  - {provider: stripe, type: a, steps: [{name: patient, forward: https://a.example/h, schedule_to_close_timeout: 72h}]}\n"), 0o600))
	check := func(retention string, flags ...string) string {
		var stdout, stderr bytes.Buffer
		getenv := func(name string) string {
			return map[string]string{"HOOKFLOW_PAYLOAD_RETENTION": retention, "HOOKFLOW_DATA_DIR": t.TempDir()}[name]
		}
		require.Zero(t, run(t.Context(), append([]string{"routes", "check", file}, flags...), getenv, bytes.NewReader(nil), &stdout, &stderr), "%s%s", &stdout, &stderr)
		return stdout.String()
	}
	const want = "HOOKFLOW_PAYLOAD_RETENTION keeps content for 24 hours after an event's end, and step patient may take 3 days"
	require.Contains(t, check("24h"), "warning: "+want)
	require.Contains(t, check("24h"), "is good")
	require.Contains(t, check("24h", "-o", "json"), `"warnings":["`+want+`"]`)
	require.NotContains(t, check("3d"), "warning")
	require.NotContains(t, check("", "-o", "json"), "warnings")
}
