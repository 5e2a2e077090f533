package providers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// maxEcho bounds a challenge that is sent back, in bytes.
const maxEcho = 1 << 10

// echo returns a challenge to its sender, as text that no browser takes for a page (the door adds nosniff). One that is
// empty or too long is refused: this is not a mirror for anything.
func echo(challenge string) (*Greeting, error) {
	if challenge == "" || len(challenge) > maxEcho {
		return nil, noEvent("the challenge is empty or longer than %d bytes", maxEcho)
	}
	return &Greeting{Answer: Answer{ContentType: "text/plain; charset=utf-8", Body: []byte(challenge)}}, nil
}

// handshake is a declared provider's way of asking whether an endpoint is its own.
type handshake struct {
	methods []string // beside POST
	probe   func(p *Declared, r *Request) (*Greeting, error)
	greet   func(p *Declared, r *Request) (*Greeting, error)
	// pairs reports whether an unsigned request is taken while the word pairing stands among the secrets; nil: never.
	pairs func(r *Request) bool
	// tests reports whether a request is the sender's test of an endpoint, signed with a secret that everybody knows. It is
	// answered as a handshake; nothing else is taken under that secret.
	tests func(r *Request) bool
	says  string // for the documentation
}

// handshakes by the name under which a declaration asks for them.
var handshakes = map[string]handshake{
	"slack": {greet: greetSlack, says: "a signed POST with `type` `url_verification` is answered with its `challenge`"},
	"zoom":  {greet: greetZoom, says: "a signed POST `endpoint.url_validation` is answered with `plainToken` and its HMAC"},
	"twitch": {greet: greetTwitch,
		says: "a signed POST of the message type `webhook_callback_verification` is answered with its `challenge`"},
	"notion": {greet: greetNotion, pairs: pairsNotion,
		says: "while pairing, the unsigned POST with `verification_token` is answered 200 and the token written into a file"},
	"meta": {methods: getOnly, probe: probeMeta,
		says: "GET with `hub.mode=subscribe` and the right `hub.verify_token` is answered with `hub.challenge`"},
	"dropbox": {methods: getOnly, probe: probeDropbox, says: "GET with `challenge` is answered with it, as text"},
	"okta": {methods: getOnly, probe: probeOkta,
		says: "GET with `X-Okta-Verification-Challenge` is answered with it, as JSON"},
	"woocommerce": {probe: probeWooCommerce, says: "the unsigned form `webhook_id=…` that is posted at creation is answered 200"},
	"mailersend": {tests: testsMailerSend,
		says: "the POST `webhook.test`, signed with the secret that MailerSend publishes for it, is answered 200"},
	"head":        {methods: []string{http.MethodHead}, probe: probeEmpty, says: "HEAD is answered 200"},
	"head-or-get": {methods: []string{http.MethodGet, http.MethodHead}, probe: probeEmpty, says: "HEAD and GET are answered 200"},
}

var getOnly = []string{http.MethodGet}

// https://docs.slack.dev/reference/events/url_verification
func greetSlack(_ *Declared, r *Request) (*Greeting, error) {
	body, err := parseJSON(r.Body)
	if err != nil {
		return nil, nil // a form: a command or an interaction
	}
	if typ, _ := body.member("type").text("type"); typ != "url_verification" {
		return nil, nil
	}
	challenge, err := body.member("challenge").text("challenge")
	if err != nil {
		return nil, err
	}
	return echo(challenge)
}

// https://developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint: asked at creation and each 72 hours.
func greetZoom(p *Declared, r *Request) (*Greeting, error) {
	body, err := parseJSON(r.Body)
	if err != nil {
		return nil, nil
	}
	if kind, _ := body.member("event").text("event"); kind != "endpoint.url_validation" {
		return nil, nil
	}
	plain, err := body.at([]string{"payload", "plainToken"}).required("payload.plainToken")
	if err != nil {
		return nil, err
	}
	if len(plain) > maxEcho {
		return nil, noEvent("payload.plainToken is longer than %d bytes", maxEcho)
	}
	return answerJSON(map[string]string{"plainToken": plain, "encryptedToken": hex.EncodeToString(hmacSHA256(p.secrets[0], plain))}), nil
}

// https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#responding-to-a-challenge-request
func greetTwitch(_ *Declared, r *Request) (*Greeting, error) {
	if r.Header.Get("Twitch-Eventsub-Message-Type") != "webhook_callback_verification" {
		return nil, nil
	}
	body, err := parseJSON(r.Body)
	if err != nil {
		return nil, err
	}
	challenge, err := body.member("challenge").text("challenge")
	if err != nil {
		return nil, err
	}
	return echo(challenge)
}

// probeMeta wants the verify token that is set at Meta beside the URL; without one here nobody subscribes. The challenge
// is digits. https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests
func probeMeta(p *Declared, r *Request) (*Greeting, error) {
	q := query(r)
	if r.Method != http.MethodGet || q.Get("hub.mode") != "subscribe" {
		return nil, nil
	}
	token, challenge := p.options["verify_token"], q.Get("hub.challenge")
	switch {
	case token == "" || !hmac.Equal(hmacSHA256("", token), hmacSHA256("", q.Get("hub.verify_token"))):
		return nil, unverified(ReasonMismatch)
	case strings.Trim(challenge, "0123456789") != "":
		return nil, noEvent("hub.challenge is not a number")
	}
	return echo(challenge)
}

// https://www.dropbox.com/developers/reference/webhooks#documentation
func probeDropbox(_ *Declared, r *Request) (*Greeting, error) {
	q := query(r)
	if r.Method != http.MethodGet || !q.Has("challenge") {
		return nil, nil
	}
	return echo(q.Get("challenge"))
}

// https://developer.okta.com/docs/concepts/event-hooks/#one-time-verification-request
func probeOkta(_ *Declared, r *Request) (*Greeting, error) {
	challenge := r.Header.Get("X-Okta-Verification-Challenge")
	switch {
	case r.Method != http.MethodGet || challenge == "":
		return nil, nil
	case len(challenge) > maxEcho:
		return nil, noEvent("the challenge is longer than %d bytes", maxEcho)
	}
	return answerJSON(map[string]string{"verification": challenge}), nil
}

// probeWooCommerce lets the ping pass that WooCommerce sends, unsigned, when a webhook is created: without a 200 it
// switches the webhook off. Nothing of the request is used.
func probeWooCommerce(_ *Declared, r *Request) (*Greeting, error) {
	if r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), formType) && len(r.Header["X-Wc-Webhook-Signature"]) == 0 {
		return &Greeting{}, nil
	}
	return nil, nil
}

func probeEmpty(_ *Declared, r *Request) (*Greeting, error) {
	if r.Method == http.MethodPost {
		return nil, nil
	}
	return &Greeting{}, nil
}

// query reads the query of the URL; what cannot be read of it is left out.
func query(r *Request) url.Values {
	_, raw, _ := strings.Cut(r.URL, "?")
	values, _ := url.ParseQuery(raw)
	return values
}

func answerJSON(v map[string]string) *Greeting {
	text, _ := json.Marshal(v) // strings only
	return &Greeting{Answer: Answer{ContentType: jsonType, Body: text}}
}

func hmacSHA256(key, text string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// mailerSendTestSecret signs the request by which MailerSend checks an address before there is a webhook, and so before it
// has a secret: https://developers.mailersend.com/api/v1/webhooks.html#webhook-security
const mailerSendTestSecret = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"

func testsMailerSend(r *Request) bool {
	given, err := only(r.Header, "Signature")
	var sum [sha256.Size]byte
	if err != nil || !decodeDigest(sum[:], given, encodingHex) || !hmac.Equal(hmacSHA256(mailerSendTestSecret, string(r.Body)), sum[:]) {
		return false
	}
	body, err := parseObject(r.Body)
	if err != nil {
		return false
	}
	typ, _ := body.member("type").text("type")
	return typ == "webhook.test"
}
