package providers

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const standardBody = `{"type":"invoice.paid","timestamp":"2025-12-31T23:59:58.5Z","data":{"id":"inv_1"}}`

func newTestStandard(t testing.TB, secrets ...string) *Declared {
	t.Helper()
	return must[*Declared](t)(newStandard(secrets))
}

// newStandard makes the declared provider, with secrets of any length.
func newStandard(secrets []string) (*Declared, error) {
	return NewDeclared("standard", *KindOf("standard").Declaration, Settings{Secrets: secrets, MinSecret: 1})
}

func TestStandardVerify_SignatureList(t *testing.T) {
	t.Parallel()
	s := newTestStandard(t, testStdKey)
	golden := signedBy(s, standardBody)
	signed := golden.Header.Get("Webhook-Signature")
	sum := strings.TrimPrefix(signed, "v1,")
	raw, err := base64.StdEncoding.DecodeString(sum)
	require.NoError(t, err)
	wrong := "v1," + base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, c := range map[string]struct{ header, reason string }{
		"golden":             {signed, ""},
		"second of two":      {wrong + " " + signed, ""},
		"beside v1a and v2":  {"v1a,AAAA v2,x " + signed, ""},
		"beside garbage":     {"x , v1 v1, " + signed, ""},
		"twenty":             {strings.Repeat(wrong+" ", 19) + signed, ""},
		"twenty-one":         {strings.Repeat(wrong+" ", 20) + signed, ReasonMalformed},
		"twenty spaces":      {strings.Repeat(" ", 20) + signed, ReasonMalformed},
		"under v2":           {"v2," + sum, ReasonMalformed},
		"under v1a":          {"v1a," + sum, ReasonMalformed},
		"upper-case version": {"V1," + sum, ReasonMalformed},
		"no version":         {sum, ReasonMalformed},
		"comma list":         {wrong + "," + sum, ReasonMalformed},
		"unpadded":           {"v1," + strings.TrimRight(sum, "="), ReasonMalformed},
		"URL alphabet":       {"v1," + base64.URLEncoding.EncodeToString([]byte(strings.Repeat("\xff", 32))), ReasonMalformed},
		"line end inside":    {"v1," + sum[:20] + "\n" + sum[20:], ReasonMalformed},
		"line end for pad":   {"v1," + sum[:len(sum)-1] + "\n", ReasonMalformed},
		"truncated digest":   {"v1," + base64.StdEncoding.EncodeToString(raw[:31]), ReasonMalformed},
		"over-long digest":   {"v1," + base64.StdEncoding.EncodeToString(append(raw, 0)), ReasonMalformed},
		"other digest":       {wrong, ReasonMismatch},
		"empty":              {"", ReasonMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := *golden
			r.Header = golden.Header.Clone()
			r.Header["Webhook-Signature"] = []string{c.header}
			err := s.Verify(&r, testNow)
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			requireRefused(t, c.reason, err)
		})
	}
}

func TestStandardVerify_Keys(t *testing.T) {
	t.Parallel()
	r := signedBy(newTestStandard(t, testStdKey), standardBody)
	other := secretKeyPrefix + base64.StdEncoding.EncodeToString([]byte("another key of nobody"))
	require.NoError(t, newTestStandard(t, other, testStdKey).Verify(r, testNow))
	require.NoError(t, newTestStandard(t, testKey).Verify(r, testNow))
	requireRefused(t, ReasonMismatch, newTestStandard(t, other).Verify(r, testNow))

	padded := base64.StdEncoding.EncodeToString([]byte("key"+"!")) + ""
	require.True(t, strings.HasSuffix(padded, "="))
	r = signedBy(newTestStandard(t, padded), standardBody)
	require.NoError(t, newTestStandard(t, strings.TrimRight(padded, "=")).Verify(r, testNow))

	for _, bad := range []string{"whsec_", "whpk_", "whpk_" + testKey, "whsk_" + testKey, "not base64!", "whsec_a-b_", "===="} {
		_, err := newStandard([]string{testStdKey, bad})
		require.ErrorContains(t, err, "secret 2", bad)
		require.NotContains(t, err.Error(), bad)
	}
}

func TestStandardVerify_PublicKey(t *testing.T) {
	t.Parallel()
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", ed25519.SeedSize)))
	public := publicKeyPrefix + base64.StdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	text := "msg_1.1767225600." + standardBody
	sum := "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(text)))
	request := func(signature string) *Request {
		return &Request{Body: []byte(standardBody), Header: http.Header{
			"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {"1767225600"}, "Webhook-Signature": {signature},
		}}
	}
	s := newTestStandard(t, public)
	require.NoError(t, s.Verify(request(sum), testNow))
	require.NoError(t, newTestStandard(t, testStdKey, public).Verify(request("v1,x "+sum), testNow))
	requireRefused(t, ReasonMismatch, newTestStandard(t, testStdKey).Verify(request(sum), testNow))

	// Whoever knows the public key must not be able to sign v1 with it as an HMAC key.
	forged := signedBy(newTestStandard(t, strings.TrimPrefix(public, publicKeyPrefix)), standardBody)
	requireRefused(t, ReasonMismatch, s.Verify(forged, testNow))
	r := &Request{Body: []byte(standardBody)}
	s.Sign(r, testNow)
	require.Empty(t, r.Header, "a public key cannot sign")
}

func TestStandard_HeaderNames(t *testing.T) {
	t.Parallel()
	s := newTestStandard(t, testStdKey)
	signed := signedBy(s, standardBody)
	svix := &Request{Body: signed.Body, Header: http.Header{}}
	for _, name := range []string{"Id", "Timestamp", "Signature"} {
		svix.Header.Set("svix-"+name, signed.Header.Get("webhook-"+name))
	}
	require.NoError(t, s.Verify(svix, testNow))

	// An unsigned id beside the signed one does not count.
	svix.Header.Set("webhook-id", "msg_forged")
	require.NoError(t, s.Verify(svix, testNow))
	e, err := s.Identify(svix)
	require.NoError(t, err)
	require.Equal(t, signed.Header.Get("webhook-id"), e.EventID)

	// The families do not mix: with a webhook-signature, only webhook- names count.
	svix.Header.Set("webhook-signature", signed.Header.Get("webhook-signature"))
	require.Error(t, s.Verify(svix, testNow))
	svix.Header.Set("webhook-timestamp", signed.Header.Get("webhook-timestamp"))
	requireRefused(t, ReasonMismatch, s.Verify(svix, testNow))
}

func TestStandardIdentify(t *testing.T) {
	t.Parallel()
	s := newTestStandard(t, testStdKey)
	r := signedBy(s, standardBody)
	e, err := s.Identify(r)
	require.NoError(t, err)
	require.Equal(t, r.Header.Get("webhook-id"), e.EventID)
	require.Equal(t, "invoice.paid", e.Type)
	require.Equal(t, time.Date(2025, 12, 31, 23, 59, 58, 5e8, time.UTC), e.OccurredAt)
	require.Equal(t, standardBody, string(e.Body))
	require.Nil(t, s.Answer(&e))

	for body, typ := range map[string]string{
		`{}`: unknownType, `{"type":null}`: unknownType, `{"type":"x","timestamp":-7}`: "x", `{"type":"x","timestamp":{}}`: "x",
		`{"type":["x"]}`: unknownType, `{"type":7}`: "7",
	} {
		e, err := s.Identify(signedBy(s, body))
		require.NoError(t, err)
		require.Equal(t, typ, e.Type)
		require.True(t, e.OccurredAt.IsZero())
	}
	_, err = s.Identify(signedBy(s, "{\"type\":\"\xff\"}"))
	requireNoEvent(t, err)
}

func FuzzStandardVerify(f *testing.F) {
	s := newTestStandard(f, testStdKey)
	h := signedBy(s, standardBody).Header
	f.Add(h.Get("webhook-id"), h.Get("webhook-timestamp"), h.Get("webhook-signature"), []byte(standardBody))
	f.Add("msg_1", "1767225600", "v1, v1a, v1", []byte(`{}`))
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		r := &Request{Body: body, Header: http.Header{
			"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature},
		}}
		if s.Verify(r, testNow) != nil {
			return
		}
		signed, ok := signedSeconds(timestamp)
		require.True(t, ok)
		again := &Request{Body: body, Header: http.Header{"Webhook-Id": {id}}}
		s.Sign(again, signed)
		require.Contains(t, strings.Split(signature, " "), again.Header.Get("webhook-signature"))
	})
}

func BenchmarkStandard(b *testing.B) {
	benchmarkRead(b, newTestStandard(b, testStdKey), `{"pad":"`+strings.Repeat("x", 2000)+`",`+standardBody[1:])
}
