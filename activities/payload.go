package activities

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"hookflow/event"
)

// DecodePayload returns the event's body as JSON that jsonb can hold, nil where there is none: JSON as it is, a form as an
// object (a repeated name as an array), a NUL inside a string as U+FFFD: what is left out could make one text of two.
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
		for _, name := range slices.Sorted(maps.Keys(v)) {
			value := withoutNUL(v[name])
			delete(v, name)
			v[freeName(v, storable(name))] = value
		}
	}
	return v
}

// freeName is a name that the object does not have: one that was cleaned never takes the place of another.
func freeName(object map[string]any, name string) string {
	for {
		if _, taken := object[name]; !taken {
			return name
		}
		name += "\uFFFD"
	}
}

// storable is s as a Postgres text can hold it: a NUL, and what is not UTF-8, is U+FFFD.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
