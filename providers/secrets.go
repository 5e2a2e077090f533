package providers

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// currentSecrets checks the secrets that a constructor was given: at least one, at most MaxSecrets, none empty. A line
// end behind one (a file's last byte) is cut. White space around one is refused rather than trimmed: no provider issues
// such a secret, and the failure would only show as a 401 on every request.
func currentSecrets(secrets []string) ([]string, error) {
	if len(secrets) == 0 {
		return nil, errNoSecret
	}
	if len(secrets) > MaxSecrets {
		return nil, fmt.Errorf("%d secrets are current, at most %d can be: each costs an HMAC per wrong request", len(secrets), MaxSecrets)
	}
	current := make([]string, len(secrets))
	for i, s := range secrets {
		s = strings.TrimRight(s, "\r\n")
		if strings.TrimSpace(s) == "" {
			return nil, errNoSecret
		}
		if strings.TrimSpace(s) != s {
			return nil, fmt.Errorf("secret %d begins or ends with white space", i+1)
		}
		current[i] = s
	}
	return current, nil
}

// splitList splits an option that is a comma-separated list; an empty one has no elements.
func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// decodeKey reads a base64 secret: the standard alphabet, padded or not, no empty key.
func decodeKey(secret string) ([]byte, error) {
	key, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(secret, "="))
	if err != nil {
		return nil, errors.New("is not base64")
	}
	if len(key) == 0 {
		return nil, errors.New("is empty once decoded")
	}
	return key, nil
}

// decodeDigest reads a signature of exactly len(dst) bytes: hex of either case, or strict standard base64. The encoded
// length is compared first, since encoding/base64 skips line ends: a text of the right length that holds some decodes to
// fewer bytes.
func decodeDigest(dst []byte, text, encoding string) bool {
	if encoding == encodingHex {
		if len(text) != hex.EncodedLen(len(dst)) {
			return false
		}
		_, err := hex.Decode(dst, []byte(text))
		return err == nil
	}
	if len(text) != base64.StdEncoding.EncodedLen(len(dst)) {
		return false
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && len(sum) == len(dst) && copy(dst, sum) == len(dst)
}

// signedDigits reads the digits of a signed time. Signs, white space, leading zeros and more than 15 digits are
// refused: a verifier that normalises them signs another text than the one that came.
func signedDigits(text string) (int64, bool) {
	if text == "" || len(text) > 15 || text[0] == '0' {
		return 0, false
	}
	var n int64
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(text[i]-'0')
	}
	return n, true
}

// signedSeconds reads a signed time in seconds.
func signedSeconds(text string) (time.Time, bool) {
	n, ok := signedDigits(text)
	return time.Unix(n, 0), ok
}

// signedSecondsOrMillis reads a signed time whose unit the sender does not document: above 10^11 it is milliseconds
// (as seconds that would be the year 5138, as milliseconds 1973).
func signedSecondsOrMillis(text string) (time.Time, bool) {
	n, ok := signedDigits(text)
	if n > 1e11 {
		return time.UnixMilli(n), ok
	}
	return time.Unix(n, 0), ok
}

// deliveryID returns the id under which a request is signed by Sign: the one it already carries in the header, else one
// made from the body, so that the same request gets the same id.
func deliveryID(r *Request, header string) string {
	if id := r.Header.Get(header); id != "" {
		return id
	}
	sum := sha256.Sum256(r.Body)
	return "msg_" + hex.EncodeToString(sum[:12])
}

// setHeader sets a header of a request that is being signed, which may have none yet.
func setHeader(r *Request, name, value string) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set(name, value)
}
