package providers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Diagnosis says why a captured request is refused, or what is in it.
type Diagnosis struct {
	// Delivery is what the request holds; set where Problem is empty.
	Delivery Delivery
	// Problem is one sentence that names what is wrong. It holds no secret and no signature.
	Problem string
	// Hints are further sentences: what would have to be otherwise.
	Hints []string
}

// Explain reads a captured request as the server would at the time now, and looks for the reason where it is refused. It
// asks the verifier only, so it knows what every provider's verifier knows.
func (s Source) Explain(r *Request, now time.Time) Diagnosis {
	d, err := s.Read(r, now)
	var known *Error
	switch {
	case err == nil:
		return Diagnosis{Delivery: d}
	case !errors.As(err, &known):
		return Diagnosis{Problem: err.Error()}
	case known.Code == CodeUnavailable:
		return Diagnosis{Problem: "the certificate that the request names could not be fetched from here; it is neither proven nor refuted"}
	case known.Code == CodeNoEvent:
		return Diagnosis{Problem: "the signature is right, but the request holds no event: " + known.Reason}
	}
	switch known.Reason {
	case ReasonMissing:
		return s.explainMissing(r, now)
	case ReasonRepeated:
		return Diagnosis{Problem: "a signing header came twice; " + s.headersInWords(now), Hints: []string{"a proxy in front may add or join headers"}}
	case ReasonMalformed:
		return Diagnosis{Problem: "a signing header cannot be read: it has another form than " + s.Name + "'s; " + s.headersInWords(now)}
	case ReasonStale, ReasonFuture:
		return s.explainTime(r, now, known.Reason)
	case ReasonMismatch:
		return s.explainMismatch(r, now)
	}
	if words := reasonWords[known.Reason]; words != "" {
		return Diagnosis{Problem: words}
	}
	return Diagnosis{Problem: "the request is not proven to come from its sender: " + known.Reason}
}

// reasonWords are the reasons that some senders' schemes have beside the common ones, a sentence each.
var reasonWords = map[string]string{
	ReasonCertificate: "the certificate that the request names is not one of the sender's: its address is elsewhere, or its chain, its name or its end is wrong",
	ReasonVersion:     "the request is signed in a version or with an algorithm that is not switched on",
	ReasonReused:      "the proof in the request came with another body before",
	ReasonPairing:     "a handshake came while none is expected, or an event before there is a secret: the word pairing among the secrets lets the handshake through",
}

// signingHeaders are those that the sender sets, told by signing an empty request; none where nobody else can sign.
func (s Source) signingHeaders(now time.Time) []string {
	signer, can := s.Provider.(Signer)
	if !can {
		return nil
	}
	blank := &Request{Method: "POST", URL: "https://example.com/", Body: []byte("{}")}
	signer.Sign(blank, now)
	return sortedKeys(blank.Header)
}

func (s Source) headersInWords(now time.Time) string {
	names := s.signingHeaders(now)
	if names == nil {
		return "see its documentation for the headers that it signs with"
	}
	return "it signs with " + strings.Join(names, ", ")
}

func (s Source) explainMissing(r *Request, now time.Time) Diagnosis {
	var absent []string
	for _, name := range s.signingHeaders(now) {
		if r.Header.Get(name) == "" {
			absent = append(absent, name)
		}
	}
	switch {
	case len(absent) > 0:
		return Diagnosis{Problem: "the header " + strings.Join(absent, ", ") + " is missing or empty",
			Hints: []string{"is signing switched on at the sender, and does a proxy drop headers?"}}
	case len(r.Body) == 0:
		return Diagnosis{Problem: "the body is empty"}
	}
	return Diagnosis{Problem: "a part of the signature is missing; " + s.headersInWords(now)}
}

// unevenWindow is a provider whose requests may be older than they may lie ahead of the clock, since it repeats signatures.
type unevenWindow interface {
	ahead() time.Duration // 0: the window is even after all
}

func (m *Mailgun) ahead() time.Duration { return Tolerance }
func (s *SNS) ahead() time.Duration     { return Tolerance }
func (p *PayPal) ahead() time.Duration  { return Tolerance }

func (d *Declared) ahead() time.Duration {
	all, _ := d.proof.(alternatives)
	for _, v := range all {
		if t := v.Timestamp; t.present() && t.Past != t.Tolerance {
			return t.Tolerance
		}
	}
	return 0
}

// explainTime finds the signed time: the window in which the verifier finds neither too old nor too new lies around it.
func (s Source) explainTime(r *Request, now time.Time, reason string) Diagnosis {
	is := func(t time.Time, reason string) bool {
		var known *Error
		return errors.As(s.Verify(r, t), &known) && known.Reason == reason
	}
	// The last milliseconds at which it is not too old, and too new.
	old := edge(func(t time.Time) bool { return !is(t, ReasonStale) })
	early := edge(func(t time.Time) bool { return is(t, ReasonFuture) })
	// A time in whole seconds is not too old for almost a second more, see inWindow.
	back := (old.Sub(early)/2 - time.Millisecond).Round(time.Second)
	ahead := back
	if u, ok := s.Provider.(unevenWindow); ok && u.ahead() > 0 {
		ahead = u.ahead()
		back = (old.Sub(early) - ahead - time.Millisecond).Truncate(time.Second)
	}
	signed := early.Add(ahead + time.Millisecond)
	off := now.Sub(signed).Abs().Round(time.Second)
	d := Diagnosis{Problem: fmt.Sprintf("the signed time %s is %s old, and %s is allowed",
		signed.UTC().Round(time.Millisecond).Format(time.RFC3339), off, back)}
	if reason == ReasonFuture {
		d.Problem = fmt.Sprintf("the signed time %s lies %s ahead, and %s is allowed",
			signed.UTC().Round(time.Millisecond).Format(time.RFC3339), off, ahead)
		d.Hints = append(d.Hints, "is the clock of this server right?")
	}
	then := s.Explain(r, signed)
	if then.Problem == "" {
		d.Hints = append(d.Hints, "at that time the signature was right: the request came late, or is a captured one sent again")
	} else {
		d.Hints = append(append(d.Hints, "at that time, too: "+then.Problem), then.Hints...)
	}
	return d
}

// edge returns the last moment for which yes holds, which holds before some moment and not after it.
func edge(yes func(time.Time) bool) time.Time {
	low, high := int64(0), int64(lastSecond)*1000 // milliseconds
	for low < high {
		if middle := low + (high-low+1)/2; yes(time.UnixMilli(middle)) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return time.UnixMilli(low)
}

func (s Source) explainMismatch(r *Request, now time.Time) Diagnosis {
	for _, change := range bodyChanges {
		if other := change.undo(r.Body); other != nil && !bytes.Equal(other, r.Body) && s.verifies(r, r.URL, other, now) {
			return Diagnosis{Problem: "the body has changed since it was signed: " + change.what,
				Hints: []string{"the signature covers the bytes as they were sent; nothing between the sender and hookflow may touch them"}}
		}
	}
	if s.Traits().SignsURL {
		for _, other := range urlChanges(r.URL) {
			if s.verifies(r, other, r.Body, now) {
				return Diagnosis{Problem: "another URL was signed: " + other,
					Hints: []string{"HOOKFLOW_PUBLIC_URL must be what the sender calls, byte for byte"}}
			}
		}
	}
	return Diagnosis{Problem: "no current secret gives this signature: the secret is another one, or the body has changed since it was signed",
		Hints: []string{"is it the secret of this endpoint, and of this mode (test or live)?", "was the body captured byte for byte, with its line ends?"}}
}

func (s Source) verifies(r *Request, url string, body []byte, now time.Time) bool {
	other := *r
	other.URL, other.Body = url, body
	return s.Verify(&other, now) == nil
}

// bodyChanges are what editors, shells, frameworks and proxies do to a body, each with how it looked before. undo returns
// nil for a body to which it cannot have been done.
var bodyChanges = []struct {
	what string
	undo func([]byte) []byte
}{
	{"a new line was added at its end", func(b []byte) []byte { return bytes.TrimSuffix(b, []byte("\n")) }},
	{"a new line (CR LF) was added at its end", func(b []byte) []byte { return bytes.TrimSuffix(b, []byte("\r\n")) }},
	{"white space was added at its beginning or end", bytes.TrimSpace},
	{"the new line at its end was cut off", func(b []byte) []byte { return append(slices.Clone(b), '\n') }},
	{"the CR LF at its end was cut off", func(b []byte) []byte { return append(slices.Clone(b), "\r\n"...) }},
	{"CR LF became LF", func(b []byte) []byte {
		return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	}},
	{"LF became CR LF", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }},
	{"the JSON was encoded again: white space was added", func(b []byte) []byte {
		var out bytes.Buffer
		if json.Compact(&out, b) != nil {
			return nil
		}
		return out.Bytes()
	}},
	{"the JSON was encoded again: it was indented, now it is not", indented("  ")},
	{"the JSON was encoded again: it was indented, now it is not", indented("    ")},
	{`the JSON was encoded again: \/ became /`, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("/"), []byte(`\/`)) }},
	{`the JSON was encoded again: / became \/`, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`\/`), []byte("/")) }},
	{`the JSON was encoded again: letters beyond ASCII became \uXXXX`, recode(func(c rune, out *bytes.Buffer) { out.WriteRune(c) })},
	{`the JSON was encoded again: \uXXXX became letters`, func(b []byte) []byte {
		var out bytes.Buffer
		for _, c := range string(b) {
			switch {
			case c < 0x80:
				out.WriteRune(c)
			case c > 0xffff:
				c -= 0x10000
				fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
			default:
				fmt.Fprintf(&out, `\u%04x`, c)
			}
		}
		return out.Bytes()
	}},
	{`the JSON was encoded again: <, > and & became \u003c and the like`, func(b []byte) []byte {
		return []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b)))
	}},
}

func indented(by string) func([]byte) []byte {
	return func(b []byte) []byte {
		var out bytes.Buffer
		if json.Indent(&out, b, "", by) != nil {
			return nil
		}
		return out.Bytes()
	}
}

// recode writes the escaped letters of a JSON text as write says.
func recode(write func(rune, *bytes.Buffer)) func([]byte) []byte {
	return func(b []byte) []byte {
		var out bytes.Buffer
		for i := 0; i < len(b); {
			if i+6 <= len(b) && b[i] == '\\' && b[i+1] == 'u' && isHex4(b[i+2:i+6]) {
				if c, size := unescapeRune(b[i:]); c >= 0x80 {
					write(c, &out)
					i += size
					continue
				}
			}
			out.WriteByte(b[i])
			i++
		}
		return out.Bytes()
	}
}

func isHex4(b []byte) bool {
	return strings.Trim(string(b), "0123456789abcdefABCDEF") == ""
}

// urlChanges are the URLs that a sender may have called where the configured one does not verify.
func urlChanges(text string) []string {
	var all []string
	add := func(change func(*url.URL)) {
		u, err := url.Parse(text)
		if err != nil || u.User != nil { // never show a password
			return
		}
		change(u)
		if other := u.String(); other != text {
			all = append(all, other)
		}
	}
	add(func(u *url.URL) { u.Scheme = map[string]string{"http": "https", "https": "http"}[u.Scheme] })
	add(func(u *url.URL) { u.Path += "/" })
	add(func(u *url.URL) { u.Path = strings.TrimSuffix(u.Path, "/") })
	add(func(u *url.URL) { u.RawQuery = "" })
	add(func(u *url.URL) { u.Host = u.Hostname() })
	add(func(u *url.URL) { u.Scheme, u.Host = "https", u.Hostname() })
	return all
}
