package main

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// ran is what a command left behind.
type ran struct {
	stdout, stderr string
	err            error
	code           int
}

// output is a buffer that a command may write to while a test reads it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// testEnvironment holds nothing but the given variables, and a data folder of its own.
func testEnvironment(t *testing.T, vars map[string]string) (env environment, stdout, stderr *output) {
	t.Helper()
	folder := t.TempDir()
	stdout, stderr = &output{}, &output{}
	return environment{
		getenv: func(name string) string {
			if v, ok := vars[name]; ok || name != "HOOKFLOW_DATA_DIR" {
				return v
			}
			return folder
		},
		stdout: stdout, stderr: stderr, now: time.Now,
	}, stdout, stderr
}

func execute(t *testing.T, build func(environment) *cobra.Command, vars map[string]string, args ...string) ran {
	t.Helper()
	env, stdout, stderr := testEnvironment(t, vars)
	cmd := build(env)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(context.Background())
	got := ran{stdout: stdout.String(), stderr: stderr.String(), err: err}
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		got.code = exit.code
	case err != nil:
		got.code = exitFailed
	}
	return got
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		build func(environment) *cobra.Command
		args  []string
		want  string
	}{
		{"unknown flag", newSendCommand, []string{"--loud"}, "unknown flag: --loud"},
		{"unknown provider", newSendCommand, []string{"strip", "invoice.paid"}, `no provider "strip"; did you mean stripe?`},
		{"unknown provider in a list", newSendCommand, []string{"strip"}, "hookflow providers list names all"},
		{"misspelt type", newSendCommand, []string{"stripe", "invoice.payed"}, "did you mean invoice.paid?"},
		{"strange type", newSendCommand, []string{"vapi", "x"}, "it has assistant-request, conversation-update"},
		{"two types", newSendCommand, []string{"vapi", "hang", "hang"}, "one type at a time"},
		{"no secret", newSendCommand, []string{"stripe", "invoice.paid"}, "set STRIPE_WEBHOOK_SECRET"},
		{"count", newSendCommand, []string{"stripe", "invoice.paid", "--count", "0"}, "--count is 1 to 1000000"},
		{"rate", newSendCommand, []string{"stripe", "invoice.paid", "--rate", "-1"}, "--rate is"},
		{"parallel", newSendCommand, []string{"stripe", "invoice.paid", "--parallel", "0"}, "--parallel is 1 to 1024"},
		{"misspelt subcommand", newEventsCommand, []string{"lst"}, "there is no events lst, but list, show, tail, retry, cancel and erase"},
		{"misspelt direction", newMigrateCommand, []string{"upp"}, "there is no migrate upp, but up, down and status"},
		{"show without an id", newEventsCommand, []string{"show"}, "usage: events show ID"},
		{"replay of nothing", newReplayCommand, []string{}, "name events, or say which ones with --status"},
		{"replay of both", newReplayCommand, []string{"stripe:a", "--status", "failed"}, "not both"},
		{"replay counted by name", newReplayCommand, []string{"stripe:a", "--dry-run"}, "--dry-run counts what filters mean"},
		{"replay backwards", newReplayCommand, []string{"--status", "failed", "--rate", "-1"}, "--rate is"},
		{"misspelt steering", newReplaysCommand, []string{"halt"}, "but list, show, pause, resume and stop"},
		{"steering nothing", newReplaysCommand, []string{"pause"}, "usage: replays pause ID"},
		{"retry of nothing", newEventsCommand, []string{"retry"}, "usage: events retry ID"},
		{"output", newEventsCommand, []string{"list", "-o", "xml"}, "--output is table or json"},
		{"url", newEventsCommand, []string{"list", "--url", "localhost:8080"}, "is not an http or https URL"},
		{"interval", newEventsCommand, []string{"tail", "--interval", "0s"}, "--interval must be positive"},
		{"lines", newEventsCommand, []string{"tail", "--lines", "201"}, "--lines 0 to 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, c.build, nil, c.args...)
			require.ErrorContains(t, got.err, c.want)
			require.Equal(t, exitUsage, got.code)
			require.Empty(t, got.stdout)
		})
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"call.completed", "call.ringing", "message.sent"}
	for typed, want := range map[string]string{
		"call.complete": "call.completed", "call.rining": "call.ringing", "mesage.sent": "message.sent", "x": "", "": "",
	} {
		require.Equal(t, want, nearest(typed, known), typed)
	}
	require.Equal(t, 3, edits("kitten", "sitting"))
}
