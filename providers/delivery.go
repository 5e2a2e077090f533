package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"hookflow/event"
)

// Delivery is what a verified request holds: one event, a batch of them, or a handshake.
type Delivery struct {
	// Events are complete, in the order of the body. One, unless Batch or Greeting is set.
	Events []event.Event
	// Batch says that the request was a list, be it of one event or of none.
	Batch bool
	// Greeting is set for a handshake: there is no event then.
	Greeting *Greeting
}

// Batcher is a Provider whose one request may hold several events.
type Batcher interface {
	Provider
	// IdentifyAll reads every event of a verified request, in the order of the body, with the fields that Identify fills.
	// Body is the event's own text (a part of r.Body where it can be), ContentType its media type where that is not the
	// request's. batch is false when r is no list: Identify reads it then. An item that has no usable id or type is no
	// reason to fail: Source gives it the hash of its body for an id, so that its neighbours are kept. No events at all
	// (a test of the endpoint) are an empty list.
	IdentifyAll(r *Request) (events []event.Event, batch bool, err error)
}

// Read verifies r and returns what is in it. Errors are *Error: CodeSignature when verification failed, CodeNoEvent when
// the request is genuine but holds nothing that can be kept, CodeTooMany when it holds too much.
func (s Source) Read(r *Request, now time.Time) (Delivery, error) {
	r.Received = now
	if err := s.Verify(r, now); err != nil {
		return Delivery{}, err
	}
	if g, can := s.Provider.(Greeter); can {
		if greeting, err := g.Greet(r); greeting != nil || err != nil {
			return Delivery{Greeting: greeting}, err
		}
	}
	if b, can := s.Provider.(Batcher); can {
		events, batch, err := b.IdentifyAll(r)
		if err == nil {
			err = checkItems(len(events), 0)
		}
		if batch || err != nil {
			return Delivery{Events: s.completeAll(events, r, now), Batch: true}, err
		}
	}
	e, err := s.Identify(r)
	if err != nil {
		return Delivery{}, err
	}
	if err := checkIdentity(&e); err != nil {
		return Delivery{}, err
	}
	events := []event.Event{e}
	s.complete(&events[0], r, now)
	return Delivery{Events: events}, nil
}

func checkIdentity(e *event.Event) error {
	if why := event.CheckID(e.EventID); why != "" {
		return noEvent("the event id %s", why)
	}
	if why := event.CheckID(e.Type); why != "" {
		return noEvent("the event type %s", why)
	}
	if e.Account != "" {
		if why := event.CheckID(e.Account); why != "" {
			return noEvent("the account %s", why)
		}
	}
	return nil
}

// completeAll completes the events of a batch. What one of them lacks is filled in rather than refused: a 400 would lose
// its neighbours.
func (s Source) completeAll(events []event.Event, r *Request, now time.Time) []event.Event {
	for i := range events {
		e := &events[i]
		if event.CheckID(e.EventID) != "" {
			sum := sha256.Sum256(e.Body)
			e.EventID = "sha256-" + hex.EncodeToString(sum[:])
		}
		if event.CheckID(e.Type) != "" {
			e.Type = unknownType
		}
		if e.Account != "" && event.CheckID(e.Account) != "" {
			e.Account = ""
		}
		s.complete(e, r, now)
	}
	return events
}

func (s Source) complete(e *event.Event, r *Request, now time.Time) {
	traits := s.Traits()
	e.Provider, e.Scheme = s.Name, traits.Scheme
	e.ID = event.ID(e.Key())
	e.ReceivedAt = now.UTC()
	if e.ContentType == "" {
		e.ContentType = toText(r.Header.Get("Content-Type"))
	}
	e.Headers = keepHeaders(r.Header, traits.Headers)
}
