package providers

import (
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// MailerSend asks for an address with a secret that it publishes, before the webhook has one.
// https://developers.mailersend.com/api/v1/webhooks.html#webhook-security
func TestMailerSend_test(t *testing.T) {
	t.Parallel()
	k := KindOf("mailersend")
	own := declaredOf(t, k, caseSecret(t, k, 1))
	everybody := declaredOf(t, k, mailerSendTestSecret)
	read := func(body string) (Delivery, error) {
		return Source{Name: "mailersend", Provider: own}.Read(signedBy(everybody, body), testNow)
	}
	d, err := read(`{"type":"webhook.test","created_at":"2026-01-01T00:00:00Z"}`)
	require.NoError(t, err)
	require.NotNil(t, d.Greeting)
	require.Empty(t, d.Events)
	for _, body := range []string{`{"type":"activity.sent","data":{"id":"1"}}`, `{"type":"webhook.test2"}`, `["webhook.test"]`, `{"type":["webhook.test"]}`, `{"type":"webhook.test","type":"activity.sent"}`} {
		_, err := read(body)
		requireRefused(t, ReasonMismatch, err)
	}
	r := signedBy(everybody, `{"type":"webhook.test"}`)
	r.Body = append(r.Body, ' ')
	_, err = Source{Name: "mailersend", Provider: own}.Read(r, testNow)
	requireRefused(t, ReasonMismatch, err)
}

// What v1 of Coinbase's signature covers: time, names of headers, their values, body.
// https://docs.cdp.coinbase.com/webhooks/verify-signatures
func TestCoinbaseCDP_v1(t *testing.T) {
	t.Parallel()
	k := KindOf("coinbase-cdp")
	const secret = "a secret of Coinbase's, 32 bytes"
	p := declaredOf(t, k, secret)
	const body = `{"id":"e","eventType":"t"}`
	request := func(signature string) *Request {
		return &Request{Method: http.MethodPost, URL: "https://h", Body: []byte(body), Header: http.Header{
			"Content-Type": {jsonType}, "X-Event-Id": {"e"}, "X-Hook0-Signature": {signature},
		}}
	}
	// The signed text is written out, so that the test does not go by the code.
	sum := func(text string) string { return hex.EncodeToString(hmacSHA256(secret, text)) }
	v1 := "t=1767225600,h=content-type x-event-id x-absent,v1=" + sum("1767225600.content-type x-event-id x-absent.application/json.e.."+body)
	now := time.Unix(1767225600, 0)
	require.NoError(t, p.Verify(request(v1), now))
	changed := request(v1)
	changed.Header.Set("X-Event-Id", "f")
	requireRefused(t, ReasonMismatch, p.Verify(changed, now))
	v0 := "t=1767225600,v0=" + sum("1767225600."+body)
	require.NoError(t, p.Verify(request(v0), now))
	both := "t=1767225600,v0=" + sum("1767225600."+body) + ",h=content-type,v1=" + sum("false")
	requireRefused(t, ReasonMismatch, p.Verify(request(both), now))
	requireRefused(t, ReasonStale, p.Verify(request(v1), now.Add(6*time.Minute)))
}

// The type comes from the header, and of a system hook from the body, which says more.
// https://docs.gitlab.com/administration/system_hooks/
func TestGitLab_typeOfSystemHooks(t *testing.T) {
	t.Parallel()
	for want, sent := range map[string][2]string{
		"System Hook.project_create": {"System Hook", `{"event_name":"project_create"}`},
		"System Hook.merge_request":  {"System Hook", `{"object_kind":"merge_request"}`},
		"System Hook":                {"System Hook", `{}`},
		"Push Hook":                  {"Push Hook", `{"event_name":"push","object_kind":"push"}`},
	} {
		d := readAs(t, "gitlab", http.Header{"X-Gitlab-Event": {sent[0]}}, sent[1])
		require.Equal(t, want, d.Events[0].Type)
	}
}

// Linear's retries come after 1 minute, 1 hour and 6 hours, and are the first attempt byte for byte, with its time in the body.
// https://linear.app/developers/webhooks and https://github.com/vercel/eve/issues/1570
func TestLinear_retries(t *testing.T) {
	t.Parallel()
	const secret, body = "a secret of Linear's, 32 bytes", `{"action":"create","type":"Issue","data":{"id":"x"},"webhookTimestamp":1767225600000}`
	p := declaredOf(t, KindOf("linear"), secret)
	r := &Request{Method: http.MethodPost, URL: "https://h", Body: []byte(body), Header: http.Header{
		"Linear-Signature": {hex.EncodeToString(hmacSHA256(secret, body))}, "Linear-Delivery": {"d"},
	}}
	first := time.Unix(1767225600, 0)
	for _, after := range []time.Duration{0, time.Minute, 61 * time.Minute, 7*time.Hour + time.Minute + 15*time.Second} {
		require.NoError(t, p.Verify(r, first.Add(after)), after)
	}
	requireRefused(t, ReasonStale, p.Verify(r, first.Add(9*time.Hour)))
	requireRefused(t, ReasonFuture, p.Verify(r, first.Add(-6*time.Minute)))
}
