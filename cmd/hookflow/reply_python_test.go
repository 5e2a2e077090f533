package main

import (
	"net"
	"os/exec"
	"testing"

	"hookflow/activities"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// The server of docs/replies.md answers for each sender.
func TestReply_pythonDesk(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	variables := map[string]string{
		"SLACK_WEBHOOK_SECRET": testSecret, "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef", "VAPI_WEBHOOK_SECRET": testSecret,
		activities.ForwardSecret: randomKey(), "HOOKFLOW_PUBLIC_URL": "https://hooks.example.com",
	}
	desk := exec.CommandContext(t.Context(), python, "../../docs/replies/desk.py", port)
	desk.Env = append(desk.Environ(), activities.ForwardSecret+"="+variables[activities.ForwardSecret])
	require.NoError(t, desk.Start())
	t.Cleanup(func() { _ = desk.Process.Kill(); _ = desk.Wait() })
	testkit.Eventually(t, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, "the desk does not listen")
	p := startInProcessWith(t, `
destinations: {desk: {url: "http://`+address+`", allow_private: true}}
routes:
  - {provider: vapi, type: tool-calls, reply: {name: answer, deadline: 15s, forward: {destination: desk}}, steps: []}
  - {provider: twilio, type: call.incoming, reply: {name: answer, forward: {destination: desk}}, steps: []}
  - {provider: slack, type: command:/weather, reply: {name: answer, deadline: 15s, forward: {destination: desk}}, steps: []}
`, inProcessOptions{variables: variables})
	for _, c := range []struct{ provider, sample, want string }{
		{"vapi", "tool-calls", `left on Tuesday."}]}`},
		{"twilio", "call", `answered to twilio (computed): <Response><Gather numDigits="1"`},
		{"slack", "slash-command", `"text":"Sunny in 94070."`},
	} {
		got := execute(t, newSendCommand, variables, c.provider, c.sample, "--url", p.url)
		require.NoError(t, got.err, got.stderr)
		require.Contains(t, got.stdout, c.want)
	}
}
