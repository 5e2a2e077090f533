package providers

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"hookflow/event"
)

// DefaultVoiceTwiML thanks the caller and hangs up. An empty <Response/> would hang up without a word, which sounds like
// a fault of the line.
const DefaultVoiceTwiML = `<?xml version="1.0" encoding="UTF-8"?>` +
	`<Response><Say>Thank you for calling. Goodbye.</Say></Response>`

// maxTwiML is Twilio's own limit on a TwiML document (https://www.twilio.com/docs/api/errors/11750).
const maxTwiML = 64 << 10

const (
	twimlType    = "text/xml"
	emptyTwiML   = "<Response/>" // take the message, send nothing back
	twimlElement = "Response"
)

// Answer implements Provider. An incoming message and a call that wants instructions are answered with TwiML, without
// which Twilio reports an error (12100) and the caller hears one; everything else with an empty 200, but a batch
// as the contract says.
func (t *Twilio) Answer(e *event.Event) *Answer {
	if e == nil { // a batch of Event Streams
		return nil
	}
	switch e.Type {
	case twilioMessageReceived:
		return &Answer{ContentType: twimlType, Body: []byte(emptyTwiML)}
	case twilioCallIncoming, twilioCallOutgoing:
		return &Answer{ContentType: twimlType, Body: t.voiceTwiML}
	}
	return &Answer{}
}

// checkTwiML reports why Twilio would refuse a document: too large, not well-formed, a document type (entities are not
// TwiML), or another root than one <Response>.
func checkTwiML(doc string) error {
	if len(doc) > maxTwiML {
		return fmt.Errorf("it is larger than %d bytes", maxTwiML)
	}
	dec := xml.NewDecoder(strings.NewReader(doc))
	depth, roots := 0, 0
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("it is not well-formed XML: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
				if token.Name != (xml.Name{Local: twimlElement}) {
					return errors.New("its root is not <Response>")
				}
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && strings.TrimSpace(string(token)) != "" {
				return errors.New("it holds text outside <Response>")
			}
		case xml.Directive:
			return errors.New("it holds a document type")
		}
	}
	if roots != 1 {
		return fmt.Errorf("it holds %d <Response> elements instead of one", roots)
	}
	return nil
}
