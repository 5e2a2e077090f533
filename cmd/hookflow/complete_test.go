package main

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// completed runs the program as a shell does that asks for completions, and returns the words.
func completed(t *testing.T, args ...string) []string {
	t.Helper()
	env, stdout, stderr := testEnvironment(t, nil)
	require.Zero(t, run(context.Background(), append([]string{"__complete"}, args...), env.getenv, nil, stdout, stderr))
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	for i, line := range lines {
		lines[i], _, _ = strings.Cut(line, "\t") // what a shell shows beside it
	}
	return lines[:len(lines)-1] // the last one is a directive
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"pending", "processing", "completed", "failed"}, completed(t, "events", "list", "--status", ""))
	require.Equal(t, []string{"table", "json"}, completed(t, "events", "show", "--output", ""))
	require.Equal(t, []string{"newest", "oldest"}, completed(t, "events", "list", "--order", ""))
	require.Equal(t, []string{"table", "json"}, completed(t, "stats", "-o", ""))
	require.Subset(t, completed(t, "replay", "--provider", ""), []string{"stripe", "twilio", "vapi"})
	require.Subset(t, completed(t, "send", ""), []string{"stripe", "twilio", "vapi"})
	require.Contains(t, completed(t, "send", "stripe", ""), "checkout.session.completed")
	require.Contains(t, completed(t, "events", ""), "erase")
	require.Contains(t, completed(t, ""), "completion")

	env, stdout, stderr := testEnvironment(t, nil)
	require.Zero(t, run(context.Background(), []string{"completion", "bash"}, env.getenv, nil, stdout, stderr))
	require.Contains(t, stdout.String(), "__start_hookflow")
}
