package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"hookflow/event"

	"github.com/gin-gonic/gin"
)

// replayEvent answers POST /v1/events/{id}/replay, whose body may say {"from": "failure" | "start"}: 202 with the record
// once the new generation is written down.
func (a *API) replayEvent(c *gin.Context, id string) {
	var asked struct {
		From event.From `json:"from"`
	}
	if err := readJSON(c, &asked); err != nil {
		a.refuseQuery(c, err)
		return
	}
	from, err := beginning(asked.From)
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	a.repair(c, func(ctx context.Context, author string) (event.Record, error) {
		return a.Repairs.Replay(ctx, id, from, author)
	})
}

// retryEvent answers POST /v1/events/{id}/retry: 202 with the record once the waiting step was told to go on.
func (a *API) retryEvent(c *gin.Context, id string) {
	if err := readNoJSON(c); err != nil {
		a.refuseQuery(c, err)
		return
	}
	a.repair(c, func(ctx context.Context, author string) (event.Record, error) {
		return a.Repairs.Retry(ctx, id, author)
	})
}

// cancelEvent answers POST /v1/events/{id}/cancel: 202 with the record, which is failed already where no run had begun.
func (a *API) cancelEvent(c *gin.Context, id string) {
	if err := readNoJSON(c); err != nil {
		a.refuseQuery(c, err)
		return
	}
	a.repair(c, func(ctx context.Context, author string) (event.Record, error) {
		return a.Repairs.Cancel(ctx, id, author)
	})
}

func (a *API) repair(c *gin.Context, do func(ctx context.Context, author string) (event.Record, error)) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	record, err := do(ctx, c.GetString(authorKey))
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	writeJSON(c, http.StatusAccepted, "application/json", record)
}

// beginning is where a replay begins: from the failure unless it says otherwise.
func beginning(from event.From) (event.From, error) {
	if from == "" {
		return event.FromFailure, nil
	}
	if !slices.Contains(event.Froms, from) {
		return "", badBody("The value of from is none of %s: %s.", fmt.Sprint(event.Froms), short(string(from)))
	}
	return from, nil
}
