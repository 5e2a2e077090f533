package providers

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The providers with code of their own, as the tests need them: with a key that can sign, and one genuine body each.

const (
	testTopic   = "arn:aws:sns:us-east-1:000000000000:orders"
	testWebhook = "1JE4291016473214C"

	sendGridBody = `[{"email":"a@example.com","timestamp":1767225599,"event":"delivered","sg_event_id":"ZHJv","sg_message_id":"m"},` +
		`{"email":"b@example.com","timestamp":1767225598,"event":"bounce","sg_event_id":"Ym91"}]` + "\r\n"
	discordBody = `{"id":"771825006014889984","application_id":"845027738276462632","type":2,"version":1,"token":"t","data":{"name":"hello"}}`
	telnyxBody  = `{"data":{"record_type":"event","event_type":"message.received","id":"b301ed3f","occurred_at":"2026-01-01T00:00:00.000+00:00"}}`
	payPalBody  = `{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","create_time":"2026-01-01T00:00:00Z"}`
	mailgunBody = `{"event-data":{"id":"CPgf","timestamp":1767225600.529,"event":"delivered","domain":{"name":"mg.example.com"}}}`
	adyenBody   = `{"live":"true","notificationItems":[{"NotificationRequestItem":{"pspReference":"79","merchantAccountCode":"Shop","merchantReference":"a:b",` +
		`"amount":{"value":1130,"currency":"EUR"},"eventCode":"AUTHORISATION","eventDate":"2026-01-01T01:00:00+01:00","success":"true"}},` +
		`{"NotificationRequestItem":{"additionalData":{"x":"y"},"pspReference":"80","eventCode":"CAPTURE","success":"false"}}]}`
	graphBody = `{"value":[{"subscriptionId":"s-1","clientState":"","changeType":"updated","tenantId":"t-1","resourceData":{"id":"r-1","@odata.etag":"W/\"1\""}}]}`
	xBody     = `{"for_user_id":"22","tweet_create_events":[{"id_str":"1001","timestamp_ms":"1767225600000"}],` +
		`"follow_events":[{"type":"follow","created_timestamp":"1767225600000","source":{"id":"1"},"target":{"id":"22"}}],"users":{}}`
	asanaBody = `{"events":[{"created_at":"2026-01-01T00:00:00.000Z","action":"changed","resource":{"gid":"7","resource_type":"task"},"change":{"field":"assignee"}}]}`
	snsBody   = `{"Type":"Notification","MessageId":"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324","Subject":"s","Message":"a\nb"}`

	plivoUUID = "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36"
	plivoBody = "CallUUID=" + plivoUUID + "&CallStatus=completed&Event=Hangup&From=15005550006&To=15005550007&Duration=12"
)

var mandrillBody = "mandrill_events=" + url.QueryEscape(`[{"event":"send","_id":"m1","ts":1767225600},{"event":"click","_id":"m1","ts":1767225600,"url":"https://a"}]`)

// ownKeys are generated once: RSA takes its time.
var ownKeys = sync.OnceValue(func() map[string]string {
	keys := map[string]string{}
	for _, kind := range []string{KeyEd25519, KeyECDSA, KeyRSA} {
		key, err := GenerateKey(kind, rand.Reader)
		if err != nil {
			panic(err)
		}
		keys[kind] = key
	}
	return keys
})

// offline is a network without a way out.
var offline = Fetch{Client: &http.Client{Transport: unplugged{}}}

type unplugged struct{}

func (unplugged) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

// ownCase is one provider with a genuine, unsigned body.
type ownCase struct {
	signer Signer
	body   string
	media  string
	// window says how far back a signed time may lie; 0: no time is signed.
	window time.Duration
	// proof says that the signature covers every byte of the body.
	proof bool
}

func ownCases(t testing.TB) map[string]ownCase {
	t.Helper()
	keys := ownKeys()
	hour, days := time.Hour+Tolerance, 72*time.Hour+Tolerance
	cases := map[string]ownCase{
		"sendgrid": {must[*SendGrid](t)(NewSendGrid([]string{keys[KeyECDSA]})), sendGridBody, jsonType, Tolerance, true},
		"discord":  {must[*Discord](t)(NewDiscord([]string{keys[KeyEd25519]})), discordBody, jsonType, Tolerance, true},
		"telnyx":   {must[*Telnyx](t)(NewTelnyx([]string{keys[KeyEd25519]})), telnyxBody, jsonType, Tolerance, true},
		"paypal":   {must[*PayPal](t)(NewPayPal(PayPalConfig{WebhookIDs: []string{testWebhook, keys[KeyRSA]}, Fetch: offline})), payPalBody, jsonType, days, true},
		"sns":      {must[*SNS](t)(NewSNS(SNSConfig{TopicARNs: []string{testTopic, keys[KeyRSA]}, Fetch: offline})), snsBody, "text/plain; charset=UTF-8", hour, false},
		"mailgun":  {must[*Mailgun](t)(NewMailgun([]string{testSecret})), mailgunBody, jsonType, mailgunRepeats, false},
		"plivo":    {must[*Plivo](t)(NewPlivo(PlivoConfig{Tokens: []string{testSecret}})), plivoBody, formType, 0, false},
		"mandrill": {must[*Mandrill](t)(NewMandrill([]string{testSecret})), mandrillBody, formType, 0, false},
		"adyen":    {must[*Adyen](t)(NewAdyen([]string{strings.Repeat("ab", 32)})), adyenBody, jsonType, 0, false},
		"msgraph":  {must[*Graph](t)(NewGraph([]string{testSecret})), graphBody, jsonType, 0, false},
		"x":        {must[*X](t)(NewX([]string{testSecret})), xBody, jsonType, 0, true},
		"asana":    {must[*Asana](t)(NewAsana([]string{testSecret})), asanaBody, jsonType, 0, true},
	}
	for name, c := range cases {
		require.NotNil(t, KindOf(name), name)
		require.Equal(t, name, c.signer.Traits().Scheme)
	}
	return cases
}

// sign returns a signed POST of the case's body.
func (c ownCase) sign(body string) *Request {
	r := &Request{Method: http.MethodPost, URL: "https://hooks.example.com/webhooks/x", Header: http.Header{"Content-Type": {c.media}}, Body: []byte(body)}
	c.signer.Sign(r, testNow)
	return r
}

func (c ownCase) read(t testing.TB, r *Request) Delivery {
	t.Helper()
	d, err := Source{Name: "it", Provider: c.signer}.Read(r, testNow)
	require.NoError(t, err)
	return d
}

// Each verifies what it signed, and gives the same events for it each time.
func TestOwn_SignedIsReadAlike(t *testing.T) {
	t.Parallel()
	for name, c := range ownCases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := c.read(t, c.sign(c.body))
			require.NotEmpty(t, first.Events)
			r := &Request{Method: http.MethodPost, URL: "https://hooks.example.com/webhooks/x", Body: []byte(c.body)} // no header map yet
			c.signer.Sign(r, testNow.Add(time.Second))
			setHeader(r, "Content-Type", c.media)
			for i, e := range c.read(t, r).Events {
				require.Equal(t, first.Events[i].Key(), e.Key(), "a retry is signed anew, and is the same event")
			}
		})
	}
}

// Every byte of a proof counts, and of the body where the signature covers it.
func TestOwn_EverySingleByteCounts(t *testing.T) {
	t.Parallel()
	for name, c := range ownCases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden := c.sign(c.body)
			require.NoError(t, c.signer.Verify(golden, testNow))
			for header := range golden.Header {
				if header != "Content-Type" {
					mutateHeader(t, c, golden, header)
				}
			}
			if !c.proof {
				return
			}
			for i := range golden.Body {
				r := *golden
				r.Body = bytes.Clone(golden.Body)
				r.Body[i] ^= 0x01
				require.Error(t, c.signer.Verify(&r, testNow), "body byte %d", i)
			}
			for _, body := range []string{"", c.body[1:], c.body + "\n"} {
				r := *golden
				r.Body = []byte(body)
				require.Error(t, c.signer.Verify(&r, testNow))
			}
		})
	}
}

func mutateHeader(t *testing.T, c ownCase, golden *Request, header string) {
	t.Helper()
	value := golden.Header.Get(header)
	with := func(values ...string) error {
		r := *golden
		r.Header = golden.Header.Clone()
		r.Header[header] = values
		return c.signer.Verify(&r, testNow)
	}
	for i := range len(value) {
		changed := []byte(value)
		changed[i] ^= 0x01
		require.Error(t, with(string(changed)), "%s byte %d", header, i)
		require.Error(t, with(value[:i]+value[i+1:]), "%s without byte %d", header, i)
	}
	requireRefused(t, ReasonMissing, with())
	requireRefused(t, ReasonMissing, with(""))
	requireRefused(t, ReasonRepeated, with(value, value))
	for _, other := range []string{value + "0", "0" + value, value + "\n", " " + value, strings.Repeat("0", maxSignatureHeader+1)} {
		require.Error(t, with(other), "%s: %.20q", header, other)
	}
}

func TestOwn_WindowOnBothSides(t *testing.T) {
	t.Parallel()
	for name, c := range ownCases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := c.sign(c.body)
			if c.window == 0 {
				require.NoError(t, c.signer.Verify(r, testNow.AddDate(1, 0, 0)), "no time is signed")
				return
			}
			require.NoError(t, c.signer.Verify(r, testNow.Add(c.window)))
			require.NoError(t, c.signer.Verify(r, testNow.Add(-Tolerance)))
			requireRefused(t, ReasonStale, c.signer.Verify(r, testNow.Add(c.window+time.Second)))
			requireRefused(t, ReasonFuture, c.signer.Verify(r, testNow.Add(-Tolerance-time.Nanosecond)))
		})
	}
}

// A body that is not the provider's is refused, never a panic; errors hold nothing of it.
func TestOwn_OddBodies(t *testing.T) {
	t.Parallel()
	for name, c := range ownCases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, body := range []string{"", "{", "[]", "{}", "null", "1", `"marker"`, "[1]", `[null,{"marker":1}]`, `{"value":1}`, `{"value":[1,null,[]]}`,
				`{"notificationItems":[1]}`, `{"events":[1,null,"marker"]}`, `{"events":{}}`, `{"data":7}`, `{"event-data":"marker"}`, `{"x_events":[1,{}]}`,
				`{"signature":{"timestamp":{},"token":[],"signature":1}}`, "%", "a=%zz", "mandrill_events=marker", "mandrill_events=[1,{}]", "\x00\xff",
				strings.Repeat("[", 300), `{"Type":"Notification","Message":1}`} {
				r := c.sign(body)
				_, err := Source{Name: "it", Provider: c.signer}.Read(r, testNow)
				var typed *Error
				if err != nil {
					require.ErrorAs(t, err, &typed, "%.20q", body)
					require.NotContains(t, err.Error(), "marker")
				}
			}
		})
	}
}

func TestOwn_ConstructorsRefuse(t *testing.T) {
	t.Parallel()
	for name := range ownCases(t) {
		kind := KindOf(name)
		for _, empty := range [][]string{nil, {}, {""}, {"\n"}, {"  "}} {
			_, err := kind.Build(Settings{Secrets: empty})
			require.True(t, errors.Is(err, errNoSecret), "%s: %q", name, empty)
		}
		_, err := kind.Build(Settings{Secrets: slices.Repeat([]string{"ab"}, MaxSecrets+1)})
		require.ErrorContains(t, err, "at most 5", name)
	}
	for name, wrong := range map[string]map[string]string{
		"discord": {
			"abcd": "public key 1 is not 32 bytes in hex", strings.Repeat("00", 32): "all zero",
			ownKeys()[KeyRSA]: "is a *rsa.PrivateKey", "private:!": "not base64", "private:AAAA": "no PKCS #8",
		},
		"telnyx":   {strings.Repeat("ab", 32): "not 32 bytes in base64"},
		"sendgrid": {"abcd": "no SubjectPublicKeyInfo", "?": "not base64", ownKeys()[KeyEd25519]: "is a ed25519"},
		"adyen":    {"xyz": "HMAC key 1 is not hex"},
		"paypal":   {"a|b": "not one of letters and digits", ownKeys()[KeyRSA]: "there is no webhook id"},
		"sns":      {"arn:aws:sqs:us-east-1:000000000000:q": "not of the form arn:aws:sns", ownKeys()[KeyRSA]: "there is no topic ARN"},
	} {
		for secret, want := range wrong {
			_, err := KindOf(name).Build(Settings{Secrets: []string{secret}})
			require.ErrorContains(t, err, want, "%s: %.20s", name, secret)
		}
	}
	_, err := KindOf("plivo-v2").New("plivo-v2", Settings{Secrets: []string{testSecret}})
	require.ErrorContains(t, err, "allow_weak")
	_, err = KindOf("plivo-v2").New("plivo-v2", Settings{Secrets: []string{testSecret}, AllowWeak: true})
	require.NoError(t, err)
}

// Several secrets are current while one replaces another; a public key alone verifies and does not sign.
func TestOwn_Rotation(t *testing.T) {
	t.Parallel()
	cases := ownCases(t)
	for name, secrets := range map[string][]string{
		"mailgun": {testSecret2, testSecret}, "plivo": {testSecret2, testSecret}, "mandrill": {testSecret2, testSecret},
		"msgraph": {testSecret2, testSecret}, "x": {testSecret2, testSecret}, "asana": {testSecret2, testSecret},
		"adyen": {strings.Repeat("cd", 32), strings.Repeat("ab", 32)}, "paypal": {"OTHER", testWebhook, ownKeys()[KeyRSA]},
		"sns": {testTopic + "-2", testTopic, ownKeys()[KeyRSA]},
	} {
		both, err := KindOf(name).Build(Settings{Secrets: secrets, Fetch: offline})
		require.NoError(t, err)
		require.NoError(t, both.Verify(cases[name].sign(cases[name].body), testNow), name)
		other, err := KindOf(name).Build(Settings{Secrets: append(secrets[:1:1], secrets[2:]...), Fetch: offline})
		require.NoError(t, err)
		requireRefused(t, ReasonMismatch, other.Verify(cases[name].sign(cases[name].body), testNow))
	}
	public, err := NewDiscord([]string{"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"})
	require.NoError(t, err)
	r := &Request{Body: []byte(discordBody)}
	public.Sign(r, testNow)
	require.Empty(t, r.Header)
	requireRefused(t, ReasonMismatch, public.Verify(cases["discord"].sign(discordBody), testNow))
}
