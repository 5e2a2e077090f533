package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
)

// replayEvent answers POST /v1/events/{id}/replay: 202 with the record once the new generation is written down.
func (a *API) replayEvent(c *gin.Context, id string) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	record, err := a.Ledger.Replay(ctx, id, c.GetString(authorKey))
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	writeJSON(c, http.StatusAccepted, "application/json", record)
}
