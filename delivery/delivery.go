// Package delivery sends a verified event to an HTTP endpoint and says what came back. It knows nothing of retries: what
// is worth another attempt is decided by who asked.
package delivery

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
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
	// Allowed says which addresses beside the internet the message may reach.
	Allowed Allowed
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

	mu      sync.Mutex
	clients map[string]*http.Client // by what they may reach: a connection that one has made is no other's to use
}

// New returns a client that keeps idle connections, follows no redirect, and uses no proxy: HTTP_PROXY of the environment
// would connect in our place, past the check of addresses. Calls go through what through makes of the transport (spans),
// nil for nothing between.
func New(now func() time.Time, through func(http.RoundTripper) http.RoundTripper) *Client {
	if through == nil {
		through = func(t http.RoundTripper) http.RoundTripper { return t }
	}
	return &Client{now: now, through: through, clients: map[string]*http.Client{}}
}

// client returns the one that may reach what is open.
func (c *Client) client(open Allowed) *http.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := open.key()
	if c.clients[key] == nil {
		c.clients[key] = httpClient(open, c.through)
	}
	return c.clients[key]
}

func httpClient(open Allowed, through func(http.RoundTripper) http.RoundTripper) *http.Client {
	dialer := &net.Dialer{Timeout: connectTime, KeepAlive: 30 * time.Second, Control: control(open)}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: through(&http.Transport{
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    connectTime,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: maxResponse,
			DisableCompression:     true, // what is kept is what was sent, and nothing unfolds
		}),
	}
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
	answer, err := c.client(m.Allowed).Do(r)
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

// Failure is a delivery without an answer.
type Failure struct {
	Type    string // Timeout, ConnectFailed, AddressRefused, InvalidURL or Stopped
	Message string // one sentence, without anything secret
}

// Error returns the sentence.
func (f *Failure) Error() string { return f.Message }

// The types of a Failure that speak of the receiver.
const (
	Timeout        = "Timeout"
	ConnectFailed  = "ConnectFailed"
	AddressRefused = "AddressRefused"
)

// failed tells why there is no answer in words of our own: those of net/http quote the URL, and sometimes what came back.
func failed(err error, host string, timeout time.Duration) *Failure {
	var refused *addressError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var wrapped *url.Error
	var network net.Error
	switch {
	case errors.As(err, &refused):
		return &Failure{AddressRefused, host + " " + refused.Error()}
	case errors.Is(err, context.Canceled):
		return &Failure{"Stopped", "the attempt was stopped before " + host + " answered"}
	case errors.As(err, &dns) && !dns.IsTimeout:
		return &Failure{ConnectFailed, host + " does not resolve to an address"}
	case errors.As(err, &certificate):
		return &Failure{ConnectFailed, "the certificate of " + host + " cannot be trusted: " + certificate.Err.Error()}
	case errors.As(err, &record):
		return &Failure{ConnectFailed, host + " does not speak TLS: " + plainWords(record)}
	case errors.As(err, &alert):
		return &Failure{ConnectFailed, host + " refuses TLS: " + alertWords(alert)}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return &Failure{Timeout, fmt.Sprintf("%s did not answer within %v", host, timeout)}
	}
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return &Failure{ConnectFailed, host + " cannot be reached: " + lastWords(op.Err)}
	}
	switch text := err.Error(); {
	case errors.Is(err, syscall.ECONNRESET):
		return &Failure{ConnectFailed, host + " reset the connection before it answered"}
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return &Failure{ConnectFailed, host + " does not speak TLS: it answers plain HTTP"}
	case strings.Contains(text, "remote error: tls: "):
		return &Failure{ConnectFailed, host + " refuses TLS: " + text[strings.LastIndex(text, "tls: ")+len("tls: "):]}
	case strings.Contains(text, "tls: server selected unsupported protocol version"):
		return &Failure{ConnectFailed, host + " speaks a version of TLS older than 1.2"}
	case strings.Contains(text, "malformed HTTP"):
		return &Failure{ConnectFailed, "the connection to " + host + " broke before it answered: it does not speak HTTP"}
	case strings.Contains(text, "response headers exceeded"):
		return &Failure{ConnectFailed, host + " answers with more than 1 MiB of headers"}
	}
	return &Failure{ConnectFailed, "the connection to " + host + " broke before it answered"}
}

func plainWords(record tls.RecordHeaderError) string {
	if bytes.HasPrefix(record.RecordHeader[:], []byte("HTTP/")) {
		return "it answers plain HTTP"
	}
	return "what it answers is no TLS record"
}

// alertWords says what an alert of the receiver means (RFC 8446 section 6).
func alertWords(alert tls.AlertError) string {
	switch alert {
	case 42, 116: // bad_certificate is what older servers send
		return "it demands a client certificate"
	case 70:
		return "it speaks no version of TLS from 1.2 on"
	}
	return strings.TrimPrefix(alert.Error(), "tls: ")
}

// lastWords is the innermost error, such as "connection refused".
func lastWords(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
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
