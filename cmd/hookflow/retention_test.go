package main

import (
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
