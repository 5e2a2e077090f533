package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
)

// eraseContent answers DELETE /v1/events/{id}/content: 200 with what was erased. While Temporal cannot be asked the ledger's
// content is erased all the same, and the answer is 503: repeat it.
func (a *API) eraseContent(c *gin.Context, id string) {
	if err := readNoJSON(c); err != nil {
		a.refuseQuery(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	erased, err := a.Repairs.Erase(ctx, id, c.GetString(authorKey))
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	writeJSON(c, http.StatusOK, "application/json", erased)
}
