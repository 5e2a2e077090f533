package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxFormParams is how many parameters a form may hold. The longest form that Twilio documents, a voice request with
// its add-ons, has about 60; the bound keeps sorting and searching cheap for a body made of separators.
const MaxFormParams = 1000

// Param is one parameter of a form, decoded.
type Param struct {
	Name, Value string
}

// Form holds the parameters of a form in the order in which they came, repeated names and empty values included.
// Names are case-sensitive.
type Form []Param

// Get returns the first value of name, "" where there is none.
func (f Form) Get(name string) string {
	for _, p := range f {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Has reports whether name occurs, be it with an empty value.
func (f Form) Has(name string) bool {
	for _, p := range f {
		if p.Name == name {
			return true
		}
	}
	return false
}

// Values returns every value of name in the order in which they came.
func (f Form) Values(name string) []string {
	var values []string
	for _, p := range f {
		if p.Name == name {
			values = append(values, p.Value)
		}
	}
	return values
}

// ReadForm reads the parameters of a body: a JSON object by FormOfJSON when the content type says JSON, else a form by
// ParseForm. Its errors are theirs; none holds a part of the body.
func ReadForm(contentType string, body []byte) (Form, error) {
	if MediaType(contentType) == "application/json" {
		return FormOfJSON(body)
	}
	return ParseForm(body)
}

// MediaType returns the media type of a Content-Type header without its parameters, in lower case. It does not fail:
// malformed parameters do not change what the body is.
func MediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// ParseForm reads an application/x-www-form-urlencoded body (WHATWG URL section 5.1). It differs from net/url's
// ParseQuery, which keeps no order between names and refuses ';': here '&' alone separates and ';' is data. Empty
// pieces are skipped, a piece without '=' is a name with an empty value, '+' is a space, decoded bytes are kept as they
// are. An invalid %XX is an error instead of being kept as text, so that no two spellings of a body that readers
// understand differently have the same parameters. So are more than MaxFormParams pieces.
func ParseForm(body []byte) (Form, error) {
	var form Form
	for piece := range strings.SplitSeq(string(body), "&") {
		if piece == "" {
			continue
		}
		if len(form) == MaxFormParams {
			return nil, fmt.Errorf("the form holds more than %d parameters", MaxFormParams)
		}
		name, value, _ := strings.Cut(piece, "=")
		p := Param{}
		var okName, okValue bool
		p.Name, okName = unescape(name)
		p.Value, okValue = unescape(value)
		if !okName || !okValue {
			return nil, errors.New("the form holds a % that two hexadecimal digits do not follow")
		}
		form = append(form, p)
	}
	return form, nil
}

// unescape decodes '+' and %XX. It copies only where there is something to decode.
func unescape(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			high, low := unhex(s[i+1]), unhex(s[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			out = append(out, byte(high<<4|low))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), true
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// FormOfJSON reads a JSON object as a form of the same names. Strings are their text, null is the empty value,
// everything else its compact JSON text, so that no number loses digits. A name that occurs twice is kept twice, as in
// a form. Anything but one object, and an object of more than MaxFormParams members, is an error.
func FormOfJSON(body []byte) (Form, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errNotObject
	}
	var form Form
	for dec.More() {
		if len(form) == MaxFormParams {
			return nil, fmt.Errorf("the JSON object holds more than %d members", MaxFormParams)
		}
		p, err := member(dec)
		if err != nil {
			return nil, errNotObject
		}
		form = append(form, p)
	}
	if _, err := dec.Token(); err != nil {
		return nil, errNotObject
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errNotObject
	}
	return form, nil
}

// errNotObject stands for encoding/json's errors, which quote the body.
var errNotObject = errors.New("the body is not one JSON object")

func member(dec *json.Decoder) (Param, error) {
	name, err := dec.Token()
	if err != nil {
		return Param{}, err
	}
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return Param{}, err
	}
	value, err := jsonText(raw)
	return Param{Name: name.(string), Value: value}, err
}

func jsonText(raw json.RawMessage) (string, error) {
	switch {
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case string(raw) == "null":
		return "", nil
	}
	var out bytes.Buffer
	err := json.Compact(&out, raw)
	return out.String(), err
}
