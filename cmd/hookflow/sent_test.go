package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hookflow/providers"
)

// inJSON reads the one line that a command printed.
func inJSON(t *testing.T, got ran) map[string]any {
	t.Helper()
	require.Equal(t, 1, strings.Count(got.stdout, "\n"), got.stdout)
	var read map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &read))
	return read
}

func TestSendInJSON(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, "")
	got := execute(t, newSendCommand, testSecrets, "twilio", "sms", "--id", "SM0123456789abcdef0123456789abcdef", "--url", r.URL, "-o", "json")
	require.NoError(t, got.err)
	read := inJSON(t, got)
	require.Contains(t, read, "took_ms")
	delete(read, "took_ms")
	require.Equal(t, map[string]any{
		"status": 200.0, "outcome": "accepted", "id": r.events[0].ID, "key": "twilio:SM0123456789abcdef0123456789abcdef",
		"answer": "<Response/>", "answering": nil, "problem": nil,
	}, read)

	got = execute(t, newSendCommand, testSecrets, "stripe", "invoice.paid", "--id", "evt_1", "--count", "5", "--url", r.URL, "--output", "json")
	require.NoError(t, got.err)
	read = inJSON(t, got)
	require.Equal(t, map[string]any{"accepted": 1.0, "duplicate": 4.0}, read["outcomes"])
	require.Equal(t, []any{5.0, 0.0, nil}, []any{read["sent"], read["failed"], read["problem"]})

	refused := with(map[string]string{"STRIPE_WEBHOOK_SECRET": "whsec_another_one_entirely"})
	for _, count := range []string{"1", "2"} { // the exit code and the sentence are those of the table
		got = execute(t, newSendCommand, refused, "stripe", "invoice.paid", "--count", count, "--url", r.URL, "--output", "json")
		require.ErrorContains(t, got.err, "the server has another STRIPE_WEBHOOK_SECRET")
		require.Contains(t, inJSON(t, got)["problem"], "401: the signature is not valid")
	}

	got = execute(t, newSendCommand, testSecrets, "--list", "stripe", "--output", "json")
	require.NoError(t, got.err)
	require.Contains(t, inJSON(t, got)["samples"], map[string]any{"provider": "stripe", "type": "checkout.session.completed"})
	require.ErrorContains(t, execute(t, newSendCommand, testSecrets, "--output", "yaml").err, `--output is table or json, not "yaml"`)
}

func TestVerifyInJSON(t *testing.T) {
	t.Parallel()
	const old, current = "0123456789abcdef-old", "0123456789abcdef-new"
	body := filepath.Join(t.TempDir(), "body")
	require.NoError(t, os.WriteFile(body, []byte(`{"action":"opened","issue":{}}`), 0o600))
	source, err := providers.KindOf("github").New("github", providers.Settings{Secrets: []string{current}})
	require.NoError(t, err)
	r := &providers.Request{Body: []byte(`{"action":"opened","issue":{}}`)}
	source.Provider.(providers.Signer).Sign(r, time.Now())
	args := []string{"github", "-o", "json", "--body", body, "-H", "X-Hub-Signature-256: " + r.Header.Get("X-Hub-Signature-256"),
		"-H", "X-GitHub-Delivery: d-1", "-H", "X-GitHub-Event: issues", "-H", "Content-Type: application/json"}

	got := execute(t, newVerifyCommand, map[string]string{"GITHUB_WEBHOOK_SECRET": old + "," + current}, args...)
	require.NoError(t, got.err)
	read := inJSON(t, got)
	require.Len(t, read["events"], 1)
	e := read["events"].([]any)[0].(map[string]any)
	require.Equal(t, []any{"github:d-1", "issues.opened"}, []any{e["key"], e["type"]})
	delete(read, "events")
	require.Equal(t, map[string]any{"source": "github", "verified": true, "problem": nil, "hints": []any{}, "secret": 2.0, "handshake": false}, read)

	got = execute(t, newVerifyCommand, map[string]string{"GITHUB_WEBHOOK_SECRET": old}, args...)
	require.ErrorContains(t, got.err, "github would refuse it: ")
	read = inJSON(t, got)
	require.Equal(t, []any{false, nil, []any{}}, []any{read["verified"], read["secret"], read["events"]})
	require.Contains(t, read["problem"], "no current secret gives this signature")
	require.NotContains(t, got.stdout, old)
}
