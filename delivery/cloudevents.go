package delivery

import (
	"encoding/json"
	"mime"
	"strings"
	"time"
	"unicode/utf8"

	"hookflow/event"
)

// Format is how a body is sent.
type Format string

// The formats.
const (
	Original    Format = "original"    // the bytes as they came, under their own content type
	CloudEvents Format = "cloudevents" // inside a CloudEvents 1.0 envelope
)

// Formats are the words for them.
var Formats = []string{string(Original), string(CloudEvents)}

// cloudEventsType is the media type of the structured mode
// (github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md section 3.2).
const cloudEventsType = "application/cloudevents+json; charset=utf-8"

// attributes are the context attributes of an envelope, and extensions of ours, whose names are lower case letters as the
// specification wants (github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).
type attributes struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype,omitempty"`
	Provider        string `json:"provider"`
	EventID         string `json:"eventid"` // the provider's own
	Account         string `json:"account,omitempty"`
	Livemode        *bool  `json:"livemode,omitempty"`
	BodyMasked      bool   `json:"bodymasked,omitempty"`
}

// envelope writes an event as CloudEvents 1.0 JSON (json-format.md of the specification). Source and id are what the
// specification wants unique together: the path that the event came in by, and its uuid. A JSON body is the member data,
// byte for byte; any other is data_base64.
func envelope(e *event.Event) []byte {
	at := e.OccurredAt
	if at.IsZero() {
		at = e.ReceivedAt
	}
	a := attributes{
		SpecVersion: "1.0", ID: e.ID, Source: "/webhooks/" + e.Provider, Type: attributeText(e.Type),
		Time: at.UTC().Format(time.RFC3339Nano), DataContentType: attributeText(e.ContentType), Provider: e.Provider,
		EventID: attributeText(e.EventID), Account: attributeText(e.Account), Livemode: e.Livemode, BodyMasked: e.BodyMasked,
	}
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings and booleans always marshal
	}
	text = text[:len(text)-1] // without the closing brace
	if isJSON(e.ContentType) && utf8.Valid(e.Body) && json.Valid(e.Body) {
		text = append(append(text, `,"data":`...), e.Body...)
	} else {
		encoded, _ := json.Marshal(e.Body) // a []byte is written as base64
		if e.Body == nil {
			encoded = []byte(`""`)
		}
		text = append(append(text, `,"data_base64":`...), encoded...)
	}
	return append(text, '}')
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// attributeText replaces what the specification's String type does not allow: control characters and noncharacters.
func attributeText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r <= 0x9f || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe {
			return utf8.RuneError
		}
		return r
	}, s)
}
