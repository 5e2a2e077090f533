package providers

import (
	"io"
	"time"

	"hookflow/event"
)

// Telnyx verifies and reads the webhooks of Telnyx's API v2: Ed25519 over the time, a bar and the body.
// https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks
type Telnyx struct{ signed signedEd25519 }

var _ Signer = (*Telnyx)(nil)

// NewTelnyx takes the public keys of the portal (Keys & Credentials, Public Key), 32 bytes in base64 each. It refuses
// none, more than MaxSecrets, and what is no such key.
func NewTelnyx(publicKeys []string) (*Telnyx, error) {
	keys, err := newEdKeys(publicKeys, encodingBase64)
	if err != nil {
		return nil, err
	}
	return &Telnyx{signed: signedEd25519{
		keys: keys, signature: "Telnyx-Signature-Ed25519", timestamp: "Telnyx-Timestamp", encoding: encodingBase64, between: "|",
	}}, nil
}

// Verify implements Provider.
func (t *Telnyx) Verify(r *Request, now time.Time) error { return t.signed.verify(r, now) }

// Sign implements Signer. Without a key pair of one's own it leaves r as it is.
func (t *Telnyx) Sign(r *Request, now time.Time) { t.signed.sign(r, now) }

// Identify reads data.id, data.event_type and data.occurred_at. The id is a uuid, the same in each attempt.
func (t *Telnyx) Identify(r *Request) (event.Event, error) {
	body, err := parseObject(r.Body)
	if err != nil {
		return event.Event{}, err
	}
	data := body.member("data")
	e := event.Event{Body: r.Body}
	if e.EventID, err = data.member("id").required("data.id"); err != nil {
		return event.Event{}, err
	}
	if e.Type, err = data.member("event_type").required("data.event_type"); err != nil {
		return event.Event{}, err
	}
	occurred, _ := data.member("occurred_at").scalar("data.occurred_at")
	e.OccurredAt = rfc3339Time(occurred)
	return e, nil
}

// Answer returns nil: any 2xx will do.
func (t *Telnyx) Answer(*event.Event) *Answer { return nil }

// Traits says how the requests look.
func (t *Telnyx) Traits() Traits {
	return Traits{Scheme: "telnyx", MaxBody: 1 << 20, MediaTypes: []string{jsonType}, Headers: []string{"User-Agent", "Telnyx-Timestamp"}}
}

var telnyxKind = Kind{
	Identity: Identity{Rule: IdentityOwn, Docs: "https://developers.telnyx.com/docs/voice/programmable-voice/voice-api-webhooks"},
	Name:     "telnyx", Title: "Telnyx", Docs: "https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks",
	Variable: "TELNYX_PUBLIC_KEY", Secret: "the public key of the account, base64, from Keys & Credentials → Public Key",
	Dashboard: []string{
		"Set {url} as webhook URL of the messaging profile or the application, API version 2.",
		"Copy the public key into {variable}.",
	},
	Retries: "To the failover URL when the first one does not answer with 2xx, and again when there is no answer in time.",
	ID:      "`data.id`", Type: "`data.event_type`",
	Generate: func(random io.Reader) (string, error) { return GenerateKey(KeyEd25519, random) },
	Samples: []Sample{{Name: "message.received", Body: `{"data":{"record_type":"event","event_type":"message.received","id":"{{.ID}}","occurred_at":"{{.ISO 0}}",` +
		`"payload":{"record_type":"message","id":"{{.UUID "message"}}","direction":"inbound","messaging_profile_id":"{{.UUID "profile"}}","type":"SMS","text":"hello",` +
		`"from":{"phone_number":"+15005550006","carrier":"","line_type":"Wireless"},"to":[{"phone_number":"+15005550007","status":"webhook_delivered"}],"parts":1,"received_at":"{{.ISO 0}}","errors":[]}},` +
		`"meta":{"attempt":1,"delivered_to":"https://hooks.example.com/webhooks/telnyx"}}`}},
	SecretBytes: unmeasured,
	Build:       func(s Settings) (Provider, error) { return NewTelnyx(s.Secrets) },
}
