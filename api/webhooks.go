package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"hookflow/event"
	"hookflow/providers"

	"github.com/gin-gonic/gin"
)

// receive takes POST /webhooks/{provider} from the first byte to the answer.
func (a *API) receive(c *gin.Context) {
	began := a.Now()
	g, known := a.gates[c.Param("provider")]
	if !known {
		writeProblem(c, errProvider)
		a.Metrics.Request("unknown", errProvider.Code, a.Now().Sub(began).Seconds())
		return
	}
	held := hold{room: a.room}
	defer held.release()
	e, outcome, err := a.admit(c, g, &held)
	word := string(outcome)
	if err != nil {
		word = a.refuse(c, g, err)
	} else {
		a.answer(c, g, e, outcome)
	}
	if outcome == event.Ignored {
		a.Metrics.Ignored(g.Name, e.Type)
	}
	a.Metrics.Request(g.Name, word, a.Now().Sub(began).Seconds())
}

// admit reads, verifies and hands on. When it returns without an error, the event is durable (or ignored on purpose).
func (a *API) admit(c *gin.Context, g *gate, held *hold) (*event.Event, event.Outcome, error) {
	r := c.Request
	if err := g.checkHead(r.Header); err != nil {
		return nil, "", err
	}
	body, err := held.read(c.Writer, r, g.traits.MaxBody)
	if err != nil {
		return nil, "", err
	}
	signed := providers.Request{Method: r.Method, URL: a.PublicURL + rawTarget(r.RequestURI), Header: r.Header, Body: body}
	e, err := g.Read(&signed, a.Now())
	if err != nil {
		return nil, "", err
	}
	// A sender that closes its side after the last byte still waits for the answer, yet net/http calls it gone: what was
	// verified is finished either way.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), acceptTime)
	defer cancel()
	outcome, err := a.Accepter.Accept(ctx, &e)
	return &e, outcome, err
}

// rawTarget returns path and query as they stand in the request line, byte for byte. A target in absolute form
// (RFC 9112 section 3.2.2) loses its scheme and host, since the sender chooses those.
func rawTarget(uri string) string {
	if strings.HasPrefix(uri, "/") {
		return uri
	}
	_, rest, absolute := strings.Cut(uri, "://")
	if !absolute {
		return "/" + uri
	}
	switch at := strings.IndexAny(rest, "/?"); {
	case at < 0:
		return "/"
	case rest[at] == '?':
		return "/" + rest[at:]
	default:
		return rest[at:]
	}
}

// refuse answers err, and returns the code it answered with. Lines in the log hold the provider, the code and a reason
// in our words; never a header or a byte of the body.
func (a *API) refuse(c *gin.Context, g *gate, err error) string {
	p, reason, now := problemOf(err), "", a.Now()
	var ofProvider *providers.Error
	if errors.As(err, &ofProvider) {
		reason = ofProvider.Reason
	}
	if p == errSignature {
		a.Metrics.VerificationFailed(g.Name, reason)
		if !g.failures.AllowN(now, 1) {
			p = errFailures
		}
	}
	if p.Status >= http.StatusInternalServerError && p != errBusy {
		reason = err.Error()
	}
	if unsaid, ok := g.voice.speak(p.Code, now); ok {
		a.Log.LogAttrs(c.Request.Context(), severity(p), "a webhook was refused", slog.String("provider", g.Name),
			slog.String("code", p.Code), slog.String("reason", reason), slog.Int("not_logged", unsaid))
	}
	if p == errInternal {
		a.OnError(c.Request.Context(), err)
	}
	writeProblem(c, p)
	return p.Code
}

func severity(p *problem) slog.Level {
	if p.Status >= http.StatusInternalServerError {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// receipt is the answer of the contract to a verified request.
type receipt struct {
	ID      string        `json:"id"`
	Key     string        `json:"key"`
	Outcome event.Outcome `json:"outcome"`
}

// answer tells the sender what became of its event, in the provider's own words where it has some.
func (a *API) answer(c *gin.Context, g *gate, e *event.Event, outcome event.Outcome) {
	h := c.Writer.Header()
	h["Hookflow-Event-Id"] = []string{e.ID}
	h["Hookflow-Outcome"] = []string{string(outcome)}
	own := g.Answer(e)
	if own == nil {
		writeJSON(c, http.StatusOK, "application/json", receipt{ID: e.ID, Key: e.Key(), Outcome: outcome})
		return
	}
	if own.Warning != "" {
		a.Log.LogAttrs(c.Request.Context(), slog.LevelWarn, own.Warning,
			slog.String("provider", g.Name), slog.String("event", e.ID), slog.String("type", e.Type))
	}
	if own.ContentType == "" {
		c.Writer.WriteHeaderNow()
		return
	}
	c.Data(http.StatusOK, own.ContentType, own.Body)
}
