package e2e_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// gitHubLimit is the largest payload that GitHub delivers (docs.github.com/en/webhooks/webhook-events-and-payloads).
const gitHubLimit = 25 << 20

// A push of GitHub's largest size is taken, routed by its content, forwarded byte for byte, and shown.
func TestLargestBody(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-of-some-length"
	forwarded := make(chan []byte, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		forwarded <- body
	}))
	t.Cleanup(receiver.Close)
	s := install(t).with("GITHUB_WEBHOOK_SECRET", secret).with("HOOKFLOW_FORWARD_SECRET", forwardSecret).routed(`
routes:
  - provider: github
    type: push
    when: payload.commits[0].message.startsWith("commit") && payload.after == "last"
    steps:
      - {name: ours, forward: {url: "` + receiver.URL + `", allow_private: true, timeout: 25s}}
`).serve()
	var body bytes.Buffer
	body.WriteString(`{"ref":"refs/heads/main","repository":{"full_name":"a/b"},"commits":[`)
	for i := 0; body.Len() < gitHubLimit-1000; i++ {
		fmt.Fprintf(&body, `{"id":"%040x","message":"commit %d: %0200d"},`, i, i, i)
	}
	body.WriteString(`{"id":"end"}],"after":"last"}`)
	body.WriteString(string(bytes.Repeat([]byte(" "), gitHubLimit-body.Len())))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body.Bytes())
	d := &delivery{provider: "github", path: "/webhooks/github", body: body.Bytes(), header: http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"push"}, "X-Github-Delivery": {"72d3162e-cc78-11e3-81ab-4c9367dc0958"},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}}
	s.accept(d)
	d.event = event.Event{Provider: "github", EventID: decodeKey(t, s)}
	got := s.awaitStatus(d.key(), event.Completed)
	require.Len(t, got.Steps, 1, "its route names a step")
	require.True(t, bytes.Equal(d.body, <-forwarded), "the exact body is forwarded")
	var shown struct{ Body string }
	require.NoError(t, json.Unmarshal(s.get("/v1/events/"+got.ID).body, &shown))
	kept, err := base64.StdEncoding.DecodeString(shown.Body)
	require.NoError(t, err)
	require.True(t, bytes.Equal(d.body, kept), "the exact body is kept")
	s.drain()
}

// decodeKey returns the id of the one event that there is.
func decodeKey(t *testing.T, s *server) string {
	t.Helper()
	var list struct{ Events []event.Record }
	require.NoError(t, json.Unmarshal(s.get("/v1/events").body, &list))
	require.Len(t, list.Events, 1)
	return list.Events[0].EventID
}
