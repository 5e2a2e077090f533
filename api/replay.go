package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

const replaySuffix = "/replay"

// replayEvent answers POST /v1/events/{id}/replay: 202 with the record once the new generation is written down.
//
// An event id may hold slashes and may itself end in "/replay". So the last segment of the path, and only that one, is
// the verb: it must stand there unescaped, and what remains is the id. An id that ends in "/replay" is replayed with
// "/replay/replay", and GET, which has no verb, shows it as it is.
func (a *API) replayEvent(c *gin.Context) {
	if !strings.HasSuffix(c.Request.URL.EscapedPath(), replaySuffix) {
		writeProblem(c, errNotReplay)
		return
	}
	id, ok := ledgerID(strings.TrimSuffix(c.Param("id"), replaySuffix))
	if !ok {
		writeProblem(c, errUnknown)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	record, err := a.Ledger.Replay(ctx, id, c.GetString(authorKey))
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	writeJSON(c, http.StatusAccepted, "application/json", record)
}
