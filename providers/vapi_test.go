package providers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func newTestVapi(t testing.TB, schemes ...string) *Vapi {
	t.Helper()
	return must[*Vapi](t)(NewVapi(VapiConfig{Secrets: []string{testStdKey}, Schemes: schemes}))
}

func TestNewVapi_Schemes(t *testing.T) {
	t.Parallel()
	for _, unknown := range []string{"", "HMAC", "none", "x-vapi-signature", "hmac "} {
		_, err := NewVapi(VapiConfig{Secrets: []string{testSecret}, Schemes: []string{"hmac", unknown}})
		require.ErrorContains(t, err, "write hmac, standard, secret or bearer", "%q", unknown)
	}
	_, err := NewVapi(VapiConfig{Secrets: []string{testSecret}, Schemes: []string{"standard"}})
	require.ErrorContains(t, err, "not base64")
	_, err = NewVapi(VapiConfig{Secrets: []string{testSecret}, Schemes: []string{"hmac", "standard"}})
	require.ErrorContains(t, err, "not base64")
	_, err = NewVapi(VapiConfig{Secrets: []string{testStdKey, testSecret}, Schemes: []string{"standard"}})
	require.ErrorContains(t, err, "secret 2")
	_, err = NewVapi(VapiConfig{Secrets: []string{testSecret, testStdKey}, Schemes: []string{"hmac", "standard"}})
	require.NoError(t, err)
}

// A public key is known to everybody, so as an HMAC key or a token it would let everybody in.
func TestNewVapi_PublicKeyIsNoSecret(t *testing.T) {
	t.Parallel()
	const public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
	for _, scheme := range []string{"hmac", "secret", "bearer"} {
		_, err := NewVapi(VapiConfig{Secrets: []string{public}, Schemes: []string{scheme}})
		require.ErrorContains(t, err, "public key")
	}
	v := must[*Vapi](t)(NewVapi(VapiConfig{Secrets: []string{public, testSecret},
		Schemes: []string{"standard", "hmac", "secret", "bearer"}}))
	signer := must[*Verifier](t)(NewVerifier(vapiHMAC, []string{public}))
	r := &Request{Body: []byte(testVapiBody), Header: http.Header{}}
	signer.Sign(r, testNow)
	r.Header.Set("X-Vapi-Secret", public)
	r.Header.Set("Authorization", "Bearer "+public)
	requireRefused(t, ReasonMismatch, v.Verify(r, testNow))
}

// The sender never chooses: proof under a scheme that is not configured does not count.
func TestVapiVerify_OnlyConfiguredSchemes(t *testing.T) {
	t.Parallel()
	all := []string{"hmac", "standard", "secret", "bearer"}
	for _, sent := range all {
		r := signedBy(newTestVapi(t, sent), testVapiBody)
		for _, configured := range all {
			err := newTestVapi(t, configured).Verify(r, testNow)
			if sent == configured {
				require.NoError(t, err)
			} else {
				requireRefused(t, ReasonMissing, err)
			}
		}
		require.NoError(t, newTestVapi(t, all...).Verify(r, testNow))
	}
	requireRefused(t, ReasonMissing, newTestVapi(t, all...).Verify(&Request{Body: []byte(testVapiBody)}, testNow))
	require.NoError(t, newTestVapi(t).Verify(signedBy(newTestVapi(t, "hmac"), testVapiBody), testNow), "hmac is the default")
}

func TestVapiVerify_OneProofIsEnough(t *testing.T) {
	t.Parallel()
	v := newTestVapi(t, "hmac", "bearer")
	r := signedBy(v, testVapiBody)
	r.Header.Set("Authorization", "Basic x")
	require.NoError(t, v.Verify(r, testNow))
	r.Header.Set("X-Signature", strings.Repeat("0", 64))
	requireRefused(t, ReasonMismatch, v.Verify(r, testNow))
	r.Header.Set("Authorization", "Bearer "+testStdKey)
	require.NoError(t, v.Verify(r, testNow))
}

func TestVapiVerify_Tokens(t *testing.T) {
	t.Parallel()
	v := must[*Vapi](t)(NewVapi(VapiConfig{Secrets: []string{testSecret2, testSecret}, Schemes: []string{"bearer", "secret"}}))
	for name, c := range map[string]struct{ header, value, reason string }{
		"bearer":                {"Authorization", "Bearer " + testSecret, ""},
		"bearer, first secret":  {"Authorization", "Bearer " + testSecret2, ""},
		"lower-case bearer":     {"Authorization", "bearer " + testSecret, ReasonMalformed},
		"two spaces":            {"Authorization", "Bearer  " + testSecret, ReasonMismatch},
		"no token":              {"Authorization", "Bearer ", ReasonMalformed},
		"no scheme":             {"Authorization", testSecret, ReasonMalformed},
		"part of the token":     {"Authorization", "Bearer " + testSecret[:5], ReasonMismatch},
		"more than the token":   {"Authorization", "Bearer " + testSecret + "x", ReasonMismatch},
		"secret":                {"X-Vapi-Secret", testSecret, ""},
		"empty secret":          {"X-Vapi-Secret", "", ReasonMissing},
		"part of the secret":    {"X-Vapi-Secret", testSecret[:5], ReasonMismatch},
		"secret in other case":  {"X-Vapi-Secret", strings.ToUpper(testSecret), ReasonMismatch},
		"bearer for the secret": {"X-Vapi-Secret", "Bearer " + testSecret, ReasonMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := v.Verify(&Request{Header: http.Header{c.header: {c.value}}}, testNow)
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			requireRefused(t, c.reason, err)
		})
	}
}

// The id is the composite under every scheme, whatever webhook-id says.
func TestVapiIdentify_SameIDUnderEveryScheme(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"hmac", "standard", "secret", "bearer"} {
		v := newTestVapi(t, scheme)
		e, err := readOne(Source{Name: "vapi", Provider: v}, signedBy(v, testVapiBody), testNow)
		require.NoError(t, err)
		require.Equal(t, "call-1:status-update:ended", e.EventID)
		require.Equal(t, "vapi", e.Scheme)
	}
}

func FuzzVapiVerify(f *testing.F) {
	v := newTestVapi(f, "hmac", "bearer", "secret")
	h := signedBy(v, testVapiBody).Header
	f.Add(h.Get("X-Signature"), h.Get("X-Timestamp"), "", "", []byte(testVapiBody))
	f.Add("00", "1767225600000", "Bearer "+testStdKey, testStdKey, []byte(`{}`))
	f.Fuzz(func(t *testing.T, signature, timestamp, authorization, secret string, body []byte) {
		r := &Request{Body: body, Header: http.Header{
			"X-Signature": {signature}, "X-Timestamp": {timestamp}, "Authorization": {authorization}, "X-Vapi-Secret": {secret},
		}}
		if v.Verify(r, testNow) != nil || authorization == "Bearer "+testStdKey || secret == testStdKey {
			return
		}
		scheme := v.schemes[0].(*Verifier)
		_, ok := signedSecondsOrMillis(timestamp)
		require.True(t, ok)
		require.Equal(t, scheme.sum(scheme.keys[0], signedText{r: r, timestamp: timestamp}), hexBytes(t, signature))
	})
}

func BenchmarkVapi(b *testing.B) {
	v := newTestVapi(b)
	body := strings.Replace(testVapiBody, `"status":"ended"`,
		`"status":"ended","artifact":{"transcript":"`+strings.Repeat("hello ", 300)+`"},"phoneNumber":{"twilioAuthToken":"t"}`, 1)
	benchmarkRead(b, v, body)
}

// A report of 8 MiB is what the masking and the checks must stand.
func BenchmarkVapi_Report(b *testing.B) {
	v := newTestVapi(b)
	item := `{"role":"bot","message":"` + strings.Repeat("hello ", 30) + `","time":1767225600000.5,"secondsFromStart":1.25},`
	messages := strings.TrimSuffix(strings.Repeat(item, (8<<20)/len(item)), ",")
	benchmarkRead(b, v, `{"message":{"type":"end-of-call-report","artifact":{"messages":[`+messages+`]},"call":{"id":"c","token":"t"}}}`)
}
