package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hookflow/activities"

	"github.com/stretchr/testify/require"
)

// A receiver in any language answers what is forwarded to it, in the words of each sender: hookflow send shows them.
func TestReply_forwardedForEachSender(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch text := string(body); {
		case strings.Contains(text, "command=%2Fweather"):
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"response_type":"ephemeral","text":"Sunny."}`)
		case strings.Contains(text, "payload="):
			w.WriteHeader(http.StatusNoContent)
		case strings.Contains(text, "MessageSid"), strings.Contains(text, "CallSid"):
			w.Header().Set("Content-Type", "text/xml")
			_, _ = io.WriteString(w, "<Response><Message>Yes.</Message></Response>")
		case strings.Contains(text, "application_id"):
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"type":4,"data":{"content":"Sunny."}}`)
		default:
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "on its\nway")
		}
	}))
	t.Cleanup(receiver.Close)
	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	variables := map[string]string{
		"SLACK_WEBHOOK_SECRET": testSecret, "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef", "VAPI_WEBHOOK_SECRET": testSecret,
		"DISCORD_PUBLIC_KEY":     "private:" + base64.StdEncoding.EncodeToString(der),
		activities.ForwardSecret: randomKey(), "HOOKFLOW_PUBLIC_URL": "https://hooks.example.com",
	}
	var routes strings.Builder
	routes.WriteString("routes:\n")
	for _, route := range []string{
		`slack, type: ["command:*", block_actions]`, "discord, type: interaction.*", "twilio, type: [message.received, call.incoming]", "vapi, type: tool-calls",
	} {
		routes.WriteString("  - {provider: " + route + ", reply: {name: answer, deadline: 10s, forward: {url: " + receiver.URL + ", allow_private: true}}, steps: []}\n")
	}
	p := startInProcessWith(t, routes.String(), inProcessOptions{variables: variables})
	for _, c := range []struct{ provider, sample, want string }{
		{"slack", "slash-command", `answered to slack (computed): {"response_type":"ephemeral","text":"Sunny."}`},
		{"slack", "block_actions", "answered to slack (computed): nothing"},
		{"discord", "interaction.application_command", `answered to discord (computed): {"type":4,"data":{"content":"Sunny."}}`},
		{"twilio", "sms", "answered to twilio (computed): <Response><Message>Yes.</Message></Response>"},
		{"vapi", "tool-calls", `"result":"on its way"`},
	} {
		t.Run(c.provider+" "+c.sample, func(t *testing.T) {
			got := execute(t, newSendCommand, variables, c.provider, c.sample, "--url", p.url)
			require.NoError(t, got.err, got.stderr)
			require.Contains(t, got.stdout, c.want)
		})
	}
}
