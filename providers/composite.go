package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// composeID writes a composite id: the parts that are there, joined by colons.
func composeID(parts ...string) string {
	var there []string
	for _, p := range parts {
		if p != "" {
			there = append(there, p)
		}
	}
	return strings.Join(there, ":")
}

// shortHash is the first 16 hexadecimal digits of a SHA-256: enough to tell apart what is alike in everything else.
func shortHash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// elements returns the elements of an array, none for anything else.
func (v jsonValue) elements() []jsonValue {
	var all []jsonValue
	if v.kind() != '[' {
		return nil
	}
	for it := v.items(); it.next(); {
		all = append(all, it.value)
	}
	return all
}

// setMember returns v's text with one member of the object at v set to a JSON value: replaced where it is, else added in
// front. It is how Sign writes what a sender puts into its body.
func setMember(v jsonValue, name, value string) []byte {
	src := v.src
	at, to, text := v.from+1, v.from+1, `"`+name+`":`+value
	if old := v.member(name); old.kind() != 0 {
		at, to, text = old.from, old.to, value
	} else if it := v.items(); it.next() {
		text += ","
	}
	out := make([]byte, 0, len(src)+len(text))
	out = append(out, src[:at]...)
	out = append(out, text...)
	return append(out, src[to:]...)
}

// parseList accepts a body that is one JSON array of bounded depth. Any other is a CodeNoEvent.
func parseList(body []byte) (jsonValue, error) {
	v, err := parseJSON(body)
	switch {
	case err == errDepth:
		return jsonValue{}, err
	case err != nil || v.kind() != '[':
		return jsonValue{}, noEvent("the body is not a JSON array")
	}
	return v, nil
}
