package providers

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The traps that are not tables of their own elsewhere in this package's tests.

// A body that was parsed and written again is another body: escapes, order, numbers, line ends.
func TestTrap_ReencodedBody(t *testing.T) {
	t.Parallel()
	const body = `{"message":{"b":"<é\/\u00e9>","a":1.0,"n":9007199254740993,"type":"hang"}}` + "\r\n"
	var decoded any
	require.NoError(t, json.Unmarshal([]byte(body), &decoded))
	encoded, err := json.Marshal(decoded)
	require.NoError(t, err)
	for name, s := range testSigners(t) {
		if name == "vapi secret" || name == "vapi bearer" {
			continue // prove nothing about the body
		}
		r := signedBy(s, body)
		require.NoError(t, s.Verify(r, testNow), name)
		for _, other := range [][]byte{encoded, bytes.TrimSpace(r.Body), bytes.ReplaceAll(r.Body, []byte("\r\n"), []byte("\n")),
			[]byte(strings.ReplaceAll(body, `\u00e9`, `\u00E9`)), []byte(strings.ReplaceAll(body, `\/`, `/`))} {
			changed := *r
			changed.Body = other
			requireRefused(t, ReasonMismatch, s.Verify(&changed, testNow))
		}
	}
}

// A retry is signed anew: the event's id must not come from the signature or its time.
func TestTrap_RetryIsTheSameEvent(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"stripe": stripeBody, "standard": standardBody, "vapi hmac": testVapiBody,
		"vapi standard": testVapiBody} {
		s := testSigners(t)[name]
		first := signedBy(s, body)
		later := testNow.Add(time.Hour)
		retry := &Request{Body: first.Body}
		s.Sign(retry, later)
		require.NotEqual(t, first.Header, retry.Header, name)
		a, err := readOne(Source{Name: "x", Provider: s}, first, testNow)
		require.NoError(t, err)
		b, err := readOne(Source{Name: "x", Provider: s}, retry, later)
		require.NoError(t, err)
		require.Equal(t, a.Key(), b.Key(), name)
		require.Equal(t, a.ID, b.ID, name)
	}
}

// The same text is three keys: the raw bytes to Stripe and Vapi, base64 behind whsec_ to Standard Webhooks.
func TestTrap_SecretEncodings(t *testing.T) {
	t.Parallel()
	for signer, s := range testSigners(t) {
		for verifier, v := range testSigners(t) {
			r := signedBy(s, testVapiBody)
			same := signer == verifier || strings.HasSuffix(signer, "standard") && strings.HasSuffix(verifier, "standard")
			require.Equal(t, same, v.Verify(r, testNow) == nil, "%s by %s", signer, verifier)
		}
	}
	raw := must[*Verifier](t)(NewVerifier(vapiHMAC, []string{testKey}))
	decoded := vapiHMAC
	decoded.SecretEncoding = "base64"
	r := &Request{Body: []byte(testVapiBody)}
	must[*Verifier](t)(NewVerifier(decoded, []string{testKey})).Sign(r, testNow)
	requireRefused(t, ReasonMismatch, raw.Verify(r, testNow))
}

// Errors say what kind of thing is wrong, and hold nothing of the request or the secret.
func TestTrap_ErrorsTellNothing(t *testing.T) {
	t.Parallel()
	for name, s := range testSigners(t) {
		r := signedBy(s, `{"message":{"type":"marker-of-body"}}`)
		var values []string
		for _, header := range proofHeaders {
			if v := r.Header.Get(header); v != "" {
				values = append(values, v)
				r.Header.Set(header, v+"0")
			}
		}
		err := s.Verify(r, testNow)
		require.Error(t, err, name)
		for _, secret := range append(values, testSecret, testKey, "marker") {
			require.NotContains(t, err.Error(), secret, name)
		}
	}
}

// What was signed with the body must be read by the parser that acts: one parser, exact names, the last of repeated ones.
func TestTrap_NumbersRepeatsDepth(t *testing.T) {
	t.Parallel()
	s := testSigners(t)["vapi hmac"]
	read := func(message string) string {
		e, err := s.Identify(&Request{Body: []byte(`{"message":{"type":"hang","call":{"id":"c"},` + message + `}}`)})
		require.NoError(t, err)
		return e.EventID
	}
	require.NotEqual(t, read(`"timestamp":9007199254740992`), read(`"timestamp":9007199254740993`))
	require.Equal(t, "c:hang:2", read(`"timestamp":1,"timestamp":2`))
	require.Equal(t, "c:hang:1", read(`"x":`+strings.Repeat("[", 150)+strings.Repeat("]", 150)+`,"timestamp":1`))
}
