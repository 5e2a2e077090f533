package providers

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep a JSON body may nest. Real ones stay below 40; encoding/json stops at 10,000, Postgres
// where its stack ends.
const maxDepth = 200

// jsonValue is one value inside a JSON text that parseObject accepted: src[from:to]. encoding/json is not used to read
// bodies: it matches names without regard to case, replaces bad Unicode in ids silently, and cannot say where a value
// stands. The zero jsonValue is an absent value. Of a repeated name the last one counts, as in Postgres and JavaScript.
type jsonValue struct {
	src      []byte
	from, to int
}

// parseObject accepts a body that is one JSON object (RFC 8259) of bounded depth. Any other is a CodeNoEvent.
func parseObject(body []byte) (jsonValue, error) {
	v, err := parseJSON(body)
	switch {
	case err == errDepth:
		return jsonValue{}, err
	case err != nil || v.kind() != '{':
		return jsonValue{}, noEvent("the body is not a JSON object")
	}
	return v, nil
}

var errDepth = noEvent("the body nests deeper than %d levels", maxDepth)

// parseJSON accepts a body that is one JSON text of bounded depth. Any other is a CodeNoEvent.
func parseJSON(body []byte) (jsonValue, error) {
	c := checker{src: body}
	c.space()
	from := c.i
	ok := c.value(0)
	to := c.i
	c.space()
	switch {
	case c.tooDeep:
		return jsonValue{}, errDepth
	case !ok || c.i != len(body):
		return jsonValue{}, noEvent("the body is not JSON")
	}
	return jsonValue{src: body, from: from, to: to}, nil
}

func (v jsonValue) bytes() []byte { return v.src[v.from:v.to] }

// kind is the first byte of the value: { [ " t f n - or a digit; 0 when it is absent.
func (v jsonValue) kind() byte {
	if v.from == v.to {
		return 0
	}
	return v.src[v.from]
}

func (v jsonValue) isNumber() bool {
	k := v.kind()
	return k == '-' || k >= '0' && k <= '9'
}

// text returns a string value decoded, "" when it is absent or null. Any other kind is a CodeNoEvent, and so is bad
// Unicode: what it would be replaced with makes two ids one. The name is for the sender.
func (v jsonValue) text(name string) (string, error) {
	switch v.kind() {
	case 0, 'n':
		return "", nil
	case '"':
	default:
		return "", noEvent("the field %s is not a string", name)
	}
	text, ok := unquote(v.bytes())
	if !ok {
		return "", noEvent("the field %s is not valid Unicode", name)
	}
	return string(text), nil
}

// required is text that may not be absent, null or empty.
func (v jsonValue) required(name string) (string, error) {
	text, err := v.text(name)
	if err == nil && text == "" {
		return "", noEvent("the body has no %s", name)
	}
	return text, err
}

// scalar returns a string decoded and a number as it was written (never through float64), "" for everything else.
func (v jsonValue) scalar(name string) (string, error) {
	switch {
	case v.isNumber():
		return string(v.bytes()), nil
	case v.kind() == '"':
		return v.text(name)
	}
	return "", nil
}

// truth returns a boolean value, nil for everything else.
func (v jsonValue) truth() *bool {
	k := v.kind()
	if k != 't' && k != 'f' {
		return nil
	}
	is := k == 't'
	return &is
}

// member returns the value of a name in an object, absent when there is none or v is no object.
func (v jsonValue) member(name string) jsonValue {
	var found jsonValue
	if v.kind() != '{' {
		return found
	}
	for it := v.items(); it.next(); {
		if string(it.key) == name {
			found = it.value
		}
	}
	return found
}

// jsonItems walks the members of an object or the elements of an array, in the order of the text.
type jsonItems struct {
	src    []byte
	i, end int // end is the place of the closing bracket
	object bool
	key    []byte // decoded, of an object's member
	value  jsonValue
}

// items starts a walk; over a scalar or an absent value it is empty.
func (v jsonValue) items() jsonItems {
	k := v.kind()
	if k != '{' && k != '[' {
		return jsonItems{}
	}
	return jsonItems{src: v.src, i: v.from + 1, end: v.to - 1, object: k == '{'}
}

func (it *jsonItems) next() bool {
	if it.src == nil {
		return false
	}
	if it.i = pastSpace(it.src, it.i); it.i >= it.end {
		return false
	}
	if it.object {
		from := it.i
		it.i = pastString(it.src, from)
		it.key, _ = unquote(it.src[from:it.i])
		it.i = pastSpace(it.src, it.i)
	}
	from := it.i
	it.i = pastValue(it.src, from)
	it.value = jsonValue{src: it.src, from: from, to: it.i}
	return true
}

// pastSpace passes white space and separators: in a checked text they stand only where they may, and a bracket follows.
func pastSpace(src []byte, i int) int {
	for {
		switch src[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
		default:
			return i
		}
	}
}

// pastString returns the place after the string that starts at i of a checked text.
func pastString(src []byte, i int) int {
	for i++; ; {
		i += bytes.IndexByte(src[i:], '"')
		backslashes := 0
		for src[i-1-backslashes] == '\\' {
			backslashes++
		}
		i++
		if backslashes%2 == 0 {
			return i
		}
	}
}

// pastValue returns the place after the value that starts at i of a checked text.
func pastValue(src []byte, i int) int {
	depth := 0
	for ; i < len(src); i++ {
		switch src[i] {
		case '"':
			i = pastString(src, i) - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth < 0 {
				return i
			}
			if depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// unquote decodes a checked JSON string. Without escapes it returns a part of quoted. It reports false for what is not
// Unicode: bad UTF-8, or half of a surrogate pair (which becomes U+FFFD).
func unquote(quoted []byte) ([]byte, bool) {
	s := quoted[1 : len(quoted)-1]
	ok := utf8.Valid(s)
	at := bytes.IndexByte(s, '\\')
	if at < 0 {
		return s, ok
	}
	out := append(make([]byte, 0, len(s)), s[:at]...)
	for i := at; i < len(s); {
		if s[i] != '\\' {
			out = append(out, s[i])
			i++
			continue
		}
		if s[i+1] != 'u' {
			out = append(out, unescaped(s[i+1]))
			i += 2
			continue
		}
		r, size := unescapeRune(s[i:])
		if size == 6 && utf16.IsSurrogate(r) {
			r, ok = utf8.RuneError, false
		}
		out = utf8.AppendRune(out, r)
		i += size
	}
	return out, ok
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // " \ /
}

// unescapeRune reads \uXXXX, or both halves of a surrogate pair, and returns how many bytes it took.
func unescapeRune(s []byte) (rune, int) {
	high := hex4(s[2:])
	if utf16.IsSurrogate(high) && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if r := utf16.DecodeRune(high, hex4(s[8:])); r != utf8.RuneError {
			return r, 12
		}
	}
	return high, 6
}

func hex4(s []byte) rune {
	n, _ := strconv.ParseUint(string(s[:4]), 16, 16) // checked before: four hex digits
	return rune(n)
}

// lastSecond is the end of the year 9999: later times fit neither RFC 3339 nor a Postgres timestamp. A time that is not
// between 1970 and then is left out rather than the event refused: when it happened is a decoration.
const lastSecond = 253402300799

// secondsTime reads a whole number of seconds since 1970, zero when it is none.
func secondsTime(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > lastSecond {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// millisTime reads milliseconds since 1970, digits after the point dropped, zero when it is none.
func millisTime(text string) time.Time {
	for i := 0; i < len(text); i++ {
		if text[i] == '.' {
			text = text[:i]
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > lastSecond*1000 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// rfc3339Time reads an RFC 3339 time, zero when it is none.
func rfc3339Time(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Unix() <= 0 || t.Unix() > lastSecond {
		return time.Time{}
	}
	return t.UTC()
}
