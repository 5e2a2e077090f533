package providers

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// ownKeyPrefix marks a key pair of one's own where a provider's public key is due: PKCS #8 (RFC 5958) in base64
// behind it. Such a provider can sign as well as verify, which is what dev and the tests need; no provider hands out a
// private key.
const ownKeyPrefix = "private:"

// The kinds of key pairs that GenerateKey makes.
const (
	KeyEd25519 = "ed25519"
	KeyECDSA   = "ecdsa" // P-256
	KeyRSA     = "rsa"   // 2048 bits
)

// GenerateKey returns a fresh key pair of a kind, in the form that the constructors take in place of a public key.
func GenerateKey(kind string, random io.Reader) (string, error) {
	var key any
	var err error
	switch kind {
	case KeyEd25519:
		_, key, err = ed25519.GenerateKey(random)
	case KeyECDSA:
		key, err = ecdsa.GenerateKey(elliptic.P256(), random)
	case KeyRSA:
		key, err = rsa.GenerateKey(random, 2048)
	default:
		return "", fmt.Errorf("there are no keys of kind %q", kind)
	}
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return ownKeyPrefix + base64.StdEncoding.EncodeToString(der), nil
}

// readPrivateKey reads a key pair that GenerateKey wrote. own is false when text is none, but a public key or an id.
func readPrivateKey[K crypto.Signer](text string) (key K, own bool, err error) {
	coded, own := strings.CutPrefix(text, ownKeyPrefix)
	if !own {
		return key, false, nil
	}
	der, ok := strictBase64(coded)
	if !ok {
		return key, true, errors.New("is marked private: but is not base64 behind that")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return key, true, errors.New("is marked private: but holds no PKCS #8 key")
	}
	key, ok = parsed.(K)
	if !ok {
		return key, true, fmt.Errorf("is marked private: but is a %T", parsed)
	}
	return key, true, nil
}

// edKeys are the current Ed25519 keys of a provider.
type edKeys struct {
	public  []ed25519.PublicKey
	private ed25519.PrivateKey // nil unless one of them is one's own
}

// newEdKeys reads public keys of 32 bytes in an encoding, hex or base64.
func newEdKeys(texts []string, encoding string) (*edKeys, error) {
	texts, err := currentSecrets(texts)
	if err != nil {
		return nil, err
	}
	keys := &edKeys{}
	for i, text := range texts {
		private, own, err := readPrivateKey[ed25519.PrivateKey](text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("public key %d %w", i+1, err)
		case own:
			keys.private = private
			keys.public = append(keys.public, private.Public().(ed25519.PublicKey))
			continue
		}
		key := make(ed25519.PublicKey, ed25519.PublicKeySize)
		if !decodeDigest(key, text, encoding) {
			return nil, fmt.Errorf("public key %d is not %d bytes in %s", i+1, ed25519.PublicKeySize, encoding)
		}
		if [ed25519.PublicKeySize]byte(key) == [ed25519.PublicKeySize]byte{} {
			return nil, fmt.Errorf("public key %d is all zero: anybody can sign for that one", i+1)
		}
		keys.public = append(keys.public, key)
	}
	return keys, nil
}

// verify tries every key.
func (k *edKeys) verify(message, signature []byte) bool {
	found := false
	for _, key := range k.public {
		found = ed25519.Verify(key, message, signature) || found
	}
	return found
}

// ecKeys are the current ECDSA keys of a provider, on the curve P-256.
type ecKeys struct {
	public  []*ecdsa.PublicKey
	private *ecdsa.PrivateKey // nil unless one of them is one's own
}

// newECKeys reads public keys: a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) in base64.
func newECKeys(texts []string) (*ecKeys, error) {
	texts, err := currentSecrets(texts)
	if err != nil {
		return nil, err
	}
	keys := &ecKeys{}
	for i, text := range texts {
		private, own, err := readPrivateKey[*ecdsa.PrivateKey](text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("public key %d %w", i+1, err)
		case own:
			keys.private = private
			keys.public = append(keys.public, &private.PublicKey)
			continue
		}
		der, ok := strictBase64(text)
		if !ok {
			return nil, fmt.Errorf("public key %d is not base64", i+1)
		}
		parsed, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, fmt.Errorf("public key %d is no SubjectPublicKeyInfo", i+1)
		}
		key, ok := parsed.(*ecdsa.PublicKey)
		if !ok || key.Curve != elliptic.P256() {
			return nil, fmt.Errorf("public key %d is not one of ECDSA on P-256", i+1)
		}
		keys.public = append(keys.public, key)
	}
	return keys, nil
}

// verify tries every key against a signature in DER.
func (k *ecKeys) verify(sum [sha256.Size]byte, signature []byte) bool {
	found := false
	for _, key := range k.public {
		found = ecdsa.VerifyASN1(key, sum[:], signature) || found
	}
	return found
}

// strictBase64 decodes the standard alphabet with its padding, and nothing else: no line ends, which encoding/base64
// skips, and no bits behind the last byte.
func strictBase64(text string) ([]byte, bool) {
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	return b, err == nil
}

// signedEd25519 is a request signed with Ed25519 over its time and its body, as Discord and Telnyx do.
type signedEd25519 struct {
	keys                 *edKeys
	signature, timestamp string // the headers
	encoding             string // of the signature
	between              string // what stands between time and body in the signed text
}

// verify checks the signature under every current key, and that the signed time lies within Tolerance.
func (s *signedEd25519) verify(r *Request, now time.Time) error {
	text, err := only(r.Header, s.signature)
	if err != nil {
		return err
	}
	var signature [ed25519.SignatureSize]byte
	if !decodeDigest(signature[:], text, s.encoding) {
		return unverified(ReasonMalformed)
	}
	timestamp, err := timeHeader(r.Header, s.timestamp, now)
	if err != nil {
		return err
	}
	if !s.keys.verify(s.message(timestamp, r.Body), signature[:]) {
		return unverified(ReasonMismatch)
	}
	return nil
}

func (s *signedEd25519) message(timestamp string, body []byte) []byte {
	message := make([]byte, 0, len(timestamp)+len(s.between)+len(body))
	message = append(append(message, timestamp...), s.between...)
	return append(message, body...)
}

// sign signs where a key pair is one's own, and leaves r as it is otherwise.
func (s *signedEd25519) sign(r *Request, now time.Time) {
	if s.keys.private == nil {
		return
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	sum := ed25519.Sign(s.keys.private, s.message(timestamp, r.Body))
	text := hex.EncodeToString(sum)
	if s.encoding == encodingBase64 {
		text = base64.StdEncoding.EncodeToString(sum)
	}
	setHeader(r, s.timestamp, timestamp)
	setHeader(r, s.signature, text)
}

// withKey returns an id and a fresh RSA key pair as a list of secrets, for senders whose secret is no key.
func withKey(id string, random io.Reader) (string, error) {
	key, err := GenerateKey(KeyRSA, random)
	return id + "," + key, err
}
