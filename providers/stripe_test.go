package providers

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stripeBody is shaped as Stripe's documented event object.
const stripeBody = `{"id":"evt_1","object":"event","account":"acct_1","api_version":"2024-06-20","created":1767225598,` +
	`"data":{"object":{"id":"cs_test_1","amount_total":9007199254740993}},"livemode":true,"type":"checkout.session.completed"}`

func newTestStripe(t testing.TB, secrets ...string) *Stripe {
	t.Helper()
	return must[*Stripe](t)(NewStripe(secrets))
}

func TestStripeVerify_Header(t *testing.T) {
	t.Parallel()
	s := newTestStripe(t, testSecret)
	signed := signedBy(s, stripeBody).Header.Get(stripeHeader)
	at, sum, _ := strings.Cut(signed, ",v1=")
	wrong := strings.Repeat("0", 64)
	for name, c := range map[string]struct{ header, reason string }{
		"golden":                 {signed, ""},
		"upper-case hex":         {at + ",v1=" + strings.ToUpper(sum), ""},
		"old signature first":    {at + ",v1=" + wrong + ",v1=" + sum, ""},
		"signature first":        {"v1=" + sum + "," + at, ""},
		"v0 beside it":           {signed + ",v0=" + wrong, ""},
		"bad hex beside it":      {at + ",v1=zz,v1=" + sum, ""},
		"twenty signatures":      {at + strings.Repeat(",v1="+wrong, 19) + ",v1=" + sum, ""},
		"twenty-one":             {at + strings.Repeat(",v1="+wrong, 20) + ",v1=" + sum, ReasonMalformed},
		"twenty-one of any name": {at + strings.Repeat(",v9=0", 20) + ",v1=" + sum, ReasonMalformed},
		"only v0":                {at + ",v0=" + sum, ReasonMissing},
		"only t":                 {at, ReasonMissing},
		"no t":                   {"v1=" + sum, ReasonMalformed},
		"t twice":                {at + "," + signed, ReasonMalformed},
		"t empty":                {"t=,v1=" + sum, ReasonMalformed},
		"t negative":             {"t=-1,v1=" + sum, ReasonMalformed},
		"t with a plus":          {"t=+1767225600,v1=" + sum, ReasonMalformed},
		"trailing comma":         {signed + ",", ReasonMalformed},
		"leading comma":          {"," + signed, ReasonMalformed},
		"piece without =":        {signed + ",v2", ReasonMalformed},
		"piece with two =":       {signed + ",v2=a=", ReasonMalformed},
		"space after comma":      {at + ", v1=" + sum, ReasonMissing},
		"truncated":              {signed[:len(signed)-2], ReasonMismatch},
		"over-long":              {signed + "00", ReasonMismatch},
		"empty signature":        {at + ",v1=", ReasonMismatch},
		"base64 for hex":         {at + ",v1=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", ReasonMismatch},
		"nothing":                {"", ReasonMissing},
		"over 8 KiB":             {signed + ",v0=" + strings.Repeat("0", maxSignatureHeader), ReasonMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Request{Header: map[string][]string{stripeHeader: {c.header}}, Body: []byte(stripeBody)}
			err := s.Verify(r, testNow)
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			requireRefused(t, c.reason, err)
		})
	}
}

func TestStripeVerify_Secrets(t *testing.T) {
	t.Parallel()
	r := signedBy(newTestStripe(t, testSecret), stripeBody)
	require.NoError(t, newTestStripe(t, testSecret2, testSecret).Verify(r, testNow))
	require.NoError(t, newTestStripe(t, "a", "b", "c", "d", testSecret).Verify(r, testNow))
	requireRefused(t, ReasonMismatch, newTestStripe(t, testSecret2).Verify(r, testNow))
	// whsec_ is part of Stripe's key, unlike that of Standard Webhooks.
	requireRefused(t, ReasonMismatch, newTestStripe(t, secretKeyPrefix+testSecret).Verify(r, testNow))
}

func TestStripeIdentify(t *testing.T) {
	t.Parallel()
	s := newTestStripe(t, testSecret)
	e, err := s.Identify(&Request{Body: []byte(stripeBody)})
	require.NoError(t, err)
	require.Equal(t, "evt_1", e.EventID)
	require.Equal(t, "checkout.session.completed", e.Type)
	require.Equal(t, "acct_1", e.Account)
	require.True(t, *e.Livemode)
	require.Equal(t, time.Unix(1767225598, 0).UTC(), e.OccurredAt)
	require.Equal(t, stripeBody, string(e.Body))
	require.False(t, e.BodyMasked)
	require.Nil(t, s.Answer(&e))
}

func TestStripeIdentify_Shapes(t *testing.T) {
	t.Parallel()
	s := newTestStripe(t, testSecret)
	thin := `{"id":"evt_2","object":"v2.core.event","type":"v1.billing.meter.error_report_triggered","livemode":false,` +
		`"created":"2026-01-01T00:00:00.123Z","context":"acct_9"}`
	e, err := s.Identify(&Request{Body: []byte(thin)})
	require.NoError(t, err)
	require.Equal(t, "acct_9", e.Account)
	require.False(t, *e.Livemode)
	require.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 123e6, time.UTC), e.OccurredAt)

	for name, body := range map[string]string{
		"newer version, no data":     `{"id":"e","type":"t","api_version":"2025-09-30.clover"}`,
		"null version and account":   `{"id":"e","type":"t","api_version":null,"account":null,"context":null}`,
		"unknown context object":     `{"id":"e","type":"t","context":{"a":1}}`,
		"created past year 9999":     `{"id":"e","type":"t","created":253402300800}`,
		"created overflows":          `{"id":"e","type":"t","created":9223372036854775808}`,
		"created negative":           `{"id":"e","type":"t","created":-1}`,
		"created no number":          `{"id":"e","type":"t","created":"soon"}`,
		"livemode no boolean":        `{"id":"e","type":"t","livemode":"true"}`,
		"case of names matters":      `{"ID":"x","id":"e","Id":"y","type":"t","TYPE":"z"}`,
		"last of repeated names":     `{"id":"x","id":"e","type":"t"}`,
		"escaped names and values":   `{"\u0069d":"\u0065","type":"\u0074"}`,
		"white space and line feeds": " {\r\n\t\"id\" : \"e\" , \"type\" : \"t\" }\n",
	} {
		e, err := s.Identify(&Request{Body: []byte(body)})
		require.NoError(t, err, name)
		require.Equal(t, "e", e.EventID, name)
		require.Equal(t, "t", e.Type, name)
		require.True(t, e.OccurredAt.IsZero(), name)
		require.Nil(t, e.Livemode, name)
		require.Empty(t, e.Account, name)
	}
}

// noObjects are bodies in which no provider can find an event.
var noObjects = map[string]string{
	"empty":            ``,
	"white space":      " \n",
	"array":            `[{"id":"e","type":"t"}]`,
	"string":           `"e"`,
	"number":           `1`,
	"null":             `null`,
	"two objects":      `{"id":"e","type":"t"}{}`,
	"cut off":          `{"id":"e","type":"t"`,
	"trailing comma":   `{"id":"e","type":"t",}`,
	"single quotes":    `{'id':'e'}`,
	"byte order mark":  "\ufeff" + `{"id":"e","type":"t"}`,
	"form":             `id=e&type=t`,
	"nested too deep":  `{"id":"e","type":"t","x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`,
	"nested for ever":  strings.Repeat(`{"a":`, 1<<16),
	"control in text":  "{\"id\":\"e\x01\",\"type\":\"t\"}",
	"NUL behind":       `{"id":"e","type":"t"}` + "\x00",
	"not quite a word": `{"id":"e","type":"t","x":nul}`,
}

func TestIdentify_NoObject(t *testing.T) {
	t.Parallel()
	for name, s := range testSigners(t) {
		for what, body := range noObjects {
			_, err := readOne(Source{Name: "x", Provider: s}, signedBy(s, body), testNow)
			requireNoEvent(t, err)
			require.NotContains(t, err.Error(), "evt", "%s %s", name, what)
		}
	}
}

func TestStripeIdentify_NoEvent(t *testing.T) {
	t.Parallel()
	s := newTestStripe(t, testSecret)
	for name, body := range map[string]string{
		"no id":                 `{"type":"t"}`,
		"empty id":              `{"id":"","type":"t"}`,
		"null id":               `{"id":null,"type":"t"}`,
		"number for an id":      `{"id":7,"type":"t"}`,
		"no type":               `{"id":"e"}`,
		"object for a type":     `{"id":"e","type":{}}`,
		"account not a string":  `{"id":"e","type":"t","account":{"id":"a"}}`,
		"id not UTF-8":          "{\"id\":\"e\xff\",\"type\":\"t\"}",
		"id half a pair":        `{"id":"e\ud800","type":"t"}`,
		"id with NUL":           `{"id":"e\u0000","type":"t"}`,
		"id with a line feed":   `{"id":"e\n","type":"t"}`,
		"id of 1,025 bytes":     `{"id":"` + strings.Repeat("e", 1025) + `","type":"t"}`,
		"context not UTF-8":     "{\"id\":\"e\",\"type\":\"t\",\"context\":\"\xff\"}",
		"type with a backspace": `{"id":"e","type":"t\b"}`,
	} {
		_, err := readOne(Source{Name: "stripe", Provider: s}, signedBy(s, body), testNow)
		require.Error(t, err, name)
		requireNoEvent(t, err)
	}
}

func FuzzStripeVerify(f *testing.F) {
	s := newTestStripe(f, testSecret, testSecret2)
	f.Add(signedBy(s, stripeBody).Header.Get(stripeHeader), []byte(stripeBody))
	f.Add("t=1767225600,v1=00,v0=", []byte(`{}`))
	f.Add("t=,v1==,", []byte(nil))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		r := &Request{Header: map[string][]string{stripeHeader: {header}}, Body: body}
		if s.Verify(r, testNow) != nil {
			return
		}
		// Accepted: signing the same body at the same time under one of the secrets gives one of its signatures.
		signed, err := stripeTime(header)
		require.NoError(t, err)
		found := false
		for _, secret := range s.secrets {
			again := &Request{Body: body}
			(&Stripe{secrets: []string{secret}}).Sign(again, signed)
			_, sum, _ := strings.Cut(again.Header.Get(stripeHeader), ",")
			found = found || strings.Contains(strings.ToLower(header), sum)
		}
		require.True(t, found)
	})
}

func FuzzStripeIdentify(f *testing.F) {
	s := newTestStripe(f, testSecret)
	f.Add([]byte(stripeBody))
	f.Add([]byte(`{"id":"\ud83d\ude00","type":"t","created":"2026-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, body []byte) { fuzzIdentify(t, s, body) })
}

// fuzzIdentify asserts that reading never panics and gives the same event again, or an *Error of CodeNoEvent.
func fuzzIdentify(t *testing.T, s Signer, body []byte) {
	r := signedBy(s, string(body))
	e, err := readOne(Source{Name: "x", Provider: s}, r, testNow)
	if err != nil {
		requireNoEvent(t, err)
		return
	}
	require.NotEmpty(t, e.EventID)
	require.NotEmpty(t, e.Type)
	if !e.OccurredAt.IsZero() {
		_, err := e.OccurredAt.MarshalJSON()
		require.NoError(t, err)
	}
	again, err := readOne(Source{Name: "x", Provider: s}, r, testNow)
	require.NoError(t, err)
	require.Equal(t, e, again)
	s.Answer(&e)
}

func BenchmarkStripe(b *testing.B) {
	s := newTestStripe(b, testSecret)
	benchmarkRead(b, s, strings.Replace(stripeBody, `"data"`, `"pad":"`+strings.Repeat("x", 2000)+`","data"`, 1))
}

// benchmarkRead measures what is on the path of every request.
func benchmarkRead(b *testing.B, s Signer, body string) {
	r := signedBy(s, body)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := s.Verify(r, testNow); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Identify(r); err != nil {
			b.Fatal(err)
		}
	}
}
