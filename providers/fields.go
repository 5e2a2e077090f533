package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hookflow/event"
)

// unknownType is the type of an event that names none.
const unknownType = "unknown"

// field says where an id, a type or the like is read: alternatives, of which the first that is there whole counts.
type field []fieldText

// fieldText is a run of literals and places.
type fieldText []fieldPart

// fieldPart is a literal or a place. The places are
//
//	{/data/id}        a JSON pointer (RFC 6901); in a batch into the item
//	{^/account}       a JSON pointer into the whole body
//	{^1/time}         a JSON pointer into the element of the outermost list that the item stands in, {^2/…} of the next
//	{header X-Id}     a header of the request
//	{header X-Id=a b} the same where it is "a b", else absent
//	{form a}          a parameter of a form; {form payload/trigger/id} is a JSON pointer into its text
//	{id}              the text that the signature covers as {id}
//	{sha256}          the SHA-256 of the body, in hex; of a batch's item with what stands beside the lists; less the counters
//	                  of attempts. It begins with sha256-
//	{list}            the name of the list in which the item of a batch stands
//	{received}        when the request came, in milliseconds since 1970
type fieldPart struct {
	literal string
	place   string // one of the words below
	name    string
	level   int    // of placeLevel, from 1
	equals  string // what a header must be; empty for anything
	pointer []string
}

const (
	placeHeader   = "header"
	placeForm     = "form"
	placeItem     = "item"
	placeBody     = "body"
	placeLevel    = "level"
	placeID       = "id"
	placeSHA256   = "sha256"
	placeReceived = "received"
	placeList     = "list"
)

// parseField reads the alternatives of a field.
func parseField(texts []string) (field, error) {
	var f field
	for _, text := range texts {
		parts, err := parseFieldText(text)
		if err != nil {
			return nil, err
		}
		f = append(f, parts)
	}
	return f, nil
}

func parseFieldText(text string) (fieldText, error) {
	var parts fieldText
	for text != "" {
		literal, rest, found := strings.Cut(text, "{")
		if literal != "" {
			parts = append(parts, fieldPart{literal: literal})
		}
		if !found {
			break
		}
		place, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("a { is without its }")
		}
		part, ok := parsePlace(place)
		if !ok {
			return nil, fmt.Errorf("{%s} is no place; there are {/json/pointer}, {^/json/pointer}, {^1/json/pointer}, {header NAME}, {form NAME}, {id}, {sha256}, {list} and {received}", place)
		}
		parts, text = append(parts, part), after
	}
	return parts, nil
}

func parsePlace(place string) (fieldPart, bool) {
	word, name, _ := strings.Cut(place, " ")
	switch {
	case strings.HasPrefix(place, "/"):
		return fieldPart{place: placeItem, pointer: parsePointer(place)}, true
	case strings.HasPrefix(place, "^/"):
		return fieldPart{place: placeBody, pointer: parsePointer(place[1:])}, true
	case len(place) > 2 && place[0] == '^' && place[1] >= '1' && place[1] <= '9' && place[2] == '/':
		return fieldPart{place: placeLevel, level: int(place[1] - '0'), pointer: parsePointer(place[2:])}, true
	case word == placeHeader && name != "":
		name, equals, _ := strings.Cut(name, "=")
		return fieldPart{place: word, name: http.CanonicalHeaderKey(name), equals: equals}, true
	case word == placeForm && name != "":
		name, pointer, inside := strings.Cut(name, "/")
		p := fieldPart{place: word, name: name}
		if inside {
			p.pointer = parsePointer("/" + pointer)
		}
		return p, true
	case place == placeID, place == placeSHA256, place == placeReceived, place == placeList:
		return fieldPart{place: place}, true
	}
	return fieldPart{}, false
}

// headers lists the headers that a field reads.
func (f field) headers() []string {
	var names []string
	for _, text := range f {
		for _, p := range text {
			if p.place == placeHeader {
				names = append(names, p.name)
			}
		}
	}
	return names
}

// content is a request as fields read it. What cannot be read is absent.
type content struct {
	r          *Request
	body, item jsonValue
	form       event.Form
	id         string      // what the signature covers
	list       string      // the last name in the batch's pointer
	levels     []jsonValue // the elements that the item stands in, the outermost first and itself last
	text       []byte      // what is kept of the event
	digested   []byte      // what a digest covers
}

// value returns the first alternative that is there whole, "" when none is.
func (f field) value(c *content) (string, error) {
	for _, text := range f {
		value, err := text.value(c)
		if value != "" || err != nil {
			return value, err
		}
	}
	return "", nil
}

func (t fieldText) value(c *content) (string, error) {
	if len(t) == 1 {
		return t[0].value(c)
	}
	var b strings.Builder
	for _, p := range t {
		value, err := p.value(c)
		if value == "" || err != nil {
			return "", err
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// value returns a literal, or what stands at the place. A header that came twice is absent: readers differ in which of
// two counts.
func (p fieldPart) value(c *content) (string, error) {
	switch p.place {
	case "":
		return p.literal, nil
	case placeItem:
		return c.item.at(p.pointer).plain()
	case placeBody:
		return c.body.at(p.pointer).plain()
	case placeLevel:
		if p.level > len(c.levels) {
			return "", nil
		}
		return c.levels[p.level-1].at(p.pointer).plain()
	case placeHeader:
		if values := c.r.Header[p.name]; len(values) == 1 && (p.equals == "" || p.equals == values[0]) {
			return values[0], nil
		}
		return "", nil
	case placeForm:
		text := c.form.Get(p.name)
		if p.pointer == nil || text == "" {
			return text, nil
		}
		inside, err := parseJSON([]byte(text))
		if err != nil {
			return "", nil
		}
		return inside.at(p.pointer).plain()
	case placeID:
		return c.id, nil
	case placeList:
		return c.list, nil
	case placeSHA256:
		sum := sha256.Sum256(c.digested)
		return "sha256-" + hex.EncodeToString(sum[:]), nil
	case placeReceived:
		return strconv.FormatInt(c.r.Received.UnixMilli(), 10), nil
	}
	return "", nil
}

// plain is scalar, with true and false as words.
func (v jsonValue) plain() (string, error) {
	if k := v.kind(); k == 't' || k == 'f' {
		return string(v.bytes()), nil
	}
	return v.scalar("of the id or type")
}

// occurredAt reads a time in any unit: RFC 3339 text, or a number of seconds or, above 10^11, milliseconds.
func occurredAt(text string) time.Time {
	whole, _, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	switch {
	case err != nil:
		return rfc3339Time(text)
	case n > 1e11:
		return millisTime(whole)
	}
	return secondsTime(whole)
}
