package providers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"hookflow/event"
)

// Mailgun verifies and reads Mailgun's webhooks. Their proof stands in the body and covers a time and a token, not the
// event: whoever captures a request can send any body with its proof. So a token is taken with one body only, and not
// beyond Tolerance; that still is less than a signature over the body, and wants TLS.
// https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
type Mailgun struct {
	keys []string
	used *oneTime
}

var _ Signer = (*Mailgun)(nil)

// NewMailgun takes the current HTTP webhook signing keys. It refuses none, more than MaxSecrets, and an empty one.
func NewMailgun(signingKeys []string) (*Mailgun, error) {
	keys, err := currentSecrets(signingKeys)
	if err != nil {
		return nil, err
	}
	return &Mailgun{keys: keys, used: newOneTime()}, nil
}

// mailgunRepeats is how long Mailgun repeats a delivery, with the signature of the first: after 5, 10 and 15 minutes, 1, 2
// and 4 hours (https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks), with the time-outs in between.
const mailgunRepeats = 8*time.Hour + 10*time.Minute

// Verify implements Provider.
func (m *Mailgun) Verify(r *Request, now time.Time) error {
	body, err := parseObject(r.Body)
	if err != nil {
		return unverified(ReasonMalformed)
	}
	proof := body.member("signature")
	timestamp, _ := proof.member("timestamp").scalar("timestamp")
	token, _ := proof.member("token").text("token")
	text, _ := proof.member("signature").text("signature")
	if timestamp == "" || token == "" || text == "" {
		return unverified(ReasonMissing)
	}
	var given [sha256.Size]byte
	signed, ok := signedSeconds(timestamp)
	if !ok || !decodeDigest(given[:], text, encodingHex) {
		return unverified(ReasonMalformed)
	}
	if signed.After(now) {
		err = inWindow(signed, now, Tolerance)
	} else {
		err = inWindow(signed, now, mailgunRepeats)
	}
	if err != nil {
		return err
	}
	found := false
	for _, key := range m.keys {
		found = hmac.Equal(mailgunSum(key, timestamp, token), given[:]) || found
	}
	if !found {
		return unverified(ReasonMismatch)
	}
	if !m.used.admit(timestamp+token, r.Body, now, signed.Add(mailgunRepeats+time.Second)) {
		return unverified(ReasonReused)
	}
	return nil
}

func mailgunSum(key, timestamp, token string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(timestamp))
	mac.Write([]byte(token))
	return mac.Sum(nil)
}

// Identify reads event-data: its id, which is the same in each attempt, its event and its time. The account is the domain.
func (m *Mailgun) Identify(r *Request) (event.Event, error) {
	body, err := parseObject(r.Body)
	if err != nil {
		return event.Event{}, err
	}
	data := body.member("event-data")
	e := event.Event{Body: r.Body}
	if e.EventID, err = data.member("id").required("event-data.id"); err != nil {
		return event.Event{}, err
	}
	if e.Type, err = data.member("event").required("event-data.event"); err != nil {
		return event.Event{}, err
	}
	if e.Account, err = data.member("domain").member("name").text("event-data.domain.name"); err != nil {
		return event.Event{}, err
	}
	timestamp, _ := data.member("timestamp").scalar("event-data.timestamp")
	seconds, _, _ := strings.Cut(timestamp, ".")
	e.OccurredAt = secondsTime(seconds)
	return e, nil
}

// Answer returns nil: Mailgun takes 200 as success, stops after 406, and goes on for 8 hours after anything else.
func (m *Mailgun) Answer(*event.Event) *Answer { return nil }

// Traits says how the requests look.
func (m *Mailgun) Traits() Traits {
	return Traits{Scheme: "mailgun", MaxBody: 1 << 20, MediaTypes: []string{jsonType}, Headers: []string{"User-Agent"}}
}

// Sign implements Signer: it writes the proof into the body. A body that is no JSON object it leaves as it is. The token
// follows from time and body, so that two bodies do not share one.
func (m *Mailgun) Sign(r *Request, now time.Time) {
	body, err := parseObject(r.Body)
	if err != nil {
		return
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	sum := sha256.Sum256(append([]byte(timestamp), r.Body...))
	token := hex.EncodeToString(sum[:25])
	r.Body = setMember(body, "signature", `{"timestamp":"`+timestamp+`","token":"`+token+`","signature":"`+
		hex.EncodeToString(mailgunSum(m.keys[0], timestamp, token))+`"}`)
}

var mailgunKind = Kind{
	Identity: Identity{Rule: IdentityOwn, Docs: "https://documentation.mailgun.com/docs/mailgun/user-manual/events/events"},
	Name:     "mailgun", Title: "Mailgun", Docs: "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
	Variable: "MAILGUN_SIGNING_KEY", Secret: "the HTTP webhook signing key, from Account settings → API security",
	Dashboard: []string{
		"Send → Sending → Webhooks → Add webhook, URL {url}; https only, since the proof does not cover the body.",
		"Copy the HTTP webhook signing key into {variable}. It is not the API key.",
	},
	Retries: "For 8 hours, after 5, 10 and 15 minutes, 1, 2 and 4 hours; never again after a 406.",
	ID:      "`event-data.id`", Type: "`event-data.event`",
	Notes: []string{
		"**A weaker guarantee**: the signature covers a time and a token, not the event. A captured request could carry another body; so a token is accepted with one body only, within ±5 minutes, as far as each process remembers (20,000 tokens).",
	},
	Samples: []Sample{
		{Name: "delivered", Body: mailgunSample("delivered", `"delivery-status":{"code":250,"message":"OK","attempt-no":1,"description":"","session-seconds":0.43,"tls":true}`)},
		{Name: "failed", Body: mailgunSample("failed", `"severity":"permanent","reason":"suppress-bounce","delivery-status":{"code":605,"message":"","attempt-no":1,"description":"Not delivering to previously bounced address","session-seconds":0.0}`)},
	},
	Build: func(s Settings) (Provider, error) { return NewMailgun(s.Secrets) },
}

// mailgunSample follows the examples of
// https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure.
func mailgunSample(typ, more string) string {
	return `{"event-data":{"id":"{{.ID}}","timestamp":{{.Unix 0}}.529,"event":"` + typ + `","log-level":"info","recipient":"alice@example.com",` +
		`"recipient-domain":"example.com","domain":{"name":"mg.example.com"},"tags":["hello"],"campaigns":[],"user-variables":{},` +
		`"flags":{"is-routed":false,"is-authenticated":true,"is-system-test":false,"is-test-mode":false},` +
		`"envelope":{"transport":"smtp","sender":"bob@mg.example.com","sending-ip":"192.0.2.1","targets":"alice@example.com"},` +
		`"message":{"headers":{"to":"Alice <alice@example.com>","message-id":"{{.UUID "message"}}@mg.example.com","from":"Bob <bob@mg.example.com>","subject":"Hello"},"attachments":[],"size":111},` +
		more + `}}`
}
