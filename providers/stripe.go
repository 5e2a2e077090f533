package providers

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v79/webhook"

	"hookflow/event"
)

const stripeHeader = "Stripe-Signature"

// Stripe verifies and reads the requests of Stripe's webhook endpoints and event destinations.
// https://docs.stripe.com/webhooks#verify-manually
type Stripe struct{ secrets []string }

// NewStripe takes the signing secrets that are current, whsec_ included: Stripe's key is the whole text. Several are
// current for up to 24 hours while one is rolled. It refuses none, more than MaxSecrets, and an empty one.
func NewStripe(secrets []string) (*Stripe, error) {
	current, err := currentSecrets(secrets)
	if err != nil {
		return nil, err
	}
	return &Stripe{secrets: current}, nil
}

// Verify accepts a request when any v1 signature of its header is right under any secret. stripe-go compares; in front
// of it stands what it does not check: header size and count, a time that lies ahead, the injected clock. All secrets
// are tried, so that the time taken does not tell which one matched.
func (s *Stripe) Verify(r *Request, now time.Time) error {
	header, err := only(r.Header, stripeHeader)
	if err != nil {
		return err
	}
	signed, err := stripeTime(header)
	if err != nil {
		return err
	}
	if err := inWindow(signed, now, Tolerance); err != nil {
		return err
	}
	found := false
	for _, secret := range s.secrets {
		found = webhook.ValidatePayloadIgnoringTolerance(r.Body, header, secret) == nil || found
	}
	if !found {
		return unverified(ReasonMismatch)
	}
	return nil
}

// stripeTime reads the time of a header such as t=1767225600,v1=ab12…,v0=cd34…. Each piece has exactly one =, as
// stripe-go demands; t comes exactly once (stripe-go takes the last), a v1 at least once.
func stripeTime(header string) (time.Time, error) {
	var signed time.Time
	times, signatures, current := 0, 0, 0
	for piece := range strings.SplitSeq(header, ",") {
		name, value, found := strings.Cut(piece, "=")
		if !found || strings.Contains(value, "=") {
			return signed, unverified(ReasonMalformed)
		}
		if name == "t" {
			var ok bool
			if signed, ok = signedSeconds(value); !ok {
				return signed, unverified(ReasonMalformed)
			}
			times++
			continue
		}
		signatures++
		if name == "v1" {
			current++
		}
	}
	if times != 1 || signatures > maxSignatures {
		return signed, unverified(ReasonMalformed)
	}
	if current == 0 {
		return signed, unverified(ReasonMissing)
	}
	return signed, nil
}

// Identify reads an event of any API version, and a thin event (object v2.core.event), whose created is an RFC 3339
// string and whose context may name the account. https://docs.stripe.com/api/v2/core/events. The tests of old dashboards,
// and fixtures, all have the id evt_00000000000000: a digest tells those apart.
func (s *Stripe) Identify(r *Request) (event.Event, error) {
	body, err := parseObject(r.Body)
	if err != nil {
		return event.Event{}, err
	}
	var id, typ, account, context, created, livemode jsonValue
	for it := body.items(); it.next(); {
		switch string(it.key) {
		case "id":
			id = it.value
		case "type":
			typ = it.value
		case "account":
			account = it.value
		case "context":
			context = it.value
		case "created":
			created = it.value
		case "livemode":
			livemode = it.value
		}
	}
	e := event.Event{Livemode: livemode.truth(), OccurredAt: stripeCreated(created), Body: r.Body}
	if e.EventID, err = id.required("id"); err != nil {
		return event.Event{}, err
	}
	if sample := strings.TrimLeft(strings.TrimPrefix(e.EventID, "evt_"), "0"); sample == "" {
		e.EventID += ":" + sumID(r.Body)
	}
	if e.Type, err = typ.required("type"); err != nil {
		return event.Event{}, err
	}
	if e.Account, err = account.text("account"); err != nil {
		return event.Event{}, err
	}
	if e.Account == "" && context.kind() == '"' {
		if e.Account, err = context.text("context"); err != nil {
			return event.Event{}, err
		}
	}
	return e, nil
}

// stripeCreated reads created: seconds in an event, RFC 3339 in a thin one.
func stripeCreated(v jsonValue) time.Time {
	if v.isNumber() {
		return secondsTime(string(v.bytes()))
	}
	text, err := v.text("created")
	if err != nil {
		return time.Time{}
	}
	return rfc3339Time(text)
}

// Answer returns nil: any 2xx will do for Stripe.
func (s *Stripe) Answer(*event.Event) *Answer { return nil }

// Traits says how Stripe's requests look. The cap is far above Stripe's own example of 64 KiB; large events exist.
func (s *Stripe) Traits() Traits {
	return Traits{
		Scheme:     "stripe",
		MaxBody:    1 << 20,
		MediaTypes: []string{jsonType},
		Headers:    []string{"User-Agent"},
	}
}

// Sign signs as Stripe does: t and one v1, under the first secret.
func (s *Stripe) Sign(r *Request, now time.Time) {
	sum := webhook.ComputeSignature(now, r.Body, s.secrets[0])
	setHeader(r, stripeHeader, "t="+strconv.FormatInt(now.Unix(), 10)+",v1="+hex.EncodeToString(sum))
}

var stripeKind = Kind{
	Identity: Identity{Rule: IdentityOwn, Docs: "https://docs.stripe.com/webhooks#handle-duplicate-events"},
	Name:     "stripe", Title: "Stripe", Docs: "https://docs.stripe.com/webhooks",
	Variable: "STRIPE_WEBHOOK_SECRET", Secret: "the endpoint's signing secret, whsec_…, from Workbench → Webhooks",
	Dashboard: []string{
		"Workbench → Webhooks → Add destination, URL {url}; choose the event types that your routes name.",
		"Copy the signing secret (whsec_…) into {variable}. Each endpoint has its own: test mode, live mode and `stripe listen` differ.",
	},
	Retries: "Live mode: up to 3 days with growing pauses; test mode: 3 times. Any 2xx is a success.",
	ID:      "`id` of the body", Type: "`type` of the body",
	Build: func(s Settings) (Provider, error) { return NewStripe(s.Secrets) },
}
