package providers

import "context"

// Greeting is the answer to a handshake: a request with which the sender asks whether an endpoint is there and whose it
// is. Nothing of it is stored.
type Greeting struct {
	Answer
	// Confirm, where set, is what must have been done before the answer is given, such as asking for the address that
	// confirms a subscription. It has a few seconds; an error asks the sender to come again.
	Confirm func(ctx context.Context) error
}

// Prober is a Provider that is asked without a signature, by GET, HEAD, or a POST without a body.
type Prober interface {
	Provider
	// Probe looks at the head of a request, before its body is read: r.Body is nil. It returns nil when r is no probe. An
	// *Error of CodeSignature refuses one that does not know what it must.
	Probe(r *Request) (*Greeting, error)
}

// Greeter is a Provider some of whose verified requests are handshakes.
type Greeter interface {
	Provider
	// Greet returns nil when the verified request r holds events. An *Error of CodeNoEvent says what is wrong with a
	// handshake.
	Greet(r *Request) (*Greeting, error)
}
