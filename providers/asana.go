package providers

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"hookflow/event"
)

const (
	asanaSecret    = "X-Hook-Secret"
	asanaSignature = "X-Hook-Signature"
	// asanaPairing stands among the secrets while a webhook is being made.
	asanaPairing = "pairing"
)

// asanaWord is the form of a secret that is sent back.
var asanaWord = regexp.MustCompile(`^[A-Za-z0-9_-]{8,256}$`)

// Asana verifies and reads the webhooks of Asana. Its secret comes with the first request, which only must be sent back;
// whoever made the webhook gets it as well, in a header of the answer.
// https://developers.asana.com/docs/webhooks-guide
type Asana struct {
	verifier *Verifier // nil while there is no secret yet
	pairing  bool
}

var (
	_ Signer  = (*Asana)(nil)
	_ Batcher = (*Asana)(nil)
	_ Prober  = (*Asana)(nil)
)

// NewAsana takes the current secrets, each webhook has its own, and the word "pairing" while one is being made. It refuses
// none, more than MaxSecrets, and an empty one.
func NewAsana(secrets []string) (*Asana, error) {
	secrets, err := currentSecrets(secrets)
	if err != nil {
		return nil, err
	}
	a := &Asana{pairing: slices.Contains(secrets, asanaPairing)}
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return s == asanaPairing })
	if len(secrets) > 0 {
		if a.verifier, err = NewVerifier(Signature{Headers: []string{asanaSignature}}, secrets); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Probe answers the handshake, and only while pairing: a secret comes and goes back.
func (a *Asana) Probe(r *Request) (*Greeting, error) {
	secret, err := only(r.Header, asanaSecret)
	if r.Method != http.MethodPost || len(r.Header.Values(asanaSecret)) == 0 {
		return nil, nil
	}
	if !a.pairing {
		return nil, unverified(ReasonPairing)
	}
	if err != nil || !asanaWord.MatchString(secret) {
		return nil, noEvent("%s is not a secret of Asana's", asanaSecret)
	}
	return &Greeting{Answer: Answer{Header: map[string]string{asanaSecret: secret}}}, nil
}

// Verify implements Provider. No time is signed: only the ids of the events make a replay a duplicate.
func (a *Asana) Verify(r *Request, now time.Time) error {
	if a.verifier == nil {
		return unverified(ReasonPairing)
	}
	return a.verifier.Verify(r, now)
}

// Sign implements Signer with the first secret. Without one it leaves r as it is.
func (a *Asana) Sign(r *Request, now time.Time) {
	if a.verifier != nil {
		a.verifier.Sign(r, now)
	}
}

// Identify refuses what is no batch; IdentifyAll reads those.
func (a *Asana) Identify(r *Request) (event.Event, error) {
	if _, err := parseObject(r.Body); err != nil {
		return event.Event{}, err
	}
	return event.Event{}, noEvent("the body has no events")
}

// IdentifyAll reads the events, which have no ids: resource, action, time and 16 hexadecimal digits of the hash of the
// whole event stand in, since an event is the same in each attempt. An empty list is Asana's heartbeat.
func (a *Asana) IdentifyAll(r *Request) (events []event.Event, batch bool, err error) {
	body, err := parseObject(r.Body)
	list := body.member("events")
	if err != nil || list.kind() != '[' {
		return nil, false, nil
	}
	for _, item := range list.elements() {
		e := event.Event{Body: item.bytes()}
		resource := item.member("resource")
		gid, _ := resource.member("gid").scalar("resource.gid")
		kind, _ := resource.member("resource_type").text("resource.resource_type")
		action, _ := item.member("action").text("action")
		created, _ := item.member("created_at").text("created_at")
		e.OccurredAt = rfc3339Time(created)
		if kind != "" && action != "" {
			e.Type = kind + "." + action
		}
		if gid != "" && action != "" {
			e.EventID = composeID(gid, action, created, shortHash(e.Body))
		}
		events = append(events, e)
	}
	return events, true, nil
}

// Answer returns nil: Asana takes 200 and 204 as success.
func (a *Asana) Answer(*event.Event) *Answer { return nil }

// Traits says how the requests look.
func (a *Asana) Traits() Traits {
	return Traits{Scheme: "asana", MaxBody: 4 << 20, MediaTypes: []string{jsonType}, Headers: []string{"User-Agent"}}
}

// asanaBytes measures a webhook's own secret, not the word.
func asanaBytes(secret string) int {
	if strings.TrimRight(secret, "\r\n") == asanaPairing {
		return unmeasured(secret)
	}
	return asWritten(secret)
}

var asanaKind = Kind{
	Identity: Identity{Rule: IdentityComposed, Docs: "https://developers.asana.com/docs/webhooks-guide", Why: "Asana numbers nothing"},
	Name:     "asana", Title: "Asana", Docs: "https://developers.asana.com/docs/webhooks-guide",
	Variable: "ASANA_WEBHOOK_SECRET", Secret: "the X-Hook-Secret of each webhook, or the word pairing while one is made",
	Dashboard: []string{
		"Add the word pairing to {variable} (ASANA_WEBHOOK_SECRET=pairing at first) and restart: only then is a handshake answered.",
		"Make the webhook: POST /webhooks with the target {url}. The answer's header X-Hook-Secret holds its secret.",
		"Put that secret into {variable} in place of pairing, and restart. Events that came in between were answered with 401 and are sent again for 24 hours.",
	},
	Retries: "With growing pauses for 24 hours; then the webhook is deleted. It waits 10 s.",
	ID:      "per event `resource.gid:action:created_at` and a hash of the event, since Asana numbers nothing", Type: "`resource_type.action`, such as `task.changed`",
	Notes: []string{
		"An empty list of events is Asana's heartbeat, every 8 hours; it is answered and nothing is stored.",
	},
	Samples: []Sample{{Name: "task.changed", Body: `{"events":[{"user":{"gid":"12345","resource_type":"user"},"created_at":"{{.ISO 0}}","action":"changed",` +
		`"resource":{"gid":"{{.ID}}","resource_type":"task","resource_subtype":"default_task"},"parent":null,"change":{"field":"assignee","action":"changed"}}]}`}},
	SecretBytes: asanaBytes,
	Build:       func(s Settings) (Provider, error) { return NewAsana(s.Secrets) },
}
