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

// maxEcho bounds a challenge that is sent back, in bytes.
const maxEcho = 1 << 10

// echo returns a challenge to its sender, as text that no browser takes for a page (the door adds nosniff). One that is
// empty or too long is refused: this is not a mirror for anything.
func echo(challenge string) (*Greeting, error) {
	if challenge == "" || len(challenge) > maxEcho {
		return nil, noEvent("the challenge is empty or longer than %d bytes", maxEcho)
	}
	return &Greeting{Answer: Answer{ContentType: "text/plain; charset=utf-8", Body: []byte(challenge)}}, nil
}
