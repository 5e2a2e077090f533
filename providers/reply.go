package providers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hookflow/event"
)

// How long a computed answer may take before the fallback goes out, well below what the sender waits.
const (
	vapiReplyTime   = 6 * time.Second         // of 7.5 for an assistant-request, end to end (https://docs.vapi.ai/server-url/events)
	vapiToolTime    = 18 * time.Second        // of 20, a tool's time-out unless it is configured
	twilioReplyTime = 12 * time.Second        // of 15 (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides)
	chatReplyTime   = 2200 * time.Millisecond // of 3, Slack's and Discord's
	otherReplyTime  = 4 * time.Second         // of the 5 that most senders wait
)

// maxReply bounds a computed answer, in bytes: with room below Temporal's limit of 2 MiB for one payload, base64 included.
const maxReply = 1 << 20

// ReplyTime returns how long the sender of e may be kept waiting for a computed answer.
func ReplyTime(e *event.Event) time.Duration {
	switch e.Scheme {
	case "vapi":
		if e.Type == "tool-calls" || e.Type == "function-call" {
			return vapiToolReplyTime(e.Body)
		}
		return vapiReplyTime
	case "twilio":
		return twilioReplyTime
	case "slack", "discord":
		return chatReplyTime
	}
	return otherReplyTime
}

// ReplyOf returns the answer to e made from what a handler returned, as JSON, in the shape that the sender takes. The
// error says why it is none, in words that quote nothing of the result.
//
//   - Vapi's tool-calls: a list of results in the order of the calls, or one result for all of them: text, any other
//     JSON (which becomes text, as Vapi demands), or {"error": text}; or the finished {"results": [...]}.
//   - Vapi's other types: the object that the type demands, or for campaign.predial, call.endpointing.request and
//     function-call its one value; voice-request takes base64 of the audio.
//   - Twilio: a TwiML document, as text.
//   - All others: an object or a list becomes JSON, text plain text, null an empty answer.
func ReplyOf(e *event.Event, result json.RawMessage) (event.Answer, error) {
	a, err := shape(e, result)
	if err == nil && len(a.Body) > maxReply {
		err = fmt.Errorf("it is larger than %d bytes", maxReply)
	}
	return a, err
}

func shape(e *event.Event, result json.RawMessage) (event.Answer, error) {
	result = bytes.TrimSpace(result)
	if !json.Valid(result) {
		return event.Answer{}, errors.New("it is no JSON")
	}
	switch e.Scheme {
	case "vapi":
		return vapiReply(e, result)
	case "twilio":
		return twimlReply(result)
	case "discord":
		var interaction struct{ Type *int }
		if result[0] != '{' || json.Unmarshal(result, &interaction) != nil || interaction.Type == nil {
			return event.Answer{}, errors.New("an interaction is answered with an object that has a type (a number)")
		}
	}
	return plainReply(result)
}

// plainReply is the answer to a sender without rules of its own.
func plainReply(result json.RawMessage) (event.Answer, error) {
	switch result[0] {
	case '{', '[':
		return event.Answer{ContentType: jsonType, Body: result}, nil
	case '"':
		text, err := textOf(result)
		return event.Answer{ContentType: "text/plain; charset=utf-8", Body: []byte(text)}, err
	case 'n':
		return event.Answer{}, nil
	}
	return event.Answer{}, errors.New("it is neither an object, a list, text nor null")
}

func twimlReply(result json.RawMessage) (event.Answer, error) {
	doc, err := textOf(result)
	if err != nil {
		return event.Answer{}, errors.New("Twilio is answered with TwiML, as text")
	}
	if err := checkTwiML(doc); err != nil {
		return event.Answer{}, fmt.Errorf("Twilio would refuse the TwiML: %w", err)
	}
	return event.Answer{ContentType: twimlType, Body: []byte(doc)}, nil
}

// textOf returns the text of a JSON string.
func textOf(result json.RawMessage) (text string, err error) {
	if result[0] != '"' || json.Unmarshal(result, &text) != nil {
		err = errors.New("it is not text")
	}
	return text, err
}
