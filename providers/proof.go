package providers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// proof is one way in which a request shows who sent it.
type proof interface {
	present(h http.Header) bool // the header that carries the proof is there
	Verify(r *Request, now time.Time) error
	Sign(r *Request, now time.Time)
}

// alternatives are ways of which the first that is present in a request decides: a false signature of the better one is
// not made good by another, and Identify reads the id that this one signs.
type alternatives []*Verifier

func newAlternatives(declared []Signature, secrets []string) (alternatives, error) {
	var all alternatives
	for _, d := range declared {
		v, err := NewVerifier(d, secrets)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// of returns the one that decides about a request, nil when it is signed in none of these ways. Where several read one
// header, the required headers tell them apart.
func (a alternatives) of(h http.Header) *Verifier {
	var first *Verifier
	for _, v := range a {
		switch {
		case !v.present(h):
		case v.confirmed(h):
			return v
		case first == nil:
			first = v
		}
	}
	return first
}

func (a alternatives) present(h http.Header) bool { return a.of(h) != nil }

func (a alternatives) Verify(r *Request, now time.Time) error {
	if v := a.of(r.Header); v != nil {
		return v.Verify(r, now)
	}
	return unverified(ReasonMissing)
}

func (a alternatives) Sign(r *Request, now time.Time) { a[0].Sign(r, now) }

// standardSignatures are those of Standard Webhooks, under its own header names and under those of Svix, from which it
// comes. All three names of a request are of one family.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
var standardSignatures = []Signature{standardSignature("Webhook"), standardSignature("Svix")}

// Prefixes of the specification's secrets; publicKeyPrefix marks what is no secret at all.
const (
	secretKeyPrefix  = "whsec_"
	publicKeyPrefix  = "whpk_"
	privateKeyPrefix = "whsk_"
)

func standardSignature(family string) Signature {
	return Signature{
		Headers:          []string{family + "-Signature"},
		Separator:        " ",
		Element:          elementVersionValue,
		Versions:         []string{"v1"},
		Encoding:         encodingBase64,
		SecretEncoding:   encodingBase64,
		SecretPrefix:     secretKeyPrefix,
		Template:         "{id}.{timestamp}.{body}",
		Timestamp:        Timestamp{Header: family + "-Timestamp", Unit: unitSeconds},
		IDHeader:         family + "-Id",
		PublicKeyPrefix:  publicKeyPrefix,
		PublicKeyVersion: "v1a",
		AllowEmptyBody:   true, // it is refused as no event
	}
}

// token is a secret sent as it is: it proves that the sender knows it, nothing about the body.
type token struct {
	header, prefix string
	first          string
	sums           [][sha256.Size]byte
}

func newToken(header, prefix string, secrets []string) *token {
	t := &token{header: http.CanonicalHeaderKey(header), prefix: prefix, first: secrets[0]}
	for _, s := range secrets {
		t.sums = append(t.sums, sha256.Sum256([]byte(s)))
	}
	return t
}

// newBasic takes secrets of the form user:password, as basic authentication sends them (RFC 7617).
func newBasic(secrets []string) *token {
	coded := make([]string, len(secrets))
	for i, s := range secrets {
		coded[i] = base64.StdEncoding.EncodeToString([]byte(s))
	}
	return newToken("Authorization", "Basic ", coded)
}

func (t *token) present(h http.Header) bool { return len(h[t.header]) > 0 }

// Verify compares digests of equal length, so that the time taken does not tell a secret's length either.
func (t *token) Verify(r *Request, _ time.Time) error {
	value, err := only(r.Header, t.header)
	if err != nil {
		return err
	}
	given, ok := strings.CutPrefix(value, t.prefix)
	if !ok || given == "" {
		return unverified(ReasonMalformed)
	}
	if !t.knows(given) {
		return unverified(ReasonMismatch)
	}
	return nil
}

func (t *token) knows(given string) bool {
	sum, found := sha256.Sum256([]byte(given)), false
	for i := range t.sums {
		found = hmac.Equal(t.sums[i][:], sum[:]) || found
	}
	return found
}

// Sign sets the header as the sender does.
func (t *token) Sign(r *Request, _ time.Time) { setHeader(r, t.header, t.prefix+t.first) }
