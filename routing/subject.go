package routing

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"

	"hookflow/event"
)

// subject is an event as conditions see it. The payload is decoded when the first condition asks for it.
type subject struct {
	event   *event.Event
	payload json.RawMessage // nil where there is none
	seen    map[string]any
}

func (s *subject) variables() map[string]any {
	if s.seen != nil {
		return s.seen
	}
	e := s.event
	seen := seenEvent{Provider: e.Provider, Type: e.Type, Account: e.Account, ID: e.EventID}
	if e.Livemode != nil {
		seen.Livemode = *e.Livemode
	}
	headers := make(map[string]string, len(e.Headers))
	for name, value := range e.Headers {
		headers[strings.ToLower(name)] = value
	}
	s.seen = map[string]any{"event": &seen, "headers": headers, "payload": decode(s.payload)}
	return s.seen
}

// decode returns JSON as Go values, nil where it is none. A number is an int64 where it is whole and fits, however it is
// written, else a float64: JSON does not tell 1000 from 1000.0, so a condition need not.
func decode(text json.RawMessage) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil
	}
	return withNumbers(value)
}

func withNumbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		return number(value)
	case []any:
		for i := range value {
			value[i] = withNumbers(value[i])
		}
	case map[string]any:
		for name := range value {
			value[name] = withNumbers(value[name])
		}
	}
	return value
}

// exact is the range in which every whole float64 is the number that was written.
const exact = 1 << 53

func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, _ := n.Float64() // beyond its range: infinite, which compares as it should
	if f == math.Trunc(f) && math.Abs(f) <= exact {
		return int64(f)
	}
	return f
}
