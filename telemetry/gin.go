package telemetry

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/getsentry/sentry-go"
	sentrygin "github.com/getsentry/sentry-go/gin"
	"github.com/gin-gonic/gin"
)

// bodyKey is where the body waits while Sentry's middleware looks at the request.
const bodyKey = "telemetry.body"

// panicked is the key of an *atomic.Bool: Sentry's middleware saw the request panic.
type panicked struct{}

// Gin returns the middleware for a gin engine: a span per request where traces are on, and with a DSN Sentry's: panics
// and, where sampled, timings, under the route's name. It panics again after a panic, so a recovery stands outside of it.
func (t *Telemetry) Gin() []gin.HandlerFunc {
	var chain []gin.HandlerFunc
	if t.tracing != nil {
		chain = append(chain, t.traceRequest)
	}
	if t.hub == nil {
		return chain
	}
	return append(chain, t.beforeSentry, sentrygin.New(sentrygin.Options{Repanic: true}), afterSentry)
}

// beforeSentry gives the request a hub of its own. Senders take no part in our traces: the headers for that, which would
// reach Sentry, are dropped. And Sentry's middleware gets no body: it would keep a copy of it.
func (t *Telemetry) beforeSentry(c *gin.Context) {
	hub := t.hub.Clone()
	hub.Scope().SetTag("route", c.Request.Method+" "+c.FullPath())
	ctx := context.WithValue(c.Request.Context(), panicked{}, new(atomic.Bool))
	r := c.Request.WithContext(sentry.SetHubOnContext(ctx, hub))
	r.Header.Del(sentry.SentryTraceHeader)
	r.Header.Del(sentry.SentryBaggageHeader)
	c.Set(bodyKey, r.Body)
	r.Body = http.NoBody
	c.Request = r
}

// afterSentry puts the body back, and notes a panic on its way to Sentry's middleware.
func afterSentry(c *gin.Context) {
	if body, ok := c.MustGet(bodyKey).(io.ReadCloser); ok {
		c.Request.Body = body
	}
	returned := false
	defer func() {
		if p, ok := c.Request.Context().Value(panicked{}).(*atomic.Bool); ok && !returned {
			p.Store(true)
		}
	}()
	c.Next()
	returned = true
}
