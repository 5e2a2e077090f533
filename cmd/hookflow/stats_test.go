package main

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStats(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t)
	server := []string{"--url", l.URL, "--token", testToken}
	got := execute(t, newStatsCommand, nil, append([]string{"--by", "provider,status", "--bucket", "1h", "--since", "2h", "--error-type", "Refused"}, server...)...)
	require.NoError(t, got.err)
	require.Equal(t, "START                 PROVIDER  STATUS  EVENTS\n2026-03-04T04:00:00Z  stripe    failed  12\n", got.stdout)
	require.Equal(t, []url.Values{{"by": {"provider,status"}, "bucket": {"1h"}, "since": {"2h"}, "error_type": {"Refused"}}}, l.questions())

	plain := execute(t, newStatsCommand, nil, server...)
	require.NoError(t, plain.err)
	require.Equal(t, "STATUS  EVENTS\nfailed  12\n", plain.stdout)

	asJSON := execute(t, newStatsCommand, nil, append([]string{"-o", "json"}, server...)...)
	require.NoError(t, asJSON.err)
	require.Contains(t, asJSON.stdout, `"count": 12`)
}
