package api

import (
	"context"
	"net/http"
	"strings"
	"unicode"

	"hookflow/event"

	"github.com/gin-gonic/gin"
)

func (a *API) routeDestinations(v1 gin.IRoutes) {
	v1.GET("/destinations", a.listDestinations)
	v1.POST("/destinations/:name/pause", a.pauseDestination)
	v1.POST("/destinations/:name/resume", a.resumeDestination)
}

// listDestinations answers GET /v1/destinations: all of them, by name.
func (a *API) listDestinations(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	found, err := a.Destinations.ListDestinations(ctx)
	if found == nil {
		found = []event.Destination{}
	}
	a.answerQuery(c, http.StatusOK, map[string]any{"destinations": found}, err)
}

// pauseBody is the body of POST /v1/destinations/{name}/pause; it may be left out.
type pauseBody struct {
	Reason string `json:"reason"`
}

// maxReason bounds what an operator says of a pause, in bytes.
const maxReason = 500

// pauseDestination answers POST /v1/destinations/{name}/pause: 200 with the destination. To pause one that is paused keeps
// who did it, and takes a new reason.
func (a *API) pauseDestination(c *gin.Context) {
	var asked pauseBody
	if err := readJSON(c, &asked); err != nil {
		a.refuseQuery(c, err)
		return
	}
	if len(asked.Reason) > maxReason {
		a.refuseQuery(c, badBody("The reason is longer than %d bytes.", maxReason))
		return
	}
	if strings.ContainsFunc(asked.Reason, unicode.IsControl) {
		a.refuseQuery(c, badBody("The reason holds a control character."))
		return
	}
	a.onDestination(c, func(ctx context.Context, name string) (event.Destination, error) {
		return a.Destinations.PauseDestination(ctx, name, c.GetString(authorKey), asked.Reason)
	})
}

// resumeDestination answers POST /v1/destinations/{name}/resume: 200 with the destination, whose circuit is closed too.
func (a *API) resumeDestination(c *gin.Context) {
	if err := readNoJSON(c); err != nil {
		a.refuseQuery(c, err)
		return
	}
	a.onDestination(c, func(ctx context.Context, name string) (event.Destination, error) {
		return a.Destinations.ResumeDestination(ctx, name, c.GetString(authorKey))
	})
}

func (a *API) onDestination(c *gin.Context, do func(ctx context.Context, name string) (event.Destination, error)) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	name := c.Param("name")
	if event.CheckID(name) != "" { // no name has a NUL or half a character in it, and Postgres would refuse them
		a.refuseQuery(c, event.ErrNoDestination)
		return
	}
	d, err := do(ctx, name)
	a.answerQuery(c, http.StatusOK, d, err)
}
