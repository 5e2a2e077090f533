package providers

import (
	"crypto/ed25519"
	"crypto/sha1" // only with AllowWeak
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The values of Signature.Encoding and Signature.SecretEncoding.
const (
	encodingHex    = "hex"
	encodingBase64 = "base64"
	encodingRaw    = "raw"
)

// The values of Signature.Element.
const (
	elementWhole        = ""              // the element is the digest, behind Prefix
	elementKeyValue     = "key=value"     // v1=…
	elementVersionValue = "version,value" // v1,…
)

// Signature declares how a sender signs: a digest in a header, over a template. Everything is configuration; nothing in a
// request chooses among algorithms, encodings or names.
type Signature struct {
	// Headers are the names of the header that holds the signature; of several, those that are there are all looked at.
	Headers []string
	// Separator cuts the header into elements: "," or ";" or a space; empty: the header is one element.
	Separator string
	// Element is the form of an element; with one other than elementWhole, Versions are those that count.
	Element  string
	Versions []string
	// Prefix stands before the digest.
	Prefix    string
	Algorithm string // sha256 (default), sha512; sha1 only with AllowWeak
	Encoding  string // hex (default, either case) or base64 (standard alphabet, padded, strict)
	// SecretEncoding says what a secret's text is: raw (default, its bytes are the key), base64 or hex. SecretPrefix is cut
	// off before.
	SecretEncoding, SecretPrefix string
	// Template is what is signed: literals and {body}, {timestamp}, {id}, {method}, {url}, {decoded_url}, {header_names},
	// {header_values}. Default {body}.
	// With {secret} the digest is a plain hash instead of an HMAC, which AllowWeak must allow.
	Template  string
	Timestamp Timestamp
	// IDHeader holds the text of {id}.
	IDHeader string
	// SignedHeaders is the key of the element of the signature header that names the headers which are signed, separated by
	// spaces: {header_names} is its value, {header_values} are theirs, joined by dots.
	SignedHeaders string
	// Require are headers that must have a value: they confirm what is configured here.
	Require map[string]string
	// PublicKeyPrefix marks a secret as an Ed25519 public key (base64), for elements of PublicKeyVersion.
	PublicKeyPrefix, PublicKeyVersion string
	// AllowWeak lets SHA-1 and plain hashes through, AllowUnsignedBody a template without {body}, AllowEmptyBody a request
	// without a body: most senders' libraries refuse one.
	AllowWeak, AllowUnsignedBody, AllowEmptyBody bool
}

// Timestamp declares where the signed time of a request stands. The zero Timestamp is none.
type Timestamp struct {
	Header  string // a header, or
	Element string // the key of an element of the signature header, or
	Body    string // a JSON pointer into the signed body
	// Unit is s, ms, s-or-ms (default; above 10^11 it is milliseconds), rfc3339 or http-date.
	Unit string
	// Tolerance is how far the time may lie from the clock, in both directions; default Tolerance. It cannot be off.
	Tolerance time.Duration
	// Past is how far back it may lie, where the sender repeats its first attempt byte for byte; default Tolerance.
	Past time.Duration
}

func (t Timestamp) present() bool { return t.Header != "" || t.Element != "" || t.Body != "" }

// Verifier verifies requests under a declared signature.
type Verifier struct {
	Signature
	digest  func() hash.Hash
	size    int // of a digest, in bytes
	parts   []signedPart
	pointer []string
	keys    [][]byte
	public  []ed25519.PublicKey
	plain   bool // a hash over the secret, no HMAC
}

// NewVerifier compiles a declared signature. It refuses what would verify less than it seems to: no secret or an empty
// one, a template without {body}, a time that is not signed, SHA-1 or a plain hash unless allowed, names it does not know.
func NewVerifier(declared Signature, secrets []string) (*Verifier, error) {
	secrets, err := currentSecrets(secrets)
	if err != nil {
		return nil, err
	}
	v, err := compile(declared)
	if err != nil {
		return nil, err
	}
	for i, secret := range secrets {
		if err := v.addSecret(secret); err != nil {
			return nil, fmt.Errorf("secret %d %w", i+1, err)
		}
	}
	return v, nil
}

// compile checks a declared signature, without its secrets.
func compile(declared Signature) (*Verifier, error) {
	v := &Verifier{Signature: declared.withDefaults()}
	var err error
	if v.digest, err = v.hash(); err != nil {
		return nil, err
	}
	v.size = v.digest().Size()
	if v.parts, err = parseTemplate(v.Template); err != nil {
		return nil, err
	}
	v.plain = signs(v.parts, partSecret)
	for _, check := range []func() error{v.checkHeader, v.checkTime, v.checkSigned} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	v.canonicalise()
	return v, nil
}

func (s Signature) withDefaults() Signature {
	for field, value := range map[*string]string{
		&s.Algorithm: "sha256", &s.Encoding: encodingHex, &s.SecretEncoding: encodingRaw, &s.Template: "{body}",
		&s.Timestamp.Unit: unitEither,
	} {
		if *field == "" {
			*field = value
		}
	}
	if s.Timestamp.Tolerance == 0 {
		s.Timestamp.Tolerance = Tolerance
	}
	if s.Timestamp.Past == 0 {
		s.Timestamp.Past = s.Timestamp.Tolerance
	}
	return s
}

func (v *Verifier) hash() (func() hash.Hash, error) {
	switch {
	case v.Algorithm == "sha256":
		return sha256.New, nil
	case v.Algorithm == "sha512":
		return sha512.New, nil
	case v.Algorithm == "sha1" && v.AllowWeak:
		return sha1.New, nil
	case v.Algorithm == "sha1":
		return nil, errors.New("sha1 is weak: set allow_weak if the sender offers nothing else")
	}
	return nil, fmt.Errorf("algorithm %q is unknown: write sha256 or sha512", v.Algorithm)
}

func (v *Verifier) checkHeader() error {
	switch {
	case len(v.Headers) == 0 || slices.Contains(v.Headers, ""):
		return errors.New("the scheme names no signature header")
	case v.Encoding != encodingHex && v.Encoding != encodingBase64:
		return fmt.Errorf("encoding %q is unknown: write hex or base64", v.Encoding)
	case !slices.Contains([]string{encodingRaw, encodingBase64, encodingHex}, v.SecretEncoding):
		return fmt.Errorf("secret encoding %q is unknown: write raw, base64 or hex", v.SecretEncoding)
	case !slices.Contains([]string{"", ",", ";", " "}, v.Separator):
		return fmt.Errorf("separator %q is unknown: write a comma, a semicolon or a space", v.Separator)
	case !slices.Contains([]string{elementWhole, elementKeyValue, elementVersionValue}, v.Element):
		return fmt.Errorf("element %q is unknown: write %s or %s, or leave it out", v.Element, elementKeyValue, elementVersionValue)
	case v.Element != elementWhole && len(v.Versions) == 0:
		return errors.New("the elements have versions, but none is accepted: name them")
	case v.Element == elementWhole && len(v.Versions) > 0:
		return errors.New("versions are named, but the elements have none: say what form they have")
	case v.Element == elementVersionValue && v.Separator == ",":
		return errors.New("a comma cannot both separate the elements and stand inside them")
	case (v.PublicKeyPrefix == "") != (v.PublicKeyVersion == ""):
		return errors.New("public keys need both a prefix and a version")
	}
	return nil
}

func (v *Verifier) checkTime() error {
	t := v.Timestamp
	sources := 0
	for _, source := range []string{t.Header, t.Element, t.Body} {
		if source != "" {
			sources++
		}
	}
	switch {
	case sources > 1:
		return errors.New("the timestamp has several sources: name one of header, element, body")
	case t.Tolerance < 0, t.Past < 0:
		return errors.New("the tolerance is negative")
	case !slices.Contains(units, t.Unit):
		return fmt.Errorf("the timestamp's unit %q is unknown: write %s", t.Unit, strings.Join(units, ", "))
	case t.Element != "" && (v.Element != elementKeyValue || v.Separator == ""):
		return errors.New("the timestamp is an element of the signature header, so that must be a list of key=value")
	case t.Body != "" && !strings.HasPrefix(t.Body, "/"):
		return errors.New("the timestamp's place in the body is a JSON pointer, which begins with /")
	}
	if t.Body != "" {
		v.pointer = parsePointer(t.Body)
	}
	return nil
}

func (v *Verifier) checkSigned() error {
	inHeader := v.Timestamp.Header != "" || v.Timestamp.Element != ""
	switch {
	case !signs(v.parts, partBody) && !v.AllowUnsignedBody:
		return errors.New("the template does not sign {body}")
	case signs(v.parts, partTimestamp) != inHeader:
		return errors.New("the template has {timestamp} exactly when there is a timestamp header or element: an unsigned time protects nothing")
	case v.Timestamp.Body != "" && !signs(v.parts, partBody):
		return errors.New("the timestamp stands in the body, which is not signed")
	case signs(v.parts, partID) && v.IDHeader == "":
		return errors.New("the template signs {id}, but no id header is named")
	case !signs(v.parts, partID) && v.IDHeader != "":
		return errors.New("an id header is named, but the template does not sign {id}")
	case (signs(v.parts, partHeaderNames) && signs(v.parts, partHeaderValues)) != (v.SignedHeaders != ""),
		signs(v.parts, partHeaderNames) != signs(v.parts, partHeaderValues):
		return errors.New("signed_headers names an element exactly when the template signs {header_names} and {header_values}")
	case v.SignedHeaders != "" && (v.Element != elementKeyValue || v.Separator == ""):
		return errors.New("the names of the signed headers are an element of the signature header, so that must be a list of key=value")
	case v.plain && !v.AllowWeak:
		return errors.New("a template with {secret} is a plain hash, which is weak: set allow_weak if the sender offers nothing else")
	}
	return nil
}

// canonicalise writes the names of headers as net/http keeps them, so that looking one up costs nothing.
func (v *Verifier) canonicalise() {
	v.Headers = slices.Clone(v.Headers)
	for i, name := range v.Headers {
		v.Headers[i] = http.CanonicalHeaderKey(name)
	}
	v.IDHeader = http.CanonicalHeaderKey(v.IDHeader)
	v.Timestamp.Header = http.CanonicalHeaderKey(v.Timestamp.Header)
}

// addSecret makes a secret a key of the signature, or a public key. Its errors begin with a verb and hold no part of it.
func (v *Verifier) addSecret(secret string) error {
	if v.PublicKeyPrefix != "" {
		if text, isPublic := strings.CutPrefix(secret, v.PublicKeyPrefix); isPublic {
			key, err := decodeKey(text)
			switch {
			case err != nil:
				return err
			case len(key) != ed25519.PublicKeySize:
				return fmt.Errorf("is no Ed25519 public key of %d bytes", ed25519.PublicKeySize)
			}
			v.public = append(v.public, key)
			return nil
		}
		if strings.HasPrefix(secret, privateKeyPrefix) {
			return fmt.Errorf("is a private key: set the public one, %s…", v.PublicKeyPrefix)
		}
	}
	key, err := decodeSecret(strings.TrimPrefix(secret, v.SecretPrefix), v.SecretEncoding)
	if err != nil {
		return err
	}
	v.keys = append(v.keys, key)
	return nil
}

// decodeSecret returns the key that a secret's text stands for.
func decodeSecret(secret, encoding string) ([]byte, error) {
	switch encoding {
	case encodingBase64:
		return decodeKey(secret)
	case encodingHex:
		key, err := hex.DecodeString(secret)
		if err != nil {
			return nil, errors.New("is not hexadecimal")
		}
		if len(key) == 0 {
			return nil, errors.New("is empty once decoded")
		}
		return key, nil
	}
	if secret == "" {
		return nil, errors.New("is empty behind its prefix")
	}
	return []byte(secret), nil
}
