package providers

import (
	"crypto/hmac"
	"crypto/sha1" // only with AllowWeak
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The values of HMAC.Encoding and HMAC.SecretEncoding.
const (
	encodingHex    = "hex"
	encodingBase64 = "base64"
	encodingRaw    = "raw"
)

// HMAC declares a signature scheme: one digest in one header, over a template. Algorithm, encodings and header names are
// configuration; nothing in a request chooses among them.
type HMAC struct {
	Algorithm string // sha256 (default), sha512; sha1 only with AllowWeak
	AllowWeak bool
	// SignatureHeader holds Prefix and the digest in Encoding: hex (default, either case) or base64 (standard alphabet,
	// padded, strict).
	SignatureHeader string
	Prefix          string
	Encoding        string
	// SecretEncoding says what a secret's text is: raw (default, its bytes are the key) or base64.
	SecretEncoding string
	// Template is what is signed: literals and {body}, {timestamp}, {id}, {method}, {url}. Default {body}. Vapi writes
	// {svix-id} for {id}.
	Template string
	// TimestampHeader holds the text of {timestamp}: seconds or, above 10^11, milliseconds since 1970.
	TimestampHeader string
	// IDHeader holds the text of {id}.
	IDHeader string
	// Tolerance is how far {timestamp} may lie from the clock, in both directions; default Tolerance.
	Tolerance time.Duration
}

// HMACVerifier verifies requests under a declared scheme.
type HMACVerifier struct {
	scheme HMAC
	digest func() hash.Hash
	size   int // of a digest, in bytes
	parts  []templatePart
	keys   [][]byte
}

// templatePart is a literal, or a placeholder without its braces.
type templatePart struct{ literal, name string }

const (
	partBody      = "body"
	partTimestamp = "timestamp"
	partID        = "id"
	partMethod    = "method"
	partURL       = "url"
)

// NewHMAC compiles a declared scheme. It refuses what would verify less than it seems to: no secret or an empty one, a
// template without {body}, a time-stamp header that is not signed, SHA-1 unless allowed, names it does not know.
func NewHMAC(scheme HMAC, secrets []string) (*HMACVerifier, error) {
	secrets, err := currentSecrets(secrets)
	if err != nil {
		return nil, err
	}
	v := &HMACVerifier{scheme: scheme.withDefaults()}
	if v.scheme.SignatureHeader == "" {
		return nil, errors.New("the scheme names no signature header")
	}
	if v.scheme.Encoding != encodingHex && v.scheme.Encoding != encodingBase64 {
		return nil, fmt.Errorf("encoding %q is unknown: write hex or base64", v.scheme.Encoding)
	}
	if v.scheme.Tolerance < 0 {
		return nil, errors.New("the tolerance is negative")
	}
	if v.digest, err = v.scheme.hash(); err != nil {
		return nil, err
	}
	v.size = v.digest().Size()
	if v.parts, err = parseTemplate(v.scheme.Template); err != nil {
		return nil, err
	}
	if err = v.checkTemplate(); err != nil {
		return nil, err
	}
	if v.keys, err = v.scheme.decodeSecrets(secrets); err != nil {
		return nil, err
	}
	return v, nil
}

func (s HMAC) withDefaults() HMAC {
	for field, value := range map[*string]string{
		&s.Algorithm: "sha256", &s.Encoding: encodingHex, &s.SecretEncoding: encodingRaw, &s.Template: "{body}",
	} {
		if *field == "" {
			*field = value
		}
	}
	if s.Tolerance == 0 {
		s.Tolerance = Tolerance
	}
	return s
}

func (s HMAC) hash() (func() hash.Hash, error) {
	switch {
	case s.Algorithm == "sha256":
		return sha256.New, nil
	case s.Algorithm == "sha512":
		return sha512.New, nil
	case s.Algorithm == "sha1" && s.AllowWeak:
		return sha1.New, nil
	case s.Algorithm == "sha1":
		return nil, errors.New("sha1 is weak: set allow_weak if the sender offers nothing else")
	}
	return nil, fmt.Errorf("algorithm %q is unknown: write sha256 or sha512", s.Algorithm)
}

func (s HMAC) decodeSecrets(secrets []string) ([][]byte, error) {
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		switch s.SecretEncoding {
		case encodingRaw:
			keys[i] = []byte(secret)
		case encodingBase64:
			key, err := decodeKey(secret)
			if err != nil {
				return nil, fmt.Errorf("secret %d %w", i+1, err)
			}
			keys[i] = key
		default:
			return nil, fmt.Errorf("secret encoding %q is unknown: write raw or base64", s.SecretEncoding)
		}
	}
	return keys, nil
}

// parseTemplate cuts a template at its placeholders.
func parseTemplate(template string) ([]templatePart, error) {
	var parts []templatePart
	for template != "" {
		literal, rest, found := strings.Cut(template, "{")
		if strings.Contains(literal, "}") {
			return nil, errors.New("the template has a } without a {")
		}
		if literal != "" {
			parts = append(parts, templatePart{literal: literal})
		}
		if !found {
			return parts, nil
		}
		name, rest, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, errors.New("the template has a { without a }")
		}
		switch name {
		case partBody, partTimestamp, partID, partMethod, partURL:
		case "svix-id":
			name = partID
		default:
			return nil, fmt.Errorf("the template names {%s}, which is none of {body} {timestamp} {id} {method} {url}", name)
		}
		parts = append(parts, templatePart{name: name})
		template = rest
	}
	return parts, nil
}

func (v *HMACVerifier) checkTemplate() error {
	switch {
	case !v.signs(partBody):
		return errors.New("the template does not sign {body}")
	case v.signs(partTimestamp) != (v.scheme.TimestampHeader != ""):
		return errors.New("the template has {timestamp} exactly when there is a timestamp header: an unsigned time protects nothing")
	case v.signs(partID) && v.scheme.IDHeader == "":
		return errors.New("the template signs {id}, but no id header is named")
	}
	return nil
}

func (v *HMACVerifier) signs(name string) bool {
	for _, p := range v.parts {
		if p.name == name {
			return true
		}
	}
	return false
}

func (v *HMACVerifier) present(h http.Header) bool {
	return len(h.Values(v.scheme.SignatureHeader)) > 0
}

// Verify checks r's digest against every secret, with now as the clock. Errors are *Error of CodeSignature.
func (v *HMACVerifier) Verify(r *Request, now time.Time) error {
	header, err := only(r.Header, v.scheme.SignatureHeader)
	if err != nil {
		return err
	}
	text, ok := strings.CutPrefix(header, v.scheme.Prefix)
	given := make([]byte, v.size)
	if !ok || !decodeDigest(given, text, v.scheme.Encoding) {
		return unverified(ReasonMalformed)
	}
	timestamp, id, err := v.signedHeaders(r.Header, now)
	if err != nil {
		return err
	}
	found := false
	for _, key := range v.keys {
		found = hmac.Equal(v.sum(key, r, timestamp, id), given) || found
	}
	if !found {
		return unverified(ReasonMismatch)
	}
	return nil
}

// signedHeaders returns the texts of {timestamp} and {id}, as far as the template signs them, the first within the
// tolerance.
func (v *HMACVerifier) signedHeaders(h http.Header, now time.Time) (timestamp, id string, err error) {
	if v.signs(partTimestamp) {
		if timestamp, err = only(h, v.scheme.TimestampHeader); err != nil {
			return "", "", err
		}
		signed, ok := signedSecondsOrMillis(timestamp)
		if !ok {
			return "", "", unverified(ReasonMalformed)
		}
		if err = inWindow(signed, now, v.scheme.Tolerance); err != nil {
			return "", "", err
		}
	}
	if v.signs(partID) {
		id, err = only(h, v.scheme.IDHeader)
	}
	return timestamp, id, err
}

// sum is the digest of the template filled in.
func (v *HMACVerifier) sum(key []byte, r *Request, timestamp, id string) []byte {
	mac := hmac.New(v.digest, key)
	for _, p := range v.parts {
		switch p.name {
		case partBody:
			mac.Write(r.Body)
		case partTimestamp:
			mac.Write([]byte(timestamp))
		case partID:
			mac.Write([]byte(id))
		case partMethod:
			mac.Write([]byte(r.Method))
		case partURL:
			mac.Write([]byte(r.URL))
		default:
			mac.Write([]byte(p.literal))
		}
	}
	return mac.Sum(nil)
}

// Sign sets the scheme's headers on r, with the first secret and now, in seconds, as the time.
func (v *HMACVerifier) Sign(r *Request, now time.Time) {
	var timestamp, id string
	if v.signs(partTimestamp) {
		timestamp = strconv.FormatInt(now.Unix(), 10)
		setHeader(r, v.scheme.TimestampHeader, timestamp)
	}
	if v.signs(partID) {
		id = deliveryID(r, v.scheme.IDHeader)
		setHeader(r, v.scheme.IDHeader, id)
	}
	sum := v.sum(v.keys[0], r, timestamp, id)
	text := hex.EncodeToString(sum)
	if v.scheme.Encoding == encodingBase64 {
		text = base64.StdEncoding.EncodeToString(sum)
	}
	setHeader(r, v.scheme.SignatureHeader, v.scheme.Prefix+text)
}
