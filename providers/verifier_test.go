package providers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNewVerifier_Refuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(s *Signature)
		want   string
	}{
		"no signature header":    {func(s *Signature) { s.Headers = nil }, "names no signature header"},
		"unknown algorithm":      {func(s *Signature) { s.Algorithm = "md5" }, "write sha256 or sha512"},
		"sha1":                   {func(s *Signature) { s.Algorithm = "sha1" }, "weak"},
		"unknown encoding":       {func(s *Signature) { s.Encoding = "base64url" }, "write hex or base64"},
		"unknown secret coding":  {func(s *Signature) { s.SecretEncoding = "base32" }, "write raw, base64 or hex"},
		"secret not hex":         {func(s *Signature) { s.SecretEncoding = "hex" }, "secret 1 is not hexadecimal"},
		"secret not base64":      {func(s *Signature) { s.SecretEncoding = "base64" }, "secret 1 is not base64"},
		"negative tolerance":     {func(s *Signature) { s.Timestamp.Tolerance = -1 }, "negative"},
		"body not signed":        {func(s *Signature) { s.Template = "{timestamp}" }, "does not sign {body}"},
		"unknown placeholder":    {func(s *Signature) { s.Template = "{timestamp}.{body}{host}" }, "{host}"},
		"open brace":             {func(s *Signature) { s.Template = "{timestamp}{body" }, "without a }"},
		"closing brace":          {func(s *Signature) { s.Template = "{timestamp}{body}}" }, "without a {"},
		"unsigned timestamp":     {func(s *Signature) { s.Template = "{body}" }, "exactly when"},
		"timestamp, no header":   {func(s *Signature) { s.Timestamp.Header = "" }, "exactly when"},
		"id signed, no header":   {func(s *Signature) { s.Template = "{id}.{timestamp}.{body}" }, "no id header"},
		"id in Vapi's words too": {func(s *Signature) { s.Template = "{svix-id}.{timestamp}.{body}" }, "no id header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := vapiHMAC
			c.change(&s)
			_, err := NewVerifier(s, []string{testSecret})
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), testSecret)
		})
	}
}

func TestVerifier_EveryAxis(t *testing.T) {
	t.Parallel()
	base := Signature{Headers: []string{"X-Sum"}}
	for name, change := range map[string]func(s *Signature){
		"defaults":       func(*Signature) {},
		"sha512":         func(s *Signature) { s.Algorithm = "sha512" },
		"sha1":           func(s *Signature) { s.Algorithm, s.AllowWeak = "sha1", true },
		"prefix":         func(s *Signature) { s.Prefix = "sha256=" },
		"base64":         func(s *Signature) { s.Encoding = "base64" },
		"base64 secret":  func(s *Signature) { s.SecretEncoding = "base64" },
		"literals":       func(s *Signature) { s.Template = "v0:{body}:end" },
		"method and url": func(s *Signature) { s.Template = "{method}{url}{body}" },
		"timestamp":      func(s *Signature) { s.Template, s.Timestamp.Header = "{timestamp}.{body}", "X-Time" },
		"id":             func(s *Signature) { s.Template, s.IDHeader = "{svix-id}.{body}", "X-Id" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scheme := base
			change(&scheme)
			v := must[*Verifier](t)(NewVerifier(scheme, []string{testKey}))
			r := &Request{Method: "POST", URL: "https://hooks.example.com/x?a=b", Body: []byte(`{}`)}
			v.Sign(r, testNow)
			require.NoError(t, v.Verify(r, testNow))

			sum := r.Header.Get("X-Sum")
			for i := range len(sum) {
				changed := []byte(sum)
				changed[i] ^= 0x01
				r.Header.Set("X-Sum", string(changed))
				require.Error(t, v.Verify(r, testNow))
			}
			r.Header.Set("X-Sum", sum)
			r.Body = []byte(`{ }`)
			requireRefused(t, ReasonMismatch, v.Verify(r, testNow))
		})
	}
}

func TestVerifier_SignsWhatTheTemplateNames(t *testing.T) {
	t.Parallel()
	v := must[*Verifier](t)(NewVerifier(Signature{
		Headers: []string{"X-Sum"}, Template: "{method}{url}{id}{body}", IDHeader: "X-Id",
	}, []string{testSecret}))
	r := Request{Method: "POST", URL: "https://a.example/x", Body: []byte(`{}`), Header: http.Header{"X-Id": {"d-1"}}}
	v.Sign(&r, testNow)
	require.Equal(t, "d-1", r.Header.Get("X-Id"))
	require.NoError(t, v.Verify(&r, testNow))
	for name, change := range map[string]func(r *Request){
		"method": func(r *Request) { r.Method = "PUT" },
		"url":    func(r *Request) { r.URL += "/" },
		"id":     func(r *Request) { r.Header.Set("X-Id", "d-2") },
		"no id":  func(r *Request) { r.Header.Del("X-Id") },
	} {
		changed := r
		changed.Header = r.Header.Clone()
		change(&changed)
		require.Error(t, v.Verify(&changed, testNow), name)
	}
}

func TestVerifier_ToleranceOfItsOwn(t *testing.T) {
	t.Parallel()
	scheme := vapiHMAC
	scheme.Timestamp.Tolerance = time.Minute
	v := must[*Verifier](t)(NewVerifier(scheme, []string{testSecret}))
	r := &Request{Body: []byte(`{}`)}
	v.Sign(r, testNow)
	require.NoError(t, v.Verify(r, testNow.Add(time.Minute)))
	requireRefused(t, ReasonStale, v.Verify(r, testNow.Add(time.Minute+time.Second)))
	requireRefused(t, ReasonFuture, v.Verify(r, testNow.Add(-time.Minute-1)))
}

func TestVerifier_DigestForms(t *testing.T) {
	t.Parallel()
	s := must[*Vapi](t)(NewVapi(VapiConfig{Secrets: []string{testSecret2, testSecret}}))
	golden := signedBy(s, testVapiBody)
	sum := golden.Header.Get("X-Signature")
	for name, c := range map[string]struct{ header, reason string }{
		"golden":          {sum, ""},
		"upper-case hex":  {strings.ToUpper(sum), ""},
		"prefix unasked":  {"sha256=" + sum, ReasonMalformed},
		"truncated":       {sum[:62], ReasonMalformed},
		"over-long":       {sum + "00", ReasonMalformed},
		"not hex":         {strings.Repeat("z", 64), ReasonMalformed},
		"base64 for hex":  {"eetaJ6uYjmqg3JKhpVoh/nVaS/8ScOhKIUUXk2a2JeQ=", ReasonMalformed},
		"a SHA-1 digest":  {sum[:40], ReasonMalformed},
		"all zero":        {strings.Repeat("0", 64), ReasonMismatch},
		"two in a list":   {sum + "," + sum, ReasonMalformed},
		"trailing spaces": {sum + "  ", ReasonMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := *golden
			r.Header = golden.Header.Clone()
			r.Header["X-Signature"] = []string{c.header}
			err := s.Verify(&r, testNow)
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			requireRefused(t, c.reason, err)
		})
	}
}
