// Package delivery sends a verified event to an HTTP endpoint and says what came back. It knows nothing of retries: what
// is worth another attempt is decided by who asked.
package delivery

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"hookflow/event"
)

// The bounds of a delivery. A receiver that streams for ever costs 64 KiB and the message's time.
const (
	DefaultTimeout = 10 * time.Second
	maxRead        = 64 << 10 // of a response
	maxHead        = 1 << 10  // of it that is kept
	maxResponse    = 1 << 20  // of its headers: more of them is no word about the event
	connectTime    = 5 * time.Second
)

// Message is one attempt to deliver an event.
type Message struct {
	Event   *event.Event // whole, with the step and epoch that its idempotency key needs
	Attempt int          // from 1
	URL     string
	Format  Format
	Signer  *Signer // nil: not signed
	// Headers are added to the ones that every delivery has; CheckHeader says which may be.
	Headers map[string]string
	Timeout time.Duration // of the whole exchange; 0: DefaultTimeout
	Reach   Reach
}

// Response is what the receiver answered.
type Response struct {
	Status int
	// Head is the beginning of the body, at most 1 KiB of UTF-8. It is content: it may quote the event.
	Head string
	// Body is the body as it came, ContentType its media type; Cut says that it went on after 64 KiB.
	Body        []byte
	ContentType string
	Cut         bool
	// RetryAfter is how long a 429 or 503 asks to be left alone, at most an hour; 0 where it does not say.
	RetryAfter time.Duration
}

// OK reports whether the receiver took the event.
func (r Response) OK() bool { return r.Status/100 == 2 }

// Client posts messages. It is safe for concurrent use.
type Client struct {
	now     func() time.Time
	through func(http.RoundTripper) http.RoundTripper

	mu   sync.Mutex
	ways map[string]*way // by their Reach: a connection that one has made is no other's to use
}

// New returns a client that keeps idle connections, follows no redirect, and uses no proxy but that of a message: HTTP_PROXY of the
// environment would connect in our place, past the check of addresses. Calls go through what through makes of the transport (spans),
// nil for nothing between.
func New(now func() time.Time, through func(http.RoundTripper) http.RoundTripper) *Client {
	if through == nil {
		through = func(t http.RoundTripper) http.RoundTripper { return t }
	}
	return &Client{now: now, through: through, ways: map[string]*way{}}
}

// Post sends the message and returns the answer, whatever its status. Without an answer the error is a *Failure, whose
// words hold the host and nothing else of the URL.
func (c *Client) Post(ctx context.Context, m Message) (Response, error) {
	timeout := m.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	timed, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := c.request(timed, m)
	if err != nil {
		return Response{}, err
	}
	if what := m.Reach.refused(r.URL.Hostname()); what != "" {
		return Response{}, &Failure{AddressRefused, r.URL.Host + " " + what}
	}
	client, err := c.client(m.Reach)
	if err != nil {
		return Response{}, &Failure{NotConfigured, err.Error()}
	}
	answer, err := client.Do(r)
	if err != nil {
		return Response{}, failed(err, r.URL.Host, timeout)
	}
	defer answer.Body.Close()
	response := Response{Status: answer.StatusCode, ContentType: answer.Header.Get("Content-Type")}
	// A body that breaks off changes nothing about the event: the status was the receiver's word.
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxRead+1))
	response.Cut = err != nil || len(body) > maxRead
	response.Body = body[:min(len(body), maxRead)]
	response.Head = head(response.Body)
	if answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusServiceUnavailable {
		response.RetryAfter = RetryAfter(answer.Header.Get("Retry-After"), c.now())
	}
	return response, nil
}

// request writes the message as the receiver sees it.
func (c *Client) request(ctx context.Context, m Message) (*http.Request, error) {
	body, contentType := m.Event.Body, m.Event.ContentType
	if m.Format == CloudEvents {
		body, contentType = envelope(m.Event), cloudEventsType
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(body))
	if err != nil {
		return nil, &Failure{Type: "InvalidURL", Message: "the URL cannot be read"} // err would quote it
	}
	for name, value := range m.Headers {
		r.Header.Set(name, value)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "hookflow")
	}
	tell(r.Header, m)
	now := c.now()
	m.Signer.sign(r.Header, MessageID(m.Event), now, body)
	sendOnce(r.Header)
	return r, nil
}

// sendOnce keeps net/http from sending a request twice: it repeats a POST whose connection broke if one of these names stands in
// the header (Request.isReplayable), though the receiver may have it. An attempt is one delivery. Names are the same in lower
// case for every receiver (RFC 9110 section 5.1); a request of which no byte was written is still sent over another connection.
func sendOnce(h http.Header) {
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, there := h[name]; there {
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
}

// head cuts a body to what is kept of it, and cleans what Postgres and terminals do not take.
func head(body []byte) string {
	text := strings.ToValidUTF8(string(body[:min(len(body), maxHead)]), "\uFFFD")
	text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	if len(text) <= maxHead {
		return text
	}
	return strings.ToValidUTF8(text[:maxHead], "")
}
