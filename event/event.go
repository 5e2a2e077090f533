// Package event is the noun of the house: a verified webhook, whoever sent it.
// Every other package imports it; it imports the standard library only.
package event

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxEventIDBytes is the longest event id that is accepted. Providers' ids are far shorter; composite ids
// (a Vapi call with many tool calls) stay below it.
const MaxEventIDBytes = 1024

// plainIDBytes is the longest event id that goes into a workflow ID as it is. Temporal's own limit is 1,000 bytes,
// the stock compose configuration's 255.
const plainIDBytes = 200

// Event is one verified webhook. Body is never serialised: Temporal histories carry a reference, Postgres the bytes.
type Event struct {
	ID         string            `json:"id"`         // uuid v8 made from Key(), see ID
	Provider   string            `json:"provider"`   // the source's name: the path word, and the first part of the key
	Scheme     string            `json:"scheme"`     // how the source signs: stripe, twilio, vapi, …
	EventID    string            `json:"event_id"`   // the provider's id, or the composite that stands for it
	Type       string            `json:"event_type"` // the provider's own name of the type
	Account    string            `json:"account,omitempty"`
	Livemode   *bool             `json:"livemode,omitempty"`
	OccurredAt time.Time         `json:"occurred_at,omitzero"` // by the provider's clock; zero where it does not say
	ReceivedAt time.Time         `json:"received_at,omitzero"` // by ours
	Headers    map[string]string `json:"headers,omitempty"`    // the provider's allow-list only, canonical names
	// ContentType is the media type as received, parameters included.
	ContentType string `json:"content_type,omitempty"`
	Body        []byte `json:"-"`
	// BodyMasked says that credentials inside Body were replaced, so its signature no longer verifies.
	BodyMasked bool `json:"body_masked,omitempty"`

	// Chatty marks types that are sent many times a second and stored only when a route names them.
	Chatty bool `json:"-"`

	// Packed is the body (Pack) of an event that travels where the ledger cannot be relied on: in a run's question, and in
	// the attempts that answer it. Empty elsewhere.
	Packed []byte `json:"packed,omitempty"`
	// Answering says that a run was started together with a question, which it waits for before it begins.
	Answering bool `json:"answering,omitempty"`
	// Installation says whose run it is; what is stamped by the intake travels in the run's input.
	Installation Installation `json:"installation,omitzero"`
	// Generation counts the replays of the event; 0 is the first run.
	Generation int `json:"generation,omitempty"`
	// Reply says that the step at hand computes the answer for which the sender waits.
	Reply bool `json:"reply,omitempty"`
	// Step and Epoch say which step of the plan an activity works on; empty outside activities.
	Step  string `json:"step,omitempty"`
	Epoch int    `json:"epoch,omitempty"`
	// Waiting goes with the attempts of a step whose attempts are limited; handlers do not see it.
	Waiting *Waiting `json:"waiting,omitempty"`
}

// Waiting is what a step whose attempts are limited has left when it waits for the ledger. Without attempts it only says
// that the run lets its step wait: what is left is not its business yet.
type Waiting struct {
	Attempts int32 `json:"attempts,omitempty"`
	// Until is when the step's schedule_to_close_timeout ends; zero for never. One attempt is made after it all the same.
	Until time.Time `json:"until,omitzero"`
}

// Ref returns what a run needs to know of an event whose content is in the ledger.
func (e *Event) Ref() Event {
	return Event{ID: e.ID, Provider: e.Provider, Scheme: e.Scheme, EventID: e.EventID, Type: e.Type, Generation: e.Generation, Installation: e.Installation}
}

// Key returns "provider:event_id", the event's identity for ever.
func (e *Event) Key() string { return Key(e.Provider, e.EventID) }

// WorkflowID returns the Temporal workflow ID of the event's runs.
func (e *Event) WorkflowID() string {
	return e.Installation.prefix() + WorkflowID(e.Provider, e.EventID)
}

// IdempotencyKey returns "key/step", and "key/step/epoch" once a replay repeats completed steps on purpose.
// It is the same for every attempt of a step, so a receiver that keeps it does the work once.
func (e *Event) IdempotencyKey() string {
	key := e.Key() + "/" + e.Step
	if e.Epoch > 0 {
		key += "/" + strconv.Itoa(e.Epoch)
	}
	return key
}

// Key writes the identity of an event: "provider:event_id".
func Key(provider, eventID string) string { return provider + ":" + eventID }

// ID returns the uuid (version 8, RFC 9562 section 5.8) made from SHA-256 of a key. Every path and process knows the
// id of an event without a read.
func ID(key string) string {
	sum := sha256.Sum256([]byte(key))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// hashPrefix begins the workflow ID of what is hashed. It is ours: a sender whose id begins so would else take the workflow ID
// of another's event.
const hashPrefix = "sha256-"

// WorkflowID writes "provider:event_id" when the event id is at most 200 bytes of printable ASCII and does not begin with
// "sha256-", else "provider:sha256-<hex>". It is the only function that writes a workflow ID of an event.
func WorkflowID(provider, eventID string) string {
	if plain(eventID) {
		return Key(provider, eventID)
	}
	sum := sha256.Sum256([]byte(eventID))
	return Key(provider, hashPrefix+hex.EncodeToString(sum[:]))
}

func plain(id string) bool {
	if len(id) > plainIDBytes || strings.HasPrefix(id, hashPrefix) {
		return false
	}
	for i := 0; i < len(id); i++ {
		if id[i] < 0x20 || id[i] > 0x7e {
			return false
		}
	}
	return true
}

// CheckID reports why s cannot be an event id: empty, over 1,024 bytes, not UTF-8, or holding a control character
// (Postgres text cannot hold NUL, and ids are printed in logs and terminals). It returns "" for a good one.
func CheckID(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > MaxEventIDBytes:
		return fmt.Sprintf("is longer than %d bytes", MaxEventIDBytes)
	case !utf8.ValidString(s):
		return "is not UTF-8"
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r <= 0x9f {
			return "holds a control character"
		}
	}
	return ""
}
