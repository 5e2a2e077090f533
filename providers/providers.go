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
	// Received is when it came; Source.Read sets it to its clock.
	Received time.Time
}

// Answer is a provider's own reply to an accepted or duplicate event, or to a handshake.
type Answer struct {
	Status      int    // 0 means 200
	ContentType string // empty: no Content-Type header and no body
	Body        []byte
	Header      map[string]string // further headers
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

	// Answer returns the provider's own reply, or nil for the JSON answer of the contract. e is nil for a batch, whose
	// answer is one for all of its events.
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
	// UntypedBody says that a request without a Content-Type is read too: the sender has one type only.
	UntypedBody bool
	// Headers are the request headers kept with the event: an allow-list in canonical form. Never a secret or signature.
	Headers []string
	// SignsURL says that the signature covers the public URL, so HOOKFLOW_PUBLIC_URL must be right.
	SignsURL bool
	// ProbeMethods are the methods, besides POST, by which a Prober is asked: of GET and HEAD.
	ProbeMethods []string
	// Refusal is how a request that is not proven is answered, where the provider demands more than a 401 with a problem.
	Refusal Refusal
}

// Refusal is a demanded answer to a false signature.
type Refusal struct {
	Status int  // 0 means 401
	Empty  bool // no body
}

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

// Source is a provider under the name by which it is addressed: the word in /webhooks/{provider}.
type Source struct {
	Name string
	Provider
	// Guessable says which secret is so short that it can be guessed; "" for none.
	Guessable string
	maxBody   int64
}

// Traits are those of the provider, with the source's own cap where it has one.
func (s Source) Traits() Traits {
	t := s.Provider.Traits()
	if s.maxBody > 0 {
		t.MaxBody = s.maxBody
	}
	return t
}
