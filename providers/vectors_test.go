package providers

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// signedVector is an entry of testdata/vectors: a signed request and the verdict that Verify must reach under the
// entry's own scheme. Secrets are base64-coded so that secret scanners stay quiet.
type signedVector struct {
	ID        string            `json:"id"`
	Provider  string            `json:"provider"`
	Scheme    string            `json:"scheme"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      string            `json:"body"`
	Now       int64             `json:"now"`
	Timestamp string            `json:"timestamp"`
	Expect    string            `json:"expect"`
	Secret    json.RawMessage   `json:"secret_b64"`
	PublicKey string            `json:"public_key"`
	Config    *struct {
		Algorithm       string `json:"algorithm"`
		SignatureHeader string `json:"signatureHeader"`
		TimestampHeader string `json:"timestampHeader"`
		MessageIDHeader string `json:"messageIdHeader"`
		SignaturePrefix string `json:"signaturePrefix"`
		PayloadFormat   string `json:"payloadFormat"`
		Encoding        string `json:"signatureEncoding"`
		SecretIsBase64  bool   `json:"secretIsBase64"`
	} `json:"config"`
}

func readVectors(t testing.TB, name string) []signedVector {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors/" + name + ".json")
	require.NoError(t, err)
	var vectors []signedVector
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.NotEmpty(t, vectors)
	return vectors
}

// secrets decodes one secret or a list of them; a public key stands for the secret where there is one.
func (v *signedVector) secrets(t testing.TB) []string {
	t.Helper()
	if v.PublicKey != "" {
		return []string{v.PublicKey}
	}
	var coded []string
	if json.Unmarshal(v.Secret, &coded) != nil {
		coded = []string{""}
		require.NoError(t, json.Unmarshal(v.Secret, &coded[0]))
	}
	secrets := make([]string, len(coded))
	for i, c := range coded {
		text, err := base64.StdEncoding.DecodeString(c)
		require.NoError(t, err)
		secrets[i] = string(text)
	}
	return secrets
}

func (v *signedVector) request() *Request {
	r := &Request{Method: v.Method, URL: v.URL, Header: http.Header{}, Body: []byte(v.Body)}
	for name, value := range v.Headers {
		r.Header.Set(name, value)
	}
	return r
}

func (v *signedVector) clock(t testing.TB) time.Time {
	t.Helper()
	if v.Now == 0 && v.Timestamp != "" {
		seconds, err := strconv.ParseInt(v.Timestamp, 10, 64)
		require.NoError(t, err)
		return time.Unix(seconds, 0)
	}
	return time.Unix(v.Now, 0)
}

// verify reaches the verdict of the vector's scheme. A constructor that refuses the secret refuses the request.
func (v *signedVector) verify(t testing.TB) error {
	t.Helper()
	var verifier interface {
		Verify(r *Request, now time.Time) error
	}
	var err error
	switch secrets := v.secrets(t); v.Scheme {
	case "stripe":
		verifier, err = NewStripe(secrets)
	case "standard":
		verifier, err = newStandard(secrets)
	case "vapi-secret":
		verifier, err = NewVapi(VapiConfig{Secrets: secrets, Schemes: []string{"secret"}})
	case "vapi-hmac":
		verifier, err = NewVerifier(v.hmacScheme(), secrets)
	case "primitive-hmac-sha256-hex":
		verifier, err = NewVerifier(Signature{Headers: []string{"X-Digest"}, AllowEmptyBody: true}, secrets)
	default:
		t.Fatalf("%s: no verifier for the scheme %s", v.ID, v.Scheme)
	}
	if err != nil {
		return err
	}
	r := v.request()
	if digest, ok := v.Headers["(digest)"]; ok {
		r.Header.Set("X-Digest", digest)
	}
	return verifier.Verify(r, v.clock(t))
}

func (v *signedVector) hmacScheme() Signature {
	s := Signature{
		Algorithm: v.Config.Algorithm,
		AllowWeak: true,
		Headers:   []string{v.Config.SignatureHeader},
		Timestamp: Timestamp{Header: v.Config.TimestampHeader},
		IDHeader:  v.Config.MessageIDHeader,
		Prefix:    v.Config.SignaturePrefix,
		Template:  v.Config.PayloadFormat,
		Encoding:  v.Config.Encoding,
	}
	if v.Config.SecretIsBase64 {
		s.SecretEncoding = "base64"
	}
	return s
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"stripe", "standard", "vapi"} {
		vectors := readVectors(t, name)
		require.True(t, slices.ContainsFunc(vectors, func(v signedVector) bool { return v.Expect == "valid" }))
		require.True(t, slices.ContainsFunc(vectors, func(v signedVector) bool { return v.Expect == "invalid" }))
		for _, v := range vectors {
			t.Run(v.ID, func(t *testing.T) {
				t.Parallel()
				err := v.verify(t)
				if v.Expect == "valid" {
					require.NoError(t, err)
				} else {
					require.Error(t, err)
				}
			})
		}
	}
}

// requireRefused asserts a signature failure of the given reason.
func requireRefused(t testing.TB, reason string, err error) {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, CodeSignature, e.Code)
	require.Equal(t, reason, e.Reason)
}

// requireNoEvent asserts that a genuine request was refused as holding no event.
func requireNoEvent(t testing.TB, err error) {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, CodeNoEvent, e.Code)
	require.NotEmpty(t, e.Reason)
}

// testNow is the clock of the tests, testSecret… secrets of nobody.
var testNow = time.Unix(1767225600, 0).UTC()

const (
	testSecret   = "a secret of nobody, 1"
	testSecret2  = "a secret of nobody, 2"
	testKey      = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
	testStdKey   = secretKeyPrefix + testKey
	testVapiBody = `{"message":{"type":"status-update","timestamp":1767225600000,"status":"ended","call":{"id":"call-1","orgId":"org-1"}}}`
)

// signedBy returns a POST of body, signed by s at testNow.
func signedBy(s Signer, body string) *Request {
	r := &Request{Method: http.MethodPost, URL: "https://hooks.example.com/webhooks/x", Header: http.Header{}, Body: []byte(body)}
	s.Sign(r, testNow)
	return r
}

// readOne is Read for a request that holds one event.
func readOne(s Source, r *Request, now time.Time) (event.Event, error) {
	d, err := s.Read(r, now)
	if err != nil {
		return event.Event{}, err
	}
	return d.Events[0], nil
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

// testSigners are one of each provider here and of each Vapi scheme, and whether the scheme covers the body.
func testSigners(t testing.TB) map[string]Signer {
	t.Helper()
	vapi := must[*Vapi](t)
	return map[string]Signer{
		"stripe":        must[*Stripe](t)(NewStripe([]string{testSecret})),
		"standard":      must[*Declared](t)(newStandard([]string{testStdKey})),
		"vapi hmac":     vapi(NewVapi(VapiConfig{Secrets: []string{testSecret}})),
		"vapi standard": vapi(NewVapi(VapiConfig{Secrets: []string{testStdKey}, Schemes: []string{"standard"}})),
		"vapi secret":   vapi(NewVapi(VapiConfig{Secrets: []string{testSecret}, Schemes: []string{"secret"}})),
		"vapi bearer":   vapi(NewVapi(VapiConfig{Secrets: []string{testSecret}, Schemes: []string{"bearer"}})),
	}
}

// proofHeaders are the headers that prove who sent a request.
var proofHeaders = []string{"Stripe-Signature", "Webhook-Signature", "Webhook-Timestamp", "Webhook-Id", "X-Signature",
	"X-Timestamp", "X-Vapi-Secret", "Authorization"}

func TestSigned_Accepted(t *testing.T) {
	t.Parallel()
	for name, s := range testSigners(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := signedBy(s, testVapiBody)
			require.NoError(t, s.Verify(r, testNow))
			r = &Request{Body: []byte(`{}`)} // no header map yet
			s.Sign(r, testNow)
			require.NoError(t, s.Verify(r, testNow))
		})
	}
}

func TestSigned_EverySingleByteCounts(t *testing.T) {
	t.Parallel()
	for name, s := range testSigners(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden := signedBy(s, testVapiBody)
			if name != "vapi secret" && name != "vapi bearer" { // they do not cover the body
				for i := range golden.Body {
					for _, bit := range []byte{0x01, 0x20, 0x80} {
						r := *golden
						r.Body = slices.Clone(golden.Body)
						r.Body[i] ^= bit
						require.Error(t, s.Verify(&r, testNow), "body byte %d ^ %x", i, bit)
					}
				}
				for _, body := range []string{"", testVapiBody[1:], testVapiBody[:len(testVapiBody)-1], testVapiBody + "\n", " " + testVapiBody} {
					r := *golden
					r.Body = []byte(body)
					require.Error(t, s.Verify(&r, testNow))
				}
			}
			mutateHeaders(t, s, golden)
		})
	}
}

// mutateHeaders changes, drops, doubles, empties, lengthens each header that proves something.
func mutateHeaders(t *testing.T, s Signer, golden *Request) {
	t.Helper()
	for _, name := range proofHeaders {
		value := golden.Header.Get(name)
		if value == "" {
			continue
		}
		with := func(values ...string) error {
			r := *golden
			r.Header = golden.Header.Clone()
			r.Header[name] = values
			return s.Verify(&r, testNow)
		}
		for i := range len(value) {
			for _, bit := range []byte{0x01, 0x02, 0x80} {
				changed := []byte(value)
				changed[i] ^= bit
				require.Error(t, with(string(changed)), "%s byte %d ^ %x", name, i, bit)
			}
			require.Error(t, with(value[:i]+value[i+1:]), "%s without byte %d", name, i)
		}
		require.Error(t, with())
		require.Error(t, with(""))
		requireRefused(t, ReasonRepeated, with(value, value))
		requireRefused(t, ReasonRepeated, with(value, "other"))
		require.Error(t, with(value+"0"))
		require.Error(t, with("0"+value))
		require.Error(t, with(value+"\n"))
		if name != "Stripe-Signature" && name != "Webhook-Signature" { // those hold lists
			require.Error(t, with(value+", "+value))
		}
		long := make([]byte, maxSignatureHeader+1)
		for i := range long {
			long[i] = '0'
		}
		require.Error(t, with(string(long)))
	}
}

func TestSigned_WindowOnBothSides(t *testing.T) {
	t.Parallel()
	for name, s := range testSigners(t) {
		if name == "vapi secret" || name == "vapi bearer" { // no signed time
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := signedBy(s, testVapiBody)
			require.NoError(t, s.Verify(r, testNow.Add(Tolerance)))
			require.NoError(t, s.Verify(r, testNow.Add(Tolerance+time.Second-1)), "as old as allowed, in whole seconds")
			require.NoError(t, s.Verify(r, testNow.Add(-Tolerance)))
			requireRefused(t, ReasonStale, s.Verify(r, testNow.Add(Tolerance+time.Second)))
			requireRefused(t, ReasonFuture, s.Verify(r, testNow.Add(-Tolerance-time.Nanosecond)))
			requireRefused(t, ReasonStale, s.Verify(r, testNow.AddDate(300, 0, 0)))
		})
	}
}

func TestSigned_SignedTimes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "abc", "-1767225600", "+1767225600", " 1767225600", "1767225600 ", "01767225600",
		"1767225600.0", "1.7672256e9", "0x69559980", "99999999999999999999", "１７６７２２５６００"} {
		_, ok := signedSeconds(text)
		require.False(t, ok, "%q", text)
		_, ok = signedSecondsOrMillis(text)
		require.False(t, ok, "%q", text)
	}
	for text, want := range map[string]time.Time{
		"1767225600":    time.Unix(1767225600, 0),
		"1767225600123": time.UnixMilli(1767225600123),
		"100000000000":  time.Unix(100000000000, 0),
		"100000000001":  time.UnixMilli(100000000001),
	} {
		got, ok := signedSecondsOrMillis(text)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
}

func TestConstructors_RefuseSecrets(t *testing.T) {
	t.Parallel()
	build := map[string]func(secrets []string) error{
		"stripe":   func(s []string) error { _, err := NewStripe(s); return err },
		"standard": func(s []string) error { _, err := newStandard(s); return err },
		"hmac":     func(s []string) error { _, err := NewVerifier(vapiHMAC, s); return err },
	}
	for _, scheme := range []string{"hmac", "standard", "secret", "bearer"} {
		build["vapi "+scheme] = func(s []string) error {
			_, err := NewVapi(VapiConfig{Secrets: s, Schemes: []string{scheme}})
			return err
		}
	}
	for name, new := range build {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, empty := range [][]string{nil, {}, {""}, {"\n"}, {"  "}, {testStdKey, ""}} {
				require.True(t, errors.Is(new(empty), errNoSecret), "%q", empty)
			}
			require.ErrorContains(t, new([]string{testStdKey + " "}), "white space")
			require.ErrorContains(t, new([]string{"\t" + testStdKey}), "white space")
			require.ErrorContains(t, new(slices.Repeat([]string{testStdKey}, MaxSecrets+1)), "at most 5")
			require.NoError(t, new(slices.Repeat([]string{testStdKey}, MaxSecrets)))
			require.NoError(t, new([]string{testStdKey + "\r\n"}))
		})
	}
}
