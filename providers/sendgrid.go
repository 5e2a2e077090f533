package providers

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strconv"
	"time"

	"hookflow/event"
)

const (
	sendGridSignature = "X-Twilio-Email-Event-Webhook-Signature"
	sendGridTimestamp = "X-Twilio-Email-Event-Webhook-Timestamp"
)

// SendGrid verifies and reads the Event Webhook: ECDSA over the time and the body, in which up to some hundred events
// stand. https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
type SendGrid struct{ keys *ecKeys }

var (
	_ Signer  = (*SendGrid)(nil)
	_ Batcher = (*SendGrid)(nil)
)

// NewSendGrid takes the verification keys of the event webhooks (Mail Settings, Event Webhooks, Signature Verification),
// base64 as they are shown. It refuses none, more than MaxSecrets, and what is no key of ECDSA on P-256.
func NewSendGrid(publicKeys []string) (*SendGrid, error) {
	keys, err := newECKeys(publicKeys)
	if err != nil {
		return nil, err
	}
	return &SendGrid{keys: keys}, nil
}

// Verify implements Provider. The body ends with CR LF, which is signed too.
func (s *SendGrid) Verify(r *Request, now time.Time) error {
	text, err := only(r.Header, sendGridSignature)
	if err != nil {
		return err
	}
	signature, ok := strictBase64(text)
	if !ok {
		return unverified(ReasonMalformed)
	}
	timestamp, err := timeHeader(r.Header, sendGridTimestamp, now)
	if err != nil {
		return err
	}
	if !s.keys.verify(sendGridSum(timestamp, r.Body), signature) {
		return unverified(ReasonMismatch)
	}
	return nil
}

func sendGridSum(timestamp string, body []byte) [sha256.Size]byte {
	hash := sha256.New()
	hash.Write([]byte(timestamp))
	hash.Write(body)
	return [sha256.Size]byte(hash.Sum(nil))
}

// Identify refuses what is no batch; IdentifyAll reads those.
func (s *SendGrid) Identify(r *Request) (event.Event, error) {
	_, err := parseList(r.Body)
	if err == nil {
		err = noEvent("the body is a batch")
	}
	return event.Event{}, err
}

// IdentifyAll reads sg_event_id, event and timestamp of each event. The id is the same in each attempt, whatever the
// batch it comes in.
func (s *SendGrid) IdentifyAll(r *Request) (events []event.Event, batch bool, err error) {
	list, err := parseList(r.Body)
	if err != nil {
		return nil, false, nil
	}
	for _, item := range list.elements() {
		e := event.Event{Body: item.bytes()}
		e.EventID, _ = item.member("sg_event_id").text("sg_event_id")
		e.Type, _ = item.member("event").text("event")
		occurred, _ := item.member("timestamp").scalar("timestamp")
		e.OccurredAt = secondsTime(occurred)
		events = append(events, e)
	}
	return events, true, nil
}

// Answer returns nil: any 2xx will do.
func (s *SendGrid) Answer(*event.Event) *Answer { return nil }

// Traits says how the requests look.
func (s *SendGrid) Traits() Traits {
	return Traits{Scheme: "sendgrid", MaxBody: 4 << 20, MediaTypes: []string{jsonType}, Headers: []string{"User-Agent", sendGridTimestamp}}
}

// Sign implements Signer. Without a key pair of one's own it leaves r as it is.
func (s *SendGrid) Sign(r *Request, now time.Time) {
	if s.keys.private == nil {
		return
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	sum := sendGridSum(timestamp, r.Body)
	// With a nil source the nonce follows from key and message (RFC 6979), so that a request is signed alike each time.
	signature, err := s.keys.private.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return
	}
	setHeader(r, sendGridTimestamp, timestamp)
	setHeader(r, sendGridSignature, base64.StdEncoding.EncodeToString(signature))
}

var sendGridKind = Kind{
	Identity: Identity{Rule: IdentityOwn, Docs: "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event"},
	Name:     "sendgrid", Title: "SendGrid", Docs: "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features",
	Variable: "SENDGRID_PUBLIC_KEY", Secret: "the verification key of the event webhook, base64",
	Dashboard: []string{
		"Settings → Mail Settings → Event Webhooks → Create new webhook, URL {url}; choose the events.",
		"Turn Signature Verification on, which it is not by default, and copy the verification key into {variable}.",
	},
	Retries: "For up to 24 hours after anything but 2xx.",
	ID:      "per event `sg_event_id`", Type: "`event`: `delivered`, `bounce`, `open`, …",
	Generate: func(random io.Reader) (string, error) { return GenerateKey(KeyECDSA, random) },
	Samples: []Sample{{Name: "delivered", Body: `[{"email":"alice@example.com","timestamp":{{.Unix 0}},"smtp-id":"<14c5d75ce93.dfd.64b469@ismtpd-555>","event":"delivered","category":["cat facts"],` +
		`"sg_event_id":"{{.ID}}","sg_message_id":"14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0","response":"250 OK"}]` + "\r\n"}},
	SecretBytes: unmeasured,
	Build:       func(s Settings) (Provider, error) { return NewSendGrid(s.Secrets) },
}
