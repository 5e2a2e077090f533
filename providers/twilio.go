package providers

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hookflow/event"
)

const (
	twilioSignature = "X-Twilio-Signature"
	// twilioToken tells Twilio's own retries of one request apart from new requests. It is not signed.
	twilioToken = "I-Twilio-Idempotency-Token"

	twilioMaxBody = 1 << 20
)

// TwilioConfig is what NewTwilio needs to know.
type TwilioConfig struct {
	// Tokens are the current auth tokens, 1 to MaxSecrets, none empty. Twilio signs with the primary token of the
	// account that owns the resource, a sub-account's with its own; during a rotation name the old and the new one.
	Tokens []string
	// AccountSID, if set, is the only account whose events are taken: AC and 32 lower-case hexadecimal digits.
	AccountSID string
	// VoiceTwiML answers every request for the instructions of a call. Empty takes DefaultVoiceTwiML.
	VoiceTwiML string
}

// Twilio verifies and reads the webhooks of Twilio (https://www.twilio.com/docs/usage/security).
type Twilio struct {
	tokens     [][]byte
	accountSID string
	voiceTwiML []byte
}

var _ Signer = (*Twilio)(nil)

// NewTwilio returns the provider. It returns an error for no token, more than MaxSecrets, an empty one, an AccountSID
// that is none, or TwiML that Twilio would refuse.
func NewTwilio(c TwilioConfig) (*Twilio, error) {
	tokens, err := currentSecrets(c.Tokens)
	if err != nil {
		return nil, fmt.Errorf("twilio: auth token: %w", err)
	}
	t := &Twilio{accountSID: c.AccountSID}
	for _, token := range tokens {
		t.tokens = append(t.tokens, []byte(token))
	}
	if c.AccountSID != "" && !isSID(c.AccountSID, "AC") {
		return nil, errors.New("twilio: the account SID is not AC and 32 lower-case hexadecimal digits")
	}
	if c.VoiceTwiML == "" {
		c.VoiceTwiML = DefaultVoiceTwiML
	}
	if err := checkTwiML(c.VoiceTwiML); err != nil {
		return nil, fmt.Errorf("twilio: the TwiML for voice calls: %w", err)
	}
	t.voiceTwiML = []byte(c.VoiceTwiML)
	return t, nil
}

// Traits implements Provider. Twilio sends forms; JSON comes from a few products, with a hash of the body in the URL.
func (t *Twilio) Traits() Traits {
	return Traits{
		Scheme:     "twilio",
		MaxBody:    twilioMaxBody,
		MediaTypes: []string{formType, jsonType},
		Headers:    []string{twilioToken, "User-Agent"},
		SignsURL:   true,
	}
}

// Verify implements Provider: base64(HMAC-SHA1(token, URL + parameters)), see signedForm and urlVariants. Twilio signs
// neither the method nor a time, so the clock is not looked at: what was sent once can be sent again, and only the
// event's id makes it a duplicate.
func (t *Twilio) Verify(r *Request, _ time.Time) error {
	given, err := readTwilioSignature(r.Header)
	if err != nil {
		return err
	}
	params, err := signedParams(r)
	if err != nil {
		return err
	}
	var wanted [][]byte
	urls := urlVariants(r.URL)
	for _, token := range t.tokens {
		mac := hmac.New(sha1.New, token)
		for _, url := range urls {
			for _, tail := range params {
				mac.Reset()
				mac.Write([]byte(url))
				mac.Write([]byte(tail))
				wanted = append(wanted, mac.Sum(nil))
			}
		}
	}
	if !matches(wanted, [][]byte{given}) {
		return unverified(ReasonMismatch)
	}
	return nil
}

// readTwilioSignature returns the 20 bytes of the signature. The length is checked before decoding, because Go's
// decoder passes over line ends, also in strict mode.
func readTwilioSignature(h http.Header) ([]byte, error) {
	value, err := only(h, twilioSignature)
	if err != nil {
		return nil, err
	}
	if len(value) != base64.StdEncoding.EncodedLen(sha1.Size) {
		return nil, unverified(ReasonMalformed)
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(sum) != sha1.Size {
		return nil, unverified(ReasonMalformed)
	}
	return sum, nil
}

// signedParams returns what may follow the URL in the signed string. JSON: nothing, but the URL must carry the hash of
// the body. A form: its parameters. A form whose URL carries the hash of the body: either, since Twilio's libraries for
// Python, PHP and Ruby sign such a form's parameters, those for Node and Go the URL alone; both bind the whole body.
func signedParams(r *Request) ([]string, error) {
	hash := checkBodyHash(r.URL, r.Body)
	if isJSON(r) {
		switch hash {
		case hashAbsent:
			return nil, unverified(ReasonMissing)
		case hashRepeated:
			return nil, unverified(ReasonMalformed)
		case hashDiffers:
			return nil, unverified(ReasonMismatch)
		}
		return []string{""}, nil
	}
	form, err := event.ParseForm(r.Body)
	if err != nil {
		return nil, unverified(ReasonMalformed)
	}
	tails := []string{signForm("", form).text}
	if hash == hashEqual {
		tails = append(tails, "")
	}
	return tails, nil
}

func isJSON(r *Request) bool { return event.MediaType(r.Header.Get("Content-Type")) == jsonType }

// Sign implements Signer with the first token. For a JSON body it extends r.URL by the hash of the body, as Twilio does;
// a body that is no form is signed as a form without parameters.
func (t *Twilio) Sign(r *Request, _ time.Time) {
	var form event.Form
	if isJSON(r) {
		r.URL = withBodyHash(r.URL, r.Body)
	} else {
		form, _ = event.ParseForm(r.Body)
	}
	mac := hmac.New(sha1.New, t.tokens[0])
	mac.Write([]byte(signForm(cutFragment(r.URL), form).text))
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set(twilioSignature, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

var twilioKind = Kind{
	Identity: Identity{Rule: IdentityOnce, Docs: "https://www.twilio.com/docs/usage/webhooks", Why: "a call numbers its callbacks, and a message passes each status once; what else there is has a digest"},
	Name:     "twilio", Title: "Twilio", Docs: "https://www.twilio.com/docs/usage/security",
	Variable: "TWILIO_AUTH_TOKEN", Secret: "the primary auth token of the account, from the console",
	Options: []Option{
		{Name: "account_sid", Variable: "TWILIO_ACCOUNT_SID", What: "the only account whose events are taken"},
		{Name: "voice_twiml", What: "the TwiML that answers an incoming call"},
	},
	Dashboard: []string{
		"Set HOOKFLOW_PUBLIC_URL to scheme and host as typed into Twilio's console: Twilio signs the URL that it calls.",
		"Copy the primary auth token into {variable}; a sub-account signs with its own.",
		"Use {url}#rc=5&rp=all for status callbacks and incoming calls and messages: without the part behind # nothing is sent again after a 5xx.",
	},
	Retries: "Once, and only when it could not connect, unless the URL ends in #rc=5&rp=all. It waits 15 s. Event Streams: for 4 hours.",
	ID:      "by kind of request: `CallSid:SequenceNumber`, `MessageSid:MessageStatus`, …; of Event Streams the `id` of each event, `EZ…`",
	Type:    "`call.<status>`, `message.<status>`, `recording.<status>`, `conference.<event>`; of Event Streams the `type` of each event",
	Samples: []Sample{{Name: "com.twilio.messaging.message.delivered", // https://www.twilio.com/docs/events/event-types
		Body: `[{"specversion":"1.0","type":"com.twilio.messaging.message.delivered","source":"/2010-04-01/Accounts/{{.AccountSid}}/Messages/{{.Hex "SM" 32}}.json",` +
			`"id":"{{.ID}}","dataschema":"https://events-schemas.twilio.com/Messaging.MessageStatus/4","datacontenttype":"application/json","time":"{{.ISO 0}}",` +
			`"data":{"accountSid":"{{.AccountSid}}","messageSid":"{{.Hex "SM" 32}}","messageStatus":"DELIVERED","timestamp":"{{.ISO 0}}"}}]`}},
	Build: func(s Settings) (Provider, error) {
		return NewTwilio(TwilioConfig{Tokens: s.Secrets, AccountSID: s.Options["account_sid"], VoiceTwiML: s.Options["voice_twiml"]})
	},
}
