package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hookflow/event"
	"hookflow/providers"

	"github.com/gin-gonic/gin"
)

// problem is an answer that is not a success: RFC 9457 with a code for machines. This file is the only place where an
// error becomes a status.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`

	retryAfter int    // seconds; 0: no header
	allow      string // the Allow header, where gin has not set it
	challenge  string // the WWW-Authenticate header
	unread     bool   // said before the body was read whole
	drops      int64  // then, how much of it is still read
	cut        bool   // the connection cannot be used again
	silent     bool   // no body
}

func (p *problem) Error() string { return p.Code + ": " + p.Detail }

func newProblem(status int, code, detail string) *problem {
	// about:blank says that the status and the code are all there is to know (RFC 9457 section 4.2.1).
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

func (p *problem) retry(seconds int) *problem { p.retryAfter = seconds; return p }
func (p *problem) early() *problem            { p.unread, p.drops = true, maxDropped; return p }
func (p *problem) cutting() *problem          { p.cut = true; return p }

// How long senders are asked to stay away, in seconds: a burst passes within one, an outage rarely within five.
const (
	soon  = 1
	later = 5
)

// The problems that are the same each time. errSignature is constant on purpose: which part of a signature was wrong
// would guide whoever forges one.
var (
	errNoPath = newProblem(http.StatusNotFound, "path_unknown",
		"There is nothing at this path.").early()
	errProvider = newProblem(http.StatusNotFound, "provider_unknown",
		"No provider is configured under this name.").early()
	errMethod = newProblem(http.StatusMethodNotAllowed, "method_not_allowed",
		"This path does not take this method; see the Allow header.").early()
	errNoProbe = newProblem(http.StatusBadRequest, "handshake_invalid",
		"This is no handshake of this provider; events are posted.")
	errEncoding = newProblem(http.StatusUnsupportedMediaType, "content_encoding_unsupported",
		"Bodies are taken as they were signed, without a Content-Encoding.").early()
	errBusy = newProblem(http.StatusServiceUnavailable, "busy",
		"There is no room for another body at the moment.").retry(soon).early()
	errSlow = newProblem(http.StatusRequestTimeout, "body_too_slow",
		"The body came too slowly.").cutting()
	errIncomplete = newProblem(http.StatusBadRequest, "body_incomplete",
		"The body ended before its end, or its chunks could not be read.").cutting()
	errSignature = newProblem(http.StatusUnauthorized, string(providers.CodeSignature),
		"The request is not proven to come from the provider.")
	errFailures = newProblem(http.StatusTooManyRequests, "too_many_failures",
		"Too many requests failed verification.").retry(soon)
	errUnavailable = newProblem(http.StatusServiceUnavailable, "unavailable",
		"Nothing durable can be reached at the moment.").retry(later)
	errUnverifiable = newProblem(http.StatusServiceUnavailable, string(providers.CodeUnavailable),
		"What the verification needs cannot be reached at the moment.").retry(later)
	errTooLargeNow = newProblem(http.StatusServiceUnavailable, "too_large_now",
		"The body is too large to be kept while the ledger is away.").retry(later)
	errInternal = newProblem(http.StatusInternalServerError, "internal",
		"Something went wrong on our side; it has been reported.")
	errToken = newProblem(http.StatusUnauthorized, "token_invalid",
		"A valid bearer token is needed.").challenging()
	errClosed = newProblem(http.StatusUnauthorized, "token_invalid",
		"No API token is configured, so /v1 is closed; set HOOKFLOW_API_TOKEN.").challenging()
	errUnknown = newProblem(http.StatusNotFound, "event_unknown",
		"There is no event with this id.")
	errNotFinal = newProblem(http.StatusConflict, "event_not_final",
		"The event is still being handled; only a completed or failed one can be replayed or erased.")
	errFinal = newProblem(http.StatusConflict, "event_final",
		"The event is completed or failed already; all that it can be is replayed.")
	errNotWaiting = newProblem(http.StatusConflict, "event_not_waiting",
		"No step of the event waits for another attempt: it is being attempted, or about to be.")
	errUnsupported = newProblem(http.StatusNotImplemented, "unsupported_by_temporal",
		"The Temporal server cannot retry a waiting step; that takes version 1.28 or newer.")
	errTemporalAway = newProblem(http.StatusServiceUnavailable, "temporal_unavailable",
		"Temporal cannot be reached at the moment, and this needs it.").retry(later)
	errNoReplay = newProblem(http.StatusNotFound, "replay_unknown",
		"There is no replay with this id.")
	errReplayOver = newProblem(http.StatusConflict, "replay_over",
		"The replay is stopped or completed; start another one.")
	errNoDestination = newProblem(http.StatusNotFound, "destination_unknown",
		"There is no destination of this name; GET /v1/destinations lists them.")
	errErased = newProblem(http.StatusGone, "event_erased",
		"The content of the event was erased, so it cannot be replayed.")
	errRunOpen = newProblem(http.StatusConflict, "run_open",
		"The content in the ledger is erased, but a run of the event is still open in Temporal; erase it again when the run has closed.")
	errHistoriesLeft = newProblem(http.StatusServiceUnavailable, "histories_left",
		"The content in the ledger is erased, but Temporal does not delete the event's histories at the moment, and they may hold more; erase it again later.").retry(later)
	errTooBroad = newProblem(http.StatusBadRequest, "query_too_broad",
		"The query takes too long; narrow it with provider, account, error_type, a longer literal beginning of type, since and until, or a rarer q or error.")
	errTooMany = newProblem(http.StatusBadRequest, "answer_too_large",
		fmt.Sprintf("The answer has more than %d lines; count by fewer fields, in wider buckets or over a shorter time.", event.MaxBuckets))
	errNoAction = errMethod.allowing(http.MethodGet)
)

func (p *problem) challenging() *problem { p.challenge = `Bearer realm="hookflow"`; return p }

// allowing returns a copy of p that names the methods itself.
func (p *problem) allowing(methods string) *problem {
	named := *p
	named.allow = methods
	return &named
}

// refusal is errSignature in the form that the provider demands.
func (g *gate) refusal() *problem {
	demanded := g.traits.Refusal
	if demanded == (providers.Refusal{}) {
		return errSignature
	}
	p := *errSignature
	p.silent = demanded.Empty
	if demanded.Status != 0 {
		p.Status, p.Title = demanded.Status, http.StatusText(demanded.Status)
	}
	return &p
}

func mediaTypeProblem(accepted []string) *problem {
	return newProblem(http.StatusUnsupportedMediaType, "media_type_unsupported",
		"The Content-Type must be "+strings.Join(accepted, " or ")+".").early()
}

// tooLarge lets a body that is a little larger be sent whole: its first limit bytes may be unread still.
func tooLarge(limit int64) *problem {
	p := newProblem(http.StatusRequestEntityTooLarge, "body_too_large",
		fmt.Sprintf("The body is larger than %d bytes.", limit)).early()
	p.drops += limit
	return p
}

func badBody(format string, args ...any) *problem {
	return newProblem(http.StatusBadRequest, "body_invalid", fmt.Sprintf(format, args...))
}

func badQuery(format string, args ...any) *problem {
	return newProblem(http.StatusBadRequest, "query_invalid", fmt.Sprintf(format, args...))
}

// problems are the answers to what the rooms tell each other.
var problems = []struct {
	err     error
	problem *problem
}{
	{event.ErrNotFound, errUnknown},
	{event.ErrNotFinal, errNotFinal},
	{event.ErrFinal, errFinal},
	{event.ErrNotWaiting, errNotWaiting},
	{event.ErrUnsupported, errUnsupported},
	{event.ErrTooBroad, errTooBroad},
	{event.ErrTooMany, errTooMany},
	{event.ErrErased, errErased},
	{event.ErrRunOpen, errRunOpen},
	{event.ErrHistoriesLeft, errHistoriesLeft},
	{event.ErrReplayNotFound, errNoReplay},
	{event.ErrReplayOver, errReplayOver},
	{event.ErrNoDestination, errNoDestination},
	{event.ErrTooLargeNow, errTooLargeNow},
	{event.ErrTemporalUnavailable, errTemporalAway},
	{event.ErrUnavailable, errUnavailable},
}

// problemOf finds the answer to err. What no room has a word for is internal, and nothing of it is shown.
func problemOf(err error) *problem {
	var own *problem
	var ofProvider *providers.Error
	var queued *event.QueuedError
	var network net.Error // context.DeadlineExceeded is one too
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &ofProvider):
		return problemOfProvider(ofProvider)
	case errors.As(err, &queued):
		return newProblem(http.StatusConflict, errNotWaiting.Code, "No attempt can be made now: "+queued.Error()+".")
	}
	for _, known := range problems {
		if errors.Is(err, known.err) {
			return known.problem
		}
	}
	if errors.Is(err, context.Canceled) || errors.As(err, &network) {
		return errUnavailable
	}
	return errInternal
}

func problemOfProvider(err *providers.Error) *problem {
	switch err.Code {
	case providers.CodeSignature:
		return errSignature
	case providers.CodeUnavailable:
		return errUnverifiable
	case providers.CodeNoEvent:
		return newProblem(http.StatusBadRequest, string(err.Code), err.Reason)
	case providers.CodeTooMany:
		return newProblem(http.StatusRequestEntityTooLarge, string(err.Code), err.Reason)
	}
	return errInternal
}

// maxDropped is how much of a refused body is still read (beyond the cap where that is what it broke), dropTime how long: a
// sender that writes all before it reads would otherwise see a reset connection instead of the answer.
const (
	maxDropped = 256 << 10
	dropTime   = 2 * time.Second
)

// writeProblem answers with p. Where the body was not read whole, the answer goes out first, then the rest is dropped
// and the connection closed.
func writeProblem(c *gin.Context, p *problem) {
	h := c.Writer.Header()
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.challenge != "" {
		h.Set("WWW-Authenticate", p.challenge)
	}
	unread := p.unread && c.Request.ContentLength != 0
	if unread || p.cut {
		h.Set("Connection", "close")
	}
	if p.silent {
		writeOwn(c, &providers.Answer{Status: p.Status})
	} else {
		writeJSON(c, p.Status, "application/problem+json", p)
	}
	if unread {
		dropBody(c, p.drops)
	}
}

// dropBody reads on for a while, at most size bytes, and keeps nothing. It does so through a MaxBytesReader, which tells net/http when the sender still had
// more: then the connection is closed on our side first, and half a second later for good.
func dropBody(c *gin.Context, size int64) {
	c.Writer.Flush()
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(dropTime))
	if c.Request.Header.Get("Expect") == "" { // else the sender waits for a word that it will not get
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(unwrapped(c.Writer), c.Request.Body, size))
	}
}

// unwrapped finds net/http's own writer, the only one that MaxBytesReader can tell.
func unwrapped(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, wraps := w.(interface{ Unwrap() http.ResponseWriter })
		if !wraps {
			return w
		}
		w = outer.Unwrap()
	}
}

// writeJSON writes v, with a length so that no answer is chunked. A v that cannot be marshalled is a mistake of ours.
func writeJSON(c *gin.Context, status int, contentType string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	h := c.Writer.Header()
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	c.Writer.WriteHeader(status)
	_, _ = c.Writer.Write(text) // a client that has gone reads nothing
}
