package activities

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"

	"hookflow/event"
)

// DecodePayload returns the event's body as JSON that jsonb can hold, nil where there is none: JSON as it is, a form as an
// object (a repeated name as an array), a NUL inside a string dropped.
func DecodePayload(e *event.Event) json.RawMessage {
	if event.MediaType(e.ContentType) == "application/x-www-form-urlencoded" {
		return decodeForm(e.Body)
	}
	return storableJSON(e.Body)
}

// storableJSON is text as jsonb can hold it, but for numbers that are beyond it; nil where text is not JSON.
func storableJSON(text []byte) json.RawMessage {
	// Only \u escapes can say what jsonb refuses: NUL, and half of a surrogate pair.
	if !bytes.Contains(text, []byte(`\u`)) && utf8.Valid(text) && json.Valid(text) {
		return text
	}
	decoder := json.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(text, []byte("\uFFFD"))))
	decoder.UseNumber()
	var payload any
	if decoder.Decode(&payload) != nil {
		return nil
	}
	if _, err := decoder.Token(); err != io.EOF { // More does not see a bracket that closes nothing
		return nil
	}
	clean, err := json.Marshal(withoutNUL(payload))
	if err != nil {
		return nil
	}
	return clean
}

func decodeForm(body []byte) json.RawMessage {
	form, err := event.ParseForm(body)
	if err != nil {
		return nil
	}
	object := make(map[string]any, len(form))
	for _, p := range form {
		name, value := storable(p.Name), storable(p.Value)
		switch known := object[name].(type) {
		case nil:
			object[name] = value
		case string:
			object[name] = []string{known, value}
		case []string:
			object[name] = append(known, value)
		}
	}
	payload, err := json.Marshal(object)
	if err != nil {
		return nil
	}
	return payload
}

func withoutNUL(v any) any {
	switch v := v.(type) {
	case string:
		return storable(v)
	case []any:
		for i := range v {
			v[i] = withoutNUL(v[i])
		}
	case map[string]any:
		for name, value := range v {
			value = withoutNUL(value)
			if clean := storable(name); clean != name {
				delete(v, name)
				name = clean
			}
			v[name] = value
		}
	}
	return v
}

// storable is s as a Postgres text can hold it.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
