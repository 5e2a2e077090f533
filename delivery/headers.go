package delivery

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// own are the headers that a delivery writes itself, by the beginning of their names.
var own = []string{"Webhook-", "Svix-", "Hookflow-", "Proxy-"}

// ownNames are those that a delivery, or the connection under it, writes (RFC 9110 section 7.6.1 for the latter).
var ownNames = []string{
	"Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host", "Idempotency-Key", "Keep-Alive", "Te",
	"Trailer", "Transfer-Encoding", "Upgrade",
}

// CheckHeader returns what is wrong with adding a header to deliveries, without quoting the value; "" for nothing.
func CheckHeader(name, value string) string {
	canonical := http.CanonicalHeaderKey(name)
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return fmt.Sprintf("%q is not the name of a header", name)
	case slices.Contains(ownNames, canonical), slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(canonical, prefix) }):
		return name + " is written by hookflow itself"
	case !httpguts.ValidHeaderFieldValue(value):
		return "the value of " + name + " holds a control character"
	}
	return ""
}

// tell says in headers what the body cannot: which event this is, and which attempt.
func tell(h http.Header, m Message) {
	e := m.Event
	h.Set("Hookflow-Event-Id", e.ID)
	h.Set("Hookflow-Event-Type", headerText(e.Type))
	h.Set("Hookflow-Provider", headerText(e.Provider))
	h.Set("Hookflow-Attempt", strconv.Itoa(m.Attempt))
	h.Set("Idempotency-Key", headerText(e.IdempotencyKey()))
	if e.BodyMasked {
		h.Set("Hookflow-Body-Masked", "true")
	}
}

// headerText writes a text that a sender chose as a header can hold it: bytes beyond printable ASCII, and the per cent sign,
// as %XX.
func headerText(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// MaxRetryAfter bounds how long a receiver can ask to be left alone.
const MaxRetryAfter = time.Hour

// RetryAfter reads the header of that name: seconds, or an HTTP date (RFC 9110 section 10.2.3). What cannot be read, and
// what is over, is 0; more than an hour is an hour.
func RetryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if text != "" && strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter)
}
