package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"hookflow/event"

	"github.com/gin-gonic/gin"
)

type listing struct {
	Events     []event.Record `json:"events"`
	NextCursor *string        `json:"next_cursor"`
}

// listEvents answers GET /v1/events: a page at a time.
func (a *API) listEvents(c *gin.Context) {
	filter, err := parseFilter(c.Request.URL.RawQuery, a.Now())
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	page, err := a.Ledger.List(ctx, filter)
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	if page.Events == nil {
		page.Events = []event.Record{}
	}
	writeJSON(c, http.StatusOK, "application/json", listing{page.Events, writeCursor(page.Next)})
}

// showEvent answers GET /v1/events/{id} with everything the ledger knows.
func (a *API) showEvent(c *gin.Context) {
	id, ok := ledgerID(c.Param("id"))
	if !ok {
		writeProblem(c, errUnknown)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	detail, err := a.Ledger.Find(ctx, id)
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	if detail.Steps == nil {
		detail.Steps = []event.StepRecord{}
	}
	if detail.RunID != nil {
		if link := a.TemporalURL(detail.WorkflowID, *detail.RunID); link != "" {
			detail.TemporalURL = &link
		}
	}
	writeJSON(c, http.StatusOK, "application/json", detail)
}

// ledgerID turns what stands in the path into the uuid of an event: a uuid in either case, or a key, which may hold
// slashes. The ledger is only asked for ids that could be there, so a NUL or half a character never reaches it.
func ledgerID(param string) (string, bool) {
	s := strings.TrimPrefix(param, "/")
	if id, ok := uuidBytes(s); ok {
		return uuidText(id[:]), true
	}
	provider, eventID, ok := strings.Cut(s, ":")
	if !ok || checkName(provider) != "" || event.CheckID(eventID) != "" {
		return "", false
	}
	return event.ID(s), true
}

// refuseQuery answers an error of /v1. Whoever asks has a token and comes rarely, so every fault is logged, unless it is
// that the asker has gone.
func (a *API) refuseQuery(c *gin.Context, err error) {
	p := problemOf(err)
	ctx := c.Request.Context()
	if p.Status >= http.StatusInternalServerError && ctx.Err() == nil {
		a.Log.LogAttrs(ctx, slog.LevelError, "a question could not be answered",
			slog.String("route", c.FullPath()), slog.String("code", p.Code), slog.String("reason", err.Error()))
	}
	if p == errInternal {
		a.OnError(ctx, err)
	}
	writeProblem(c, p)
}
