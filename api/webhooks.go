package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"hookflow/event"
	"hookflow/providers"

	"github.com/gin-gonic/gin"
)

const webhookPath = "/webhooks/:provider"

// receive takes POST /webhooks/{provider} from the first byte to the answer.
func (a *API) receive(c *gin.Context) {
	a.attend(c, func(g *gate) (string, error) {
		held := hold{room: a.room}
		defer held.release()
		d, err := a.admit(c, g, &held)
		switch {
		case err != nil:
			return "", err
		case d.Greeting != nil:
			return string(event.Handshake), a.greet(c, d.Greeting)
		case d.Batch:
			return a.acceptAll(c, g, d.Events)
		}
		if ask := a.Ask(&d.Events[0]); ask != nil {
			return a.reply(c, g, &d.Events[0], ask)
		}
		return a.accept(c, g, &d.Events[0])
	})
}

// attend finds the source of a request, answers it with serve, which returns the outcome, and counts what became of it.
func (a *API) attend(c *gin.Context, serve func(*gate) (string, error)) {
	began := a.Now()
	g, known := a.gates[c.Param("provider")]
	if !known {
		writeProblem(c, errProvider)
		a.Metrics.Request("unknown", errProvider.Code, a.Now().Sub(began).Seconds())
		return
	}
	word, err := serve(g)
	if err != nil {
		word = a.refuse(c, g, err)
	}
	a.Metrics.Request(g.Name, word, a.Now().Sub(began).Seconds())
}

// admit reads and verifies. A probe is answered by its head alone, whatever its media type.
func (a *API) admit(c *gin.Context, g *gate, held *hold) (providers.Delivery, error) {
	r := c.Request
	signed := providers.Request{Method: r.Method, URL: a.PublicURL + rawTarget(r.RequestURI), Header: r.Header}
	if g.prober != nil {
		if greeting, err := g.prober.Probe(&signed); greeting != nil || err != nil {
			return providers.Delivery{Greeting: greeting}, err
		}
	}
	if err := g.checkHead(r.Header); err != nil {
		return providers.Delivery{}, err
	}
	var err error
	if signed.Body, err = held.read(c.Writer, r, g.traits.MaxBody); err != nil {
		return providers.Delivery{}, err
	}
	return g.Read(&signed, a.Now())
}

// accept makes the one event of a request durable, or ignores it on purpose, and answers.
func (a *API) accept(c *gin.Context, g *gate, e *event.Event) (string, error) {
	ctx, cancel := inAcceptTime(c)
	defer cancel()
	outcome, err := a.Accepter.Accept(ctx, e)
	if err != nil {
		return "", err
	}
	if outcome == event.Ignored {
		a.Metrics.Ignored(g.Name, e.Type)
	}
	a.answer(c, g, e, outcome)
	return string(outcome), nil
}

// inAcceptTime returns the time that an event has to become durable. A sender that closes its side after the last byte
// still waits for the answer, yet net/http calls it gone: what was verified is finished either way.
func inAcceptTime(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.Request.Context()), acceptTime)
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
	if p == errSignature {
		p = g.refusal()
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
	a.mark(c, e, outcome)
	own := g.Answer(e)
	if own == nil {
		writeJSON(c, http.StatusOK, "application/json", receipt{ID: e.ID, Key: e.Key(), Outcome: outcome})
		return
	}
	a.warn(c, g, own.Warning, e.Attrs(), slog.String("type", e.Type))
	writeOwn(c, own)
}

// warn logs that an answer stands in for something else, "" for one that does not.
func (a *API) warn(c *gin.Context, g *gate, warning string, attrs ...slog.Attr) {
	if warning != "" {
		a.Log.LogAttrs(c.Request.Context(), slog.LevelWarn, warning, append(attrs, slog.String("provider", g.Name))...)
	}
}

// mark sets the headers of the contract.
func (a *API) mark(c *gin.Context, e *event.Event, outcome event.Outcome) {
	h := c.Writer.Header()
	h["Hookflow-Outcome"] = []string{string(outcome)}
	if e != nil {
		h["Hookflow-Event-Id"] = []string{e.ID}
	}
}

// writeOwn writes an answer in the provider's words.
func writeOwn(c *gin.Context, own *providers.Answer) {
	status := cmp.Or(own.Status, http.StatusOK)
	for name, value := range own.Header {
		c.Header(name, value)
	}
	if own.ContentType == "" {
		c.Status(status)
		c.Writer.WriteHeaderNow()
		return
	}
	c.Data(status, own.ContentType, own.Body)
}
