package providers

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"hookflow/event"
)

// VapiConfig says how Vapi authenticates its requests: one credential per server object, so schemes and secrets are the
// operator's choice, never the sender's.
type VapiConfig struct {
	Secrets []string // current ones, at most MaxSecrets
	Schemes []string // of hmac, standard, secret, bearer; none means hmac
}

// Vapi verifies and reads the server messages of Vapi.
// https://docs.vapi.ai/server-url/server-authentication, https://docs.vapi.ai/server-url/events
type Vapi struct{ schemes []proof }

// vapiHMAC is Vapi's HMAC credential with its defaults. The unit of the time is not documented.
var vapiHMAC = Signature{
	Headers:        []string{"X-Signature"},
	Template:       "{timestamp}.{body}",
	Timestamp:      Timestamp{Header: "X-Timestamp"},
	AllowEmptyBody: true, // it is refused as no event
}

// NewVapi refuses a scheme it does not know, no secret, more than MaxSecrets, an empty one, and a scheme that none of
// the secrets fits. A public key (whpk_…) serves the standard scheme only: as an HMAC key or a token it would let anybody
// in who knows it, which is everybody. Beside other schemes, standard takes the secrets that are base64.
func NewVapi(c VapiConfig) (*Vapi, error) {
	secrets, err := currentSecrets(c.Secrets)
	if err != nil {
		return nil, err
	}
	names := c.Schemes
	if len(names) == 0 {
		names = []string{"hmac"}
	}
	v := &Vapi{}
	for _, name := range names {
		s, err := newVapiScheme(name, secrets, len(names) == 1)
		if err != nil {
			return nil, fmt.Errorf("scheme %s: %w", name, err)
		}
		v.schemes = append(v.schemes, s)
	}
	return v, nil
}

func newVapiScheme(name string, secrets []string, alone bool) (proof, error) {
	switch name {
	case "hmac", "standard", "secret", "bearer":
	default:
		return nil, errors.New("unknown: write hmac, standard, secret or bearer")
	}
	if name == "standard" {
		return newVapiStandard(secrets, alone)
	}
	var private []string
	for _, s := range secrets {
		if !strings.HasPrefix(s, publicKeyPrefix) {
			private = append(private, s)
		}
	}
	switch {
	case len(private) == 0:
		return nil, errors.New("a public key proves nothing here")
	case name == "secret":
		return newToken("X-Vapi-Secret", "", private), nil
	case name == "bearer":
		return newToken("Authorization", "Bearer ", private), nil
	}
	return NewVerifier(vapiHMAC, private)
}

// newVapiStandard takes every secret when standard is the only scheme, else those that fit it, at least one.
func newVapiStandard(secrets []string, alone bool) (proof, error) {
	if alone {
		return newAlternatives(standardSignatures, secrets)
	}
	var fit []string
	var last error
	for i, secret := range secrets {
		if _, err := newAlternatives(standardSignatures, []string{secret}); err != nil {
			last = fmt.Errorf("secret %d: %w", i+1, err)
			continue
		}
		fit = append(fit, secret)
	}
	if len(fit) == 0 {
		return nil, last
	}
	return newAlternatives(standardSignatures, fit)
}

// Verify accepts a request when one of the configured schemes proves it. A scheme whose header is absent does not count;
// with several present and none right, the reason is that of the first configured.
func (v *Vapi) Verify(r *Request, now time.Time) error {
	var first error
	for _, s := range v.schemes {
		if !s.present(r.Header) {
			continue
		}
		err := s.Verify(r, now)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		return unverified(ReasonMissing)
	}
	return first
}

// Sign signs under the first configured scheme.
func (v *Vapi) Sign(r *Request, now time.Time) { v.schemes[0].Sign(r, now) }

// Identify reads a server message. The id is the composite of its type under every scheme, since Vapi does not say
// whether webhook-id stays the same over attempts. Credentials are masked in the event's body.
func (v *Vapi) Identify(r *Request) (event.Event, error) {
	body, err := parseObject(r.Body)
	if err != nil {
		return event.Event{}, err
	}
	m, err := readVapiMessage(body)
	if err != nil {
		return event.Event{}, err
	}
	id, err := m.eventID()
	if err != nil {
		return event.Event{}, err
	}
	account, err := m.holder().member("orgId").text("orgId")
	if err != nil {
		return event.Event{}, err
	}
	e := event.Event{
		EventID:    id,
		Type:       m.typ,
		Account:    account,
		OccurredAt: m.occurredAt(),
		Chatty:     m.chatty(),
	}
	e.Body, e.BodyMasked = maskCredentials(body)
	return e, nil
}

// Traits says how Vapi's requests look. End-of-call reports carry the whole conversation: several MB are normal.
func (v *Vapi) Traits() Traits {
	return Traits{
		Scheme:     "vapi",
		MaxBody:    10 << 20,
		MediaTypes: []string{jsonType},
		Headers:    []string{"User-Agent", "X-Timestamp", "Webhook-Id", "Webhook-Timestamp"},
	}
}

// vapiBytes measures a secret as Standard Webhooks writes it by its key, a public key not at all, others as they are.
func vapiBytes(secret string) int {
	if strings.HasPrefix(secret, publicKeyPrefix) {
		return unmeasured(secret)
	}
	if coded, ok := strings.CutPrefix(strings.TrimRight(secret, "\r\n"), secretKeyPrefix); ok {
		if key, err := decodeKey(coded); err == nil {
			return len(key)
		}
	}
	return asWritten(secret)
}

var vapiKind = Kind{
	Identity: Identity{Rule: IdentityOnce, Docs: "https://docs.vapi.ai/server-url/events", Why: "a call has one report and passes each status once; what comes again has its time or a digest"},
	Name:     "vapi", Title: "Vapi", Docs: "https://docs.vapi.ai/server-url/server-authentication",
	Variable: "VAPI_WEBHOOK_SECRET", Secret: "the secret of the server's credential",
	Options: []Option{{Name: "scheme", Variable: "VAPI_WEBHOOK_SCHEME", What: "hmac (default), standard, secret or bearer, comma-separated"}},
	Dashboard: []string{
		"Dashboard → Integrations → Server Configuration → Add Custom Credential, type HMAC: SHA-256, header x-signature, timestamp header x-timestamp, payload format {timestamp}.{body}, hex. Its secret is {variable}.",
		"Set server.url to {url} and server.credentialId to that credential.",
		"Set a backoffPlan: without one Vapi never sends a message twice.",
	},
	Retries: "None without a `backoffPlan`. Messages that want an answer have 7.5 s (`assistant-request`) or 20 s.",
	ID:      "by type, such as `call.id:status-update:status`", Type: "`message.type`",
	SecretBytes: vapiBytes,
	Build: func(s Settings) (Provider, error) {
		return NewVapi(VapiConfig{Secrets: s.Secrets, Schemes: splitList(s.Options["scheme"])})
	},
}
