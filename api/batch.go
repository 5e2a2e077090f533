package api

import (
	"log/slog"
	"net/http"

	"hookflow/event"

	"github.com/gin-gonic/gin"
)

// receipts is the answer of the contract to a batch.
type receipts struct {
	Events []receipt `json:"events"`
}

// acceptAll makes the events of a batch durable and answers with one receipt each. The headers speak for the whole: the
// id is that of the first event; the outcome is accepted when one event is new, else duplicate when one was known, else
// ignored, which is that of an empty batch too.
func (a *API) acceptAll(c *gin.Context, g *gate, events []event.Event) (string, error) {
	ctx, cancel := inAcceptTime(c)
	defer cancel()
	outcomes, err := a.Accepter.AcceptAll(ctx, events)
	if err != nil {
		return "", err
	}
	all := receipts{Events: make([]receipt, len(events))}
	counts := map[event.Outcome]int{}
	for i := range events {
		e := &events[i]
		all.Events[i] = receipt{ID: e.ID, Key: e.Key(), Outcome: outcomes[i]}
		counts[outcomes[i]]++
		if outcomes[i] == event.Ignored {
			a.Metrics.Ignored(g.Name, e.Type)
		}
	}
	whole := event.Ignored
	for _, outcome := range []event.Outcome{event.Duplicate, event.Accepted} {
		if counts[outcome] > 0 {
			whole = outcome
		}
	}
	var first *event.Event
	if len(events) > 0 {
		first = &events[0]
	}
	a.mark(c, first, whole)
	if own := g.Answer(nil); own != nil {
		a.warn(c, g, own.Warning, slog.Int("events", len(events)))
		writeOwn(c, own)
	} else {
		writeJSON(c, http.StatusOK, "application/json", all)
	}
	return string(whole), nil
}
