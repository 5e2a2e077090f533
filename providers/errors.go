package providers

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an Error is.
type Code string

// The codes of this package.
const (
	// CodeSignature: the request is not proven to come from the provider. The sender learns nothing more.
	CodeSignature Code = "signature_invalid"
	// CodeNoEvent: the request is genuine, but there is no event in it that can be kept.
	CodeNoEvent Code = "event_invalid"
	// CodeTooMany: the request is genuine and holds more events than one request may.
	CodeTooMany Code = "events_too_many"
	// CodeUnavailable: what the verification needs from elsewhere cannot be had at the moment; the sender should come
	// again.
	CodeUnavailable Code = "verification_unavailable"
)

// The reasons of a signature failure: bounded words, fit for a metric label.
const (
	ReasonMissing   = "missing"   // a signing header is absent or empty
	ReasonMalformed = "malformed" // it cannot be read
	ReasonRepeated  = "repeated"  // a signing header came twice
	ReasonStale     = "stale"     // the signed time is too old
	ReasonFuture    = "future"    // the signed time lies ahead
	ReasonMismatch  = "mismatch"  // no secret gives this signature

	ReasonCertificate = "certificate" // the named certificate is not one of the provider's
	ReasonVersion     = "version"     // a version or algorithm that is not switched on
	ReasonReused      = "reused"      // a proof that came with another body before
	ReasonPairing     = "pairing"     // a handshake while none is expected, or an event before its end
)

// Error is a request that cannot become an event.
type Error struct {
	Code Code
	// Reason is one of the Reason words for CodeSignature and CodeUnavailable, one sentence for CodeNoEvent and CodeTooMany. It
	// never holds a secret, a signature, or more of the body than the name of a field.
	Reason string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Reason }

func unverified(reason string) error { return &Error{Code: CodeSignature, Reason: reason} }

func unavailable() error { return &Error{Code: CodeUnavailable, Reason: ReasonCertificate} }

func noEvent(format string, args ...any) error {
	return &Error{Code: CodeNoEvent, Reason: fmt.Sprintf(format, args...)}
}

func tooMany(count int) error {
	return &Error{Code: CodeTooMany, Reason: fmt.Sprintf("the delivery was read up to its event %d, and may hold %d in %d MiB", count, MaxItems, maxItemsBytes>>20)}
}

// errNoSecret is returned by constructors: an empty secret would verify anything that anybody signs with nothing.
var errNoSecret = errors.New("a secret is empty: it would accept what anybody signs")
