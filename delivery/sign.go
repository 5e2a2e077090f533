package delivery

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hookflow/event"
)

// The prefixes of Standard Webhooks' secrets.
const (
	hmacPrefix    = "whsec_"
	ed25519Prefix = "whsk_"
)

// maxSecrets is how many secrets may be current while they are rotated: each makes the header longer by 50 bytes or 90.
const maxSecrets = 5

// Signer signs as Standard Webhooks says, once with each current secret, so that a receiver may change to the new one at
// any time: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
type Signer struct {
	sum []func(text []byte) string // an element of the header each
}

// NewSigner takes 1 to 5 secrets: whsec_ and the base64 of 24 to 64 random bytes (HMAC-SHA256), or whsk_ and the base64 of
// an Ed25519 private key. The error does not hold the secret.
func NewSigner(secrets []string) (*Signer, error) {
	if len(secrets) == 0 || len(secrets) > maxSecrets {
		return nil, fmt.Errorf("holds %d secrets, not 1 to %d", len(secrets), maxSecrets)
	}
	s := &Signer{}
	for i, secret := range secrets {
		sum, err := summer(strings.TrimSpace(secret))
		if err != nil {
			return nil, fmt.Errorf("secret %d %w", i+1, err)
		}
		s.sum = append(s.sum, sum)
	}
	return s, nil
}

func summer(secret string) (func([]byte) string, error) {
	if text, ok := strings.CutPrefix(secret, ed25519Prefix); ok {
		return ed25519Summer(text)
	}
	text, ok := strings.CutPrefix(secret, hmacPrefix)
	if !ok {
		return nil, errors.New("does not begin with " + hmacPrefix)
	}
	key, err := decodeKey(text)
	if err != nil {
		return nil, err
	}
	if len(key) < 24 || len(key) > 64 {
		return nil, fmt.Errorf("is %d bytes once decoded, not 24 to 64", len(key))
	}
	return func(text []byte) string {
		mac := hmac.New(sha256.New, key)
		mac.Write(text)
		return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}, nil
}

// ed25519Summer takes a key as libraries write it: the seed alone, or followed by the public key.
func ed25519Summer(text string) (func([]byte) string, error) {
	key, err := decodeKey(text)
	if err != nil {
		return nil, err
	}
	if len(key) != ed25519.SeedSize && len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("is no Ed25519 private key of %d or %d bytes", ed25519.SeedSize, ed25519.PrivateKeySize)
	}
	private := ed25519.NewKeyFromSeed(key[:ed25519.SeedSize])
	return func(text []byte) string {
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, text))
	}, nil
}

// decodeKey reads base64, padded or not.
func decodeKey(text string) ([]byte, error) {
	key, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, errors.New("is not base64 behind its prefix")
	}
	return key, nil
}

// MessageID is the webhook-id of a delivery: the same for each attempt of a step, another for another step or a replay that
// repeats completed steps. It has no full stop, which would make what is signed ambiguous.
func MessageID(e *event.Event) string {
	sum := sha256.Sum256([]byte(e.IdempotencyKey()))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// sign sets the three headers of Standard Webhooks; without a signer, those that need no secret.
func (s *Signer) sign(h http.Header, id string, now time.Time, body []byte) {
	at := strconv.FormatInt(now.Unix(), 10)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", at)
	if s == nil {
		return
	}
	text := append([]byte(id+"."+at+"."), body...)
	signatures := make([]string, len(s.sum))
	for i, sum := range s.sum {
		signatures[i] = sum(text)
	}
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
}
