package providers

import (
	"crypto/ed25519"
	"crypto/hmac"
	"net/http"
	"slices"
	"strings"
	"time"
)

// given is what a request's signature headers hold.
type given struct {
	sums, public [][]byte
	timestamp    string // where it is an element
	names        string // of the signed headers
}

// present reports whether a request is signed this way.
func (v *Verifier) present(h http.Header) bool {
	for _, name := range v.Headers {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}

// confirmed reports whether the required headers have their values, and a signature header has a version that is accepted.
func (v *Verifier) confirmed(h http.Header) bool {
	if v.Element == elementKeyValue && !slices.ContainsFunc(v.Headers, func(name string) bool { return v.hasVersion(h.Get(name)) }) {
		return false
	}
	for name, value := range v.Require {
		if h.Get(name) != value {
			return false
		}
	}
	return true
}

func (v *Verifier) hasVersion(header string) bool {
	for element := range strings.SplitSeq(header[:min(len(header), maxSignatureHeader)], v.Separator) {
		if version, _, _ := strings.Cut(strings.Trim(element, " "), "="); slices.Contains(v.Versions, version) {
			return true
		}
	}
	return false
}

// Verify checks the signatures of r against every key, with now as the clock. Errors are *Error of CodeSignature.
func (v *Verifier) Verify(r *Request, now time.Time) error {
	if len(r.Body) == 0 && !v.AllowEmptyBody {
		return unverified(ReasonMissing)
	}
	g, err := v.read(r.Header)
	if err != nil {
		return err
	}
	text := signedText{r: r, names: g.names}
	if text.timestamp, err = v.signedTime(r, g, now); err != nil {
		return err
	}
	if v.IDHeader != "" {
		if text.id, err = only(r.Header, v.IDHeader); err != nil {
			return err
		}
	}
	if len(g.sums)+len(g.public) == 0 {
		return unverified(ReasonMalformed)
	}
	if !v.proves(g, text) {
		return unverified(ReasonMismatch)
	}
	return nil
}

// read parses the signature headers.
func (v *Verifier) read(h http.Header) (given, error) {
	var g given
	found := false
	for _, name := range v.Headers {
		if len(h[name]) == 0 {
			continue
		}
		header, err := only(h, name)
		if err != nil {
			return g, err
		}
		if found = true; v.elements(&g, header) != nil {
			return g, unverified(ReasonMalformed)
		}
	}
	if !found {
		return g, unverified(ReasonMissing)
	}
	for name, value := range v.Require {
		if confirmed, err := only(h, name); err != nil {
			return g, err
		} else if confirmed != value {
			return g, unverified(ReasonMalformed)
		}
	}
	return g, nil
}

// elements adds the signatures of one header. An element that cannot be read is passed over, so that a newer form beside
// the known one does no harm; one of two times is refused, since readers differ in which of them counts.
func (v *Verifier) elements(g *given, header string) error {
	if v.Separator == "" {
		return v.element(g, header)
	}
	n := 0
	for element := range strings.SplitSeq(header, v.Separator) {
		if n++; n > maxSignatures {
			return unverified(ReasonMalformed)
		}
		if err := v.element(g, strings.Trim(element, " ")); err != nil {
			return err
		}
	}
	return nil
}

func (v *Verifier) element(g *given, element string) error {
	version, text, cut := "", element, true
	switch v.Element {
	case elementKeyValue:
		version, text, cut = strings.Cut(element, "=")
	case elementVersionValue:
		version, text, cut = strings.Cut(element, ",")
	}
	switch {
	case !cut:
		return nil
	case v.Timestamp.Element != "" && version == v.Timestamp.Element:
		if g.timestamp != "" {
			return unverified(ReasonMalformed)
		}
		g.timestamp = text
		return nil
	case v.SignedHeaders != "" && version == v.SignedHeaders:
		if g.names != "" {
			return unverified(ReasonMalformed)
		}
		g.names = text
		return nil
	case v.PublicKeyVersion != "" && version == v.PublicKeyVersion:
		if sum := make([]byte, ed25519.SignatureSize); decodeDigest(sum, text, encodingBase64) {
			g.public = append(g.public, sum)
		}
		return nil
	case v.Element != elementWhole && !slices.Contains(v.Versions, version):
		return nil
	}
	text, ok := strings.CutPrefix(text, v.Prefix)
	if sum := make([]byte, v.size); ok && decodeDigest(sum, text, v.Encoding) {
		g.sums = append(g.sums, sum)
	}
	return nil
}

// signedTime returns the text of {timestamp}, "" where none is signed, after holding it against the clock.
func (v *Verifier) signedTime(r *Request, g given, now time.Time) (text string, err error) {
	t := v.Timestamp
	switch {
	case t.Header != "":
		text, err = only(r.Header, t.Header)
	case t.Element != "":
		if text = g.timestamp; text == "" {
			err = unverified(ReasonMissing)
		}
	case t.Body != "":
		text, err = v.timeInBody(r.Body)
	default:
		return "", nil
	}
	if err != nil {
		return "", err
	}
	signed, ok := parseTime(text, t.Unit)
	if !ok {
		return "", unverified(ReasonMalformed)
	}
	return text, inUnevenWindow(signed, now, t.Past, t.Tolerance)
}

func (v *Verifier) timeInBody(body []byte) (string, error) {
	whole, err := parseJSON(body)
	if err != nil {
		return "", unverified(ReasonMalformed)
	}
	text, err := whole.at(v.pointer).scalar("")
	switch {
	case err != nil:
		return "", unverified(ReasonMalformed)
	case text == "":
		return "", unverified(ReasonMissing)
	}
	return text, nil
}

// proves reports whether any signature is right under any key. All are tried, in constant time each.
func (v *Verifier) proves(g given, text signedText) bool {
	found := false
	if len(g.sums) > 0 {
		for _, key := range v.keys {
			sum := v.sum(key, text)
			for _, s := range g.sums {
				found = hmac.Equal(sum, s) || found
			}
		}
	}
	if len(g.public) == 0 || len(v.public) == 0 {
		return found
	}
	var whole []byte
	text.write(v.parts, nil, func(p []byte) { whole = append(whole, p...) })
	for _, key := range v.public {
		for _, s := range g.public {
			found = ed25519.Verify(key, whole, s) || found
		}
	}
	return found
}

// sum is the digest of the template filled in.
func (v *Verifier) sum(key []byte, text signedText) []byte {
	mac := v.digest()
	if !v.plain {
		mac = hmac.New(v.digest, key)
	}
	text.write(v.parts, key, func(p []byte) { mac.Write(p) })
	return mac.Sum(nil)
}
