package providers

import (
	"crypto/hmac"
	"net/http"
	"strings"
	"time"
)

// only returns the single value of a signing header. Two different values are refused: net/http's Get would take the
// first, a proxy the last, and the two would verify different requests.
func only(h http.Header, name string) (string, error) {
	values := h.Values(name)
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", unverified(ReasonMissing)
	case len(values) > 1:
		return "", unverified(ReasonRepeated)
	case len(values[0]) > maxSignatureHeader:
		return "", unverified(ReasonMalformed)
	}
	return values[0], nil
}

// inWindow refuses a signed time further than tolerance from now, on either side. Exactly tolerance passes. A time without
// a fraction is one of a sender that cuts it off, so now is cut as well: 300 s ago lasts until the 301st second begins.
func inWindow(signed, now time.Time, tolerance time.Duration) error {
	if signed.Nanosecond() == 0 {
		now = now.Truncate(time.Second)
	}
	switch age := now.Sub(signed); {
	case age > tolerance:
		return unverified(ReasonStale)
	case age < -tolerance:
		return unverified(ReasonFuture)
	}
	return nil
}

// inUnevenWindow refuses a signed time that lies further back than past, or further ahead than ahead.
func inUnevenWindow(signed, now time.Time, past, ahead time.Duration) error {
	if signed.Before(now) {
		return inWindow(signed, now, past)
	}
	return inWindow(signed, now, ahead)
}

// timeHeader returns the text of a header that holds a signed time in seconds, once it lies within Tolerance of now.
func timeHeader(h http.Header, name string, now time.Time) (string, error) {
	text, err := only(h, name)
	if err != nil {
		return "", err
	}
	signed, ok := signedSeconds(text)
	if !ok {
		return "", unverified(ReasonMalformed)
	}
	return text, inWindow(signed, now, Tolerance)
}

// matches compares each wanted digest with each given one in constant time and without an early exit, so that the time
// taken does not tell which secret or signature came close.
func matches(wanted, given [][]byte) bool {
	ok := false
	for _, w := range wanted {
		for _, g := range given {
			ok = hmac.Equal(w, g) || ok
		}
	}
	return ok
}

// keepHeaders copies the allowed headers, first value each.
func keepHeaders(h http.Header, allowed []string) map[string]string {
	kept := make(map[string]string, len(allowed))
	for _, name := range allowed {
		if v := h.Get(name); v != "" {
			kept[name] = toText(v)
		}
	}
	return kept
}

// toText makes a header value fit for a Postgres text column: valid UTF-8 without NUL.
func toText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
