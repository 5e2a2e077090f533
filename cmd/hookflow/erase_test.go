package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hookflow/event"
)

func TestEventsErase(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t, record(2, "a", "evt_2", event.Failed), record(1, "a", "evt_1", event.Processing))
	server := []string{"--url", l.URL, "--token", testToken}
	got := execute(t, newEventsCommand, nil, append([]string{"erase", "--yes", "stripe:evt_1", "stripe:evt_2"}, server...)...)
	require.EqualError(t, got.err, "stripe:evt_1: 409: the event is still processing")
	require.Equal(t, exitFailed, got.code)
	require.Equal(t, "stripe:evt_2: the content is erased; 1 run deleted from Temporal\n", got.stdout, "one that fails holds up no other")

	asJSON := execute(t, newEventsCommand, nil, append([]string{"erase", "--yes", "stripe:evt_2", "-o", "json"}, server...)...)
	require.NoError(t, asJSON.err)
	require.JSONEq(t, `{"id":"`+event.ID("stripe:evt_2")+`","key":"stripe:evt_2","content":true,"histories":1}`, asJSON.stdout)

	none := execute(t, newEventsCommand, nil, "erase", "--yes")
	require.Equal(t, exitUsage, none.code)
}

func TestEventsEraseAsks(t *testing.T) {
	t.Parallel()
	l := newFakeLedger(t, record(2, "a", "evt_2", event.Failed))
	for answer, want := range map[string]string{"y\n": "", "yes\n": "", "n\n": "nothing was erased", "\n": "nothing was erased", "": "nobody answered; --yes does not ask"} {
		env, stdout, stderr := testEnvironment(t, nil)
		env.stdin = strings.NewReader(answer)
		cmd := newEventsCommand(env)
		cmd.SetArgs([]string{"erase", "stripe:evt_2", "--url", l.URL, "--token", testToken})
		err := cmd.ExecuteContext(t.Context())
		require.Contains(t, stderr.String(), "erase the content of 1 event for good? [y/N] ")
		if want == "" {
			require.NoError(t, err)
			require.NotEmpty(t, stdout.String())
			continue
		}
		require.EqualError(t, err, want)
		require.Empty(t, stdout.String())
	}
}
