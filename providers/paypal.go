package providers

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"regexp"
	"strconv"
	"time"

	"hookflow/event"
)

const (
	payPalID        = "Paypal-Transmission-Id"
	payPalTime      = "Paypal-Transmission-Time"
	payPalSignature = "Paypal-Transmission-Sig"
	payPalCert      = "Paypal-Cert-Url"
	payPalAlgorithm = "Paypal-Auth-Algo"

	// payPalPast is how old a transmission may be: PayPal tries 25 times over three days, and does not say whether a
	// later attempt has a time of its own. https://developer.paypal.com/api/rest/webhooks/
	payPalPast = 72*time.Hour + Tolerance

	payPalSHA256 = "SHA256withRSA"

	// payPalOwnCert is the address under which a key pair of one's own is known; it is never asked for.
	payPalOwnCert = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-hookflow"
)

var (
	payPalCerts = regexp.MustCompile(`^https://([a-z0-9-]+\.)*paypal\.com/[A-Za-z0-9._/-]+$`)
	payPalNames = regexp.MustCompile(`(?i)^([a-z0-9-]+\.)*paypal\.com$`)
	// payPalWord is the form of an id. A bar in one would move the borders of what is signed.
	payPalWord = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// PayPalConfig is what NewPayPal needs to know.
type PayPalConfig struct {
	// WebhookIDs are the ids of the webhooks that post here, as PayPal's dashboard shows them: part of what is signed, so
	// that another merchant's webhook cannot post here. A key pair made by GenerateKey may stand among them.
	WebhookIDs []string
	Fetch      Fetch
}

// PayPal verifies and reads the webhooks of PayPal's REST APIs: RSA over the transmission's id, its time, the webhook's id
// and the CRC-32 of the body, by a key whose certificate is fetched from PayPal.
// https://developer.paypal.com/api/rest/webhooks/rest/
type PayPal struct {
	ids     []string
	certs   *certificates
	used    *oneTime
	private *rsa.PrivateKey
}

var _ Signer = (*PayPal)(nil)

// NewPayPal refuses no webhook id, more than MaxSecrets, and what is none.
func NewPayPal(c PayPalConfig) (*PayPal, error) {
	texts, err := currentSecrets(c.WebhookIDs)
	if err != nil {
		return nil, err
	}
	p := &PayPal{certs: newCertificates(c.Fetch, payPalCerts, payPalNames), used: newOneTime()}
	for i, text := range texts {
		private, own, err := readPrivateKey[*rsa.PrivateKey](text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("webhook id %d %w", i+1, err)
		case own:
			p.private = private
			p.certs.give(payPalOwnCert, &private.PublicKey)
		case !payPalWord.MatchString(text):
			return nil, fmt.Errorf("webhook id %d is not one of letters and digits", i+1)
		default:
			p.ids = append(p.ids, text)
		}
	}
	if len(p.ids) == 0 {
		return nil, fmt.Errorf("there is no webhook id: %w", errNoSecret)
	}
	return p, nil
}

// Verify implements Provider. The CRC-32 binds the body to the signature hardly at all: whoever captured a request can
// make another body for it. So a transmission's id is taken with one body only.
func (p *PayPal) Verify(r *Request, now time.Time) error {
	signature, err := only(r.Header, payPalSignature)
	if err != nil {
		return err
	}
	algorithm, err := only(r.Header, payPalAlgorithm)
	if err != nil {
		return err
	}
	if algorithm != payPalSHA256 {
		return unverified(ReasonVersion)
	}
	id, timestamp, signed, err := p.transmission(r, now)
	if err != nil {
		return err
	}
	sum, ok := strictBase64(signature)
	if !ok {
		return unverified(ReasonMalformed)
	}
	cert, err := only(r.Header, payPalCert)
	if err != nil {
		return err
	}
	key, err := p.certs.key(cert, now)
	if err != nil {
		return err
	}
	found := false
	for _, webhook := range p.ids {
		digest := payPalSum(id, timestamp, webhook, r.Body)
		found = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], sum) == nil || found
	}
	if !found {
		return unverified(ReasonMismatch)
	}
	if !p.used.admit(id, r.Body, now, signed.Add(payPalPast)) {
		return unverified(ReasonReused)
	}
	return nil
}

// transmission returns the id and the time of a transmission, the latter within its window.
func (p *PayPal) transmission(r *Request, now time.Time) (id, timestamp string, signed time.Time, err error) {
	if id, err = only(r.Header, payPalID); err != nil {
		return "", "", signed, err
	}
	if timestamp, err = only(r.Header, payPalTime); err != nil {
		return "", "", signed, err
	}
	signed = rfc3339Time(timestamp)
	if !payPalWord.MatchString(id) || signed.IsZero() {
		return "", "", signed, unverified(ReasonMalformed)
	}
	return id, timestamp, signed, inUnevenWindow(signed, now, payPalPast, Tolerance)
}

func payPalSum(id, timestamp, webhook string, body []byte) [sha256.Size]byte {
	crc := strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)
	return sha256.Sum256([]byte(id + "|" + timestamp + "|" + webhook + "|" + crc))
}

// Identify reads id, event_type and create_time. The id is that of the event, not of the transmission, and the same in
// each attempt.
func (p *PayPal) Identify(r *Request) (event.Event, error) {
	body, err := parseObject(r.Body)
	if err != nil {
		return event.Event{}, err
	}
	e := event.Event{Body: r.Body}
	if e.EventID, err = body.member("id").required("id"); err != nil {
		return event.Event{}, err
	}
	if e.Type, err = body.member("event_type").required("event_type"); err != nil {
		return event.Event{}, err
	}
	created, _ := body.member("create_time").scalar("create_time")
	e.OccurredAt = rfc3339Time(created)
	return e, nil
}

// Answer returns nil: any 2xx will do.
func (p *PayPal) Answer(*event.Event) *Answer { return nil }

// Traits says how the requests look.
func (p *PayPal) Traits() Traits {
	return Traits{
		Scheme: "paypal", MaxBody: 1 << 20, MediaTypes: []string{jsonType},
		Headers: []string{"User-Agent", payPalID, payPalTime, "Correlation-Id"},
	}
}

// Sign implements Signer, for the first webhook. Without a key pair of one's own it leaves r as it is.
func (p *PayPal) Sign(r *Request, now time.Time) {
	if p.private == nil {
		return
	}
	id := r.Header.Get(payPalID)
	if id == "" {
		sum := sha256.Sum256(append([]byte(now.UTC().Format(time.RFC3339Nano)), r.Body...))
		id = fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	}
	timestamp := now.UTC().Format(time.RFC3339)
	digest := payPalSum(id, timestamp, p.ids[0], r.Body)
	signature, err := rsa.SignPKCS1v15(nil, p.private, crypto.SHA256, digest[:])
	if err != nil {
		return
	}
	setHeader(r, payPalID, id)
	setHeader(r, payPalTime, timestamp)
	setHeader(r, payPalAlgorithm, payPalSHA256)
	setHeader(r, payPalCert, payPalOwnCert)
	setHeader(r, payPalSignature, base64.StdEncoding.EncodeToString(signature))
}

var payPalKind = Kind{
	Identity: Identity{Rule: IdentityOwn, Docs: "https://developer.paypal.com/api/rest/webhooks/rest/"},
	Name:     "paypal", Title: "PayPal", Docs: "https://developer.paypal.com/api/rest/webhooks/rest/",
	Variable: "PAYPAL_WEBHOOK_ID", Secret: "the id of the webhook, from the app's page in the developer dashboard",
	Dashboard: []string{
		"Developer Dashboard → Apps & Credentials → your app → Add Webhook, URL {url}; choose the events.",
		"Copy the id of the new webhook into {variable}. Sandbox and live have their own.",
		"Let hookflow reach api.paypal.com (or api.sandbox.paypal.com) over https: the certificates of the signing keys are fetched from there.",
	},
	Retries: "25 times over 3 days after anything but 2xx.",
	ID:      "`id` of the body", Type: "`event_type`",
	Notes: []string{
		"A certificate that cannot be fetched within 2 s is answered with 503 and Retry-After. It is taken from *.paypal.com alone, its chain and name are checked, and it is kept until its end.",
		"The signature covers a CRC-32 of the body, which is easily matched by another body: so an id of a transmission is taken with one body only, as far as each process remembers.",
		"Events of PayPal's simulator are signed for no webhook and are refused.",
		"The time of a transmission may lie 3 days back: PayPal does not say whether a later attempt has a time of its own.",
	},
	Generate: func(random io.Reader) (string, error) { return withKey("HOOKFLOWDEV", random) },
	Samples: []Sample{{Name: "PAYMENT.CAPTURE.COMPLETED", Body: `{"id":"{{.ID}}","event_version":"1.0","create_time":"{{.ISO 0}}","resource_type":"capture","resource_version":"2.0",` +
		`"event_type":"PAYMENT.CAPTURE.COMPLETED","summary":"Payment completed for $ 30.0 USD","resource":{"id":"{{.Hex "" 17}}","status":"COMPLETED","final_capture":true,` +
		`"amount":{"currency_code":"USD","value":"30.00"},"create_time":"{{.ISO 0}}","update_time":"{{.ISO 0}}"},"links":[]}`}},
	SecretBytes: unmeasured,
	Build: func(s Settings) (Provider, error) {
		return NewPayPal(PayPalConfig{WebhookIDs: s.Secrets, Fetch: s.Fetch})
	},
}
