package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"hookflow/event"
	"hookflow/providers"

	"github.com/gin-gonic/gin"
)

// confirmTime bounds what a handshake does before its answer: senders wait 5 to 15 seconds for one.
const confirmTime = 4 * time.Second

// probed takes GET and HEAD /webhooks/{provider}, from senders that ask before they post.
func (a *API) probed(c *gin.Context) {
	a.attend(c, func(g *gate) (string, error) {
		if !slices.Contains(g.traits.ProbeMethods, c.Request.Method) || g.prober == nil {
			return "", errMethod.allowing(g.methods)
		}
		r := providers.Request{Method: c.Request.Method, URL: a.PublicURL + rawTarget(c.Request.RequestURI), Header: c.Request.Header}
		greeting, err := g.prober.Probe(&r)
		switch {
		case err != nil:
			return "", err
		case greeting == nil:
			return "", errNoProbe
		}
		return string(event.Handshake), a.greet(c, greeting)
	})
}

// greet answers a handshake.
func (a *API) greet(c *gin.Context, greeting *providers.Greeting) error {
	if greeting.Confirm != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), confirmTime)
		defer cancel()
		if err := greeting.Confirm(ctx); err != nil {
			return fmt.Errorf("%w: a handshake could not be confirmed: %w", event.ErrUnavailable, err)
		}
	}
	a.mark(c, nil, event.Handshake)
	writeOwn(c, &greeting.Answer)
	return nil
}

// noMethod answers a method that no handler takes. gin's own Allow header names the methods of all providers together.
func (a *API) noMethod(c *gin.Context) {
	name, isWebhook := strings.CutPrefix(c.Request.URL.Path, "/webhooks/")
	if !isWebhook {
		writeProblem(c, errMethod)
		return
	}
	methods := http.MethodPost
	if g := a.gates[name]; g != nil {
		methods = g.methods
	}
	writeProblem(c, errMethod.allowing(methods))
}
