// Package providers knows who sent a request: raw bytes in, a verified event or a typed error out.
//
// One file per provider. A provider that an existing scheme covers needs no file; one with its own scheme is one file
// here and one line in the list of New.
package providers

import (
	"net/http"
	"time"

	"hookflow/event"
)

// Tolerance is how far a signed timestamp may lie from the clock, in both directions. Stripe's and Standard Webhooks'
// libraries use the same five minutes, but look at the past only.
const Tolerance = 5 * time.Minute

// MaxSecrets bounds how many secrets of one provider are current at a time: each costs one HMAC per wrong request.
const MaxSecrets = 5

// maxSignatureHeader bounds the bytes of a signature header that are looked at, maxSignatures how many signatures in it
// are compared (stripe-go has no limit: 10,000 are accepted).
const (
	maxSignatureHeader = 8 << 10
	maxSignatures      = 20
)

// Request is a request as it came over the wire.
type Request struct {
	Method string
	// URL is the public URL that the sender called, byte for byte: HOOKFLOW_PUBLIC_URL plus the request's raw path and
	// raw query. Never built from Host or X-Forwarded-*.
	URL    string
	Header http.Header
	Body   []byte
}

// Answer is a provider's own reply to an accepted or duplicate event.
type Answer struct {
	ContentType string // empty: no Content-Type header and no body
	Body        []byte
	// Warning is one sentence for the operator's log when the answer stands in for something that is not built.
	Warning string
}

// Provider verifies and reads the requests of one sender. Implementations hold no state that a request changes and are
// safe for concurrent use.
type Provider interface {
	// Verify checks the signature of r against every current secret, in constant time, with now as the clock.
	// Any failure is an *Error of code CodeSignature; its Reason is for the operator only.
	Verify(r *Request, now time.Time) error

	// Identify reads the event out of a verified request: EventID, Type, Account, Livemode, OccurredAt, Chatty, Body
	// (masked where BodyMasked). Provider, Scheme, ID, ReceivedAt, Headers and ContentType are filled by Source.
	// A request that holds no event is an *Error of code CodeNoEvent whose Reason may be shown to the sender.
	Identify(r *Request) (event.Event, error)

	// Answer returns the provider's own reply, or nil for the JSON answer of the contract.
	Answer(e *event.Event) *Answer

	// Traits says how requests to the provider look.
	Traits() Traits
}

// Signer is a Provider that can sign as its sender does. Sign sets the signing headers on r (and may extend r.URL, as
// Twilio's bodySHA256 does), with the first secret and now as the clock. hookflow send and the tests use it.
type Signer interface {
	Provider
	Sign(r *Request, now time.Time)
}

// Traits are the facts about a provider's requests that are known before one arrives.
type Traits struct {
	Scheme string
	// MaxBody is the largest accepted body in bytes.
	MaxBody int64
	// MediaTypes are the accepted media types, without parameters, in lower case.
	MediaTypes []string
	// Headers are the request headers kept with the event: an allow-list in canonical form. Never a secret or signature.
	Headers []string
	// SignsURL says that the signature covers the public URL, so HOOKFLOW_PUBLIC_URL must be right.
	SignsURL bool
}

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

// Source is a provider under the name by which it is addressed: the word in /webhooks/{provider}.
type Source struct {
	Name string
	Provider
}

// Read verifies r and returns its event, complete. Errors are *Error: CodeSignature when verification failed,
// CodeNoEvent when the request is genuine but holds no event that can be kept.
func (s Source) Read(r *Request, now time.Time) (event.Event, error) {
	if err := s.Verify(r, now); err != nil {
		return event.Event{}, err
	}
	e, err := s.Identify(r)
	if err != nil {
		return event.Event{}, err
	}
	if why := event.CheckID(e.EventID); why != "" {
		return event.Event{}, noEvent("the event id %s", why)
	}
	if why := event.CheckID(e.Type); why != "" {
		return event.Event{}, noEvent("the event type %s", why)
	}
	if e.Account != "" {
		if why := event.CheckID(e.Account); why != "" {
			return event.Event{}, noEvent("the account %s", why)
		}
	}
	traits := s.Traits()
	e.Provider, e.Scheme = s.Name, traits.Scheme
	e.ID = event.ID(e.Key())
	e.ReceivedAt = now.UTC()
	e.ContentType = toText(r.Header.Get("Content-Type"))
	e.Headers = keepHeaders(r.Header, traits.Headers)
	return e, nil
}
