package providers

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hookflow/event"
)

// Standard verifies and reads requests signed as Standard Webhooks says, which Svix, OpenAI, Resend, Clerk and others
// send: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
type Standard struct {
	keys   [][]byte            // v1: HMAC-SHA256
	public []ed25519.PublicKey // v1a: Ed25519
}

// Prefixes of the specification's secrets; publicKeyPrefix marks what is no secret at all.
const (
	secretKeyPrefix  = "whsec_"
	publicKeyPrefix  = "whpk_"
	privateKeyPrefix = "whsk_"
)

// NewStandard takes the current secrets: base64 of an HMAC key, with or without whsec_, or of an Ed25519 public key
// behind whpk_. It refuses none, more than MaxSecrets, and one that is empty, before or after decoding.
func NewStandard(secrets []string) (*Standard, error) {
	current, err := currentSecrets(secrets)
	if err != nil {
		return nil, err
	}
	s := &Standard{}
	for i, secret := range current {
		if err := s.add(secret); err != nil {
			return nil, fmt.Errorf("secret %d %w", i+1, err)
		}
	}
	return s, nil
}

func (s *Standard) add(secret string) error {
	if strings.HasPrefix(secret, privateKeyPrefix) {
		return fmt.Errorf("is a private key: set the public one, %s…", publicKeyPrefix)
	}
	text, isPublic := strings.CutPrefix(secret, publicKeyPrefix)
	key, err := decodeKey(strings.TrimPrefix(text, secretKeyPrefix))
	switch {
	case err != nil:
		return err
	case isPublic && len(key) != ed25519.PublicKeySize:
		return fmt.Errorf("is no Ed25519 public key of %d bytes", ed25519.PublicKeySize)
	case isPublic:
		s.public = append(s.public, key)
	default:
		s.keys = append(s.keys, key)
	}
	return nil
}

// standardNames are the three signing headers under one of their two names.
type standardNames struct{ id, timestamp, signature string }

var (
	webhookNames = standardNames{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"}
	svixNames    = standardNames{"Svix-Id", "Svix-Timestamp", "Svix-Signature"}
)

// namesOf says which names count in a request: all three come from one family, and Verify and Identify agree on it, so
// that no unsigned id can stand beside a signed one.
func namesOf(h http.Header) standardNames {
	if len(h.Values(webhookNames.signature)) == 0 && len(h.Values(svixNames.signature)) > 0 {
		return svixNames
	}
	return webhookNames
}

func (s *Standard) present(h http.Header) bool { return len(h.Values(namesOf(h).signature)) > 0 }

// Verify accepts a request when any signature of its list is right under any key. Versions other than v1 and v1a do not
// count.
func (s *Standard) Verify(r *Request, now time.Time) error {
	names := namesOf(r.Header)
	header, err := only(r.Header, names.signature)
	if err != nil {
		return err
	}
	id, err := only(r.Header, names.id)
	if err != nil {
		return err
	}
	timestamp, err := only(r.Header, names.timestamp)
	if err != nil {
		return err
	}
	signed, ok := signedSeconds(timestamp)
	if !ok {
		return unverified(ReasonMalformed)
	}
	if err := inWindow(signed, now, Tolerance); err != nil {
		return err
	}
	given, err := parseStandardSignatures(header)
	if err != nil {
		return err
	}
	if !s.proves(given, id, timestamp, r.Body) {
		return unverified(ReasonMismatch)
	}
	return nil
}

// standardSignatures are the digests of a header by version.
type standardSignatures struct{ v1, v1a [][]byte }

// parseStandardSignatures reads a list such as "v1,<base64> v1a,<base64>". An element that cannot be read is passed
// over, so that a newer form beside the known one does no harm.
func parseStandardSignatures(header string) (standardSignatures, error) {
	var given standardSignatures
	n := 0
	for element := range strings.SplitSeq(header, " ") {
		if n++; n > maxSignatures {
			return given, unverified(ReasonMalformed)
		}
		version, text, _ := strings.Cut(element, ",")
		switch version {
		case "v1":
			if sum := make([]byte, sha256.Size); decodeDigest(sum, text, encodingBase64) {
				given.v1 = append(given.v1, sum)
			}
		case "v1a":
			if sum := make([]byte, ed25519.SignatureSize); decodeDigest(sum, text, encodingBase64) {
				given.v1a = append(given.v1a, sum)
			}
		}
	}
	if len(given.v1)+len(given.v1a) == 0 {
		return given, unverified(ReasonMalformed)
	}
	return given, nil
}

func (s *Standard) proves(given standardSignatures, id, timestamp string, body []byte) bool {
	found := false
	if len(given.v1) > 0 {
		for _, key := range s.keys {
			sum := standardSum(key, id, timestamp, body)
			for _, g := range given.v1 {
				found = hmac.Equal(sum, g) || found
			}
		}
	}
	if len(given.v1a) == 0 || len(s.public) == 0 {
		return found
	}
	text := append([]byte(id+"."+timestamp+"."), body...)
	for _, key := range s.public {
		for _, g := range given.v1a {
			found = ed25519.Verify(key, text, g) || found
		}
	}
	return found
}

func standardSum(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// unknownType is the type of an event whose body names none. The specification recommends the field, no more.
const unknownType = "unknown"

// Identify takes the id from the signed header and the type from the body.
func (s *Standard) Identify(r *Request) (event.Event, error) {
	body, err := parseObject(r.Body)
	if err != nil {
		return event.Event{}, err
	}
	id, err := only(r.Header, namesOf(r.Header).id)
	if err != nil {
		return event.Event{}, noEvent("the request has no single id header")
	}
	typ, err := body.member("type").text("type")
	if err != nil {
		return event.Event{}, err
	}
	if typ == "" {
		typ = unknownType
	}
	occurred, _ := body.member("timestamp").scalar("timestamp")
	return event.Event{EventID: id, Type: typ, OccurredAt: rfc3339Time(occurred), Body: r.Body}, nil
}

// Answer returns nil: any 2xx will do.
func (s *Standard) Answer(*event.Event) *Answer { return nil }

// Traits says how the requests look.
func (s *Standard) Traits() Traits {
	return Traits{
		Scheme:     "standard",
		MaxBody:    1 << 20,
		MediaTypes: []string{jsonType},
		Headers:    []string{"User-Agent", webhookNames.id, webhookNames.timestamp, svixNames.id, svixNames.timestamp},
	}
}

// Sign signs with the first HMAC key, under the webhook- names; an id that r already carries is kept. With public keys
// alone it cannot sign and leaves r as it is.
func (s *Standard) Sign(r *Request, now time.Time) {
	if len(s.keys) == 0 {
		return
	}
	id, timestamp := deliveryID(r, webhookNames.id), strconv.FormatInt(now.Unix(), 10)
	sum := standardSum(s.keys[0], id, timestamp, r.Body)
	setHeader(r, webhookNames.id, id)
	setHeader(r, webhookNames.timestamp, timestamp)
	setHeader(r, webhookNames.signature, "v1,"+base64.StdEncoding.EncodeToString(sum))
}
