package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"hookflow/event"
	"hookflow/providers"

	"github.com/gin-gonic/gin"
)

// How a sender that waited for a computed answer got one: the header Hookflow-Answer, and a label.
const (
	answerHeader   = "Hookflow-Answer"
	answerComputed = "computed"
	answerLate     = "late"   // the fallback: the answer was not there in time
	answerFailed   = "failed" // the fallback: there is no answer, or nobody could be asked
)

// reply makes an event durable and answers with what its run computes, or with the fallback once the time is over. The
// sender hanging up cancels nothing: the run goes on, and the same request again gets the same answer.
func (a *API) reply(c *gin.Context, g *gate, e *event.Event, ask *event.Ask) (string, error) {
	// The connection must outlive the wait. A recorder in a test has no deadlines.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(ask.Until.Sub(a.Now()) + answerTime))
	outcome, answer, err := a.Replier.Reply(context.WithoutCancel(c.Request.Context()), e, ask)
	if outcome == "" {
		return "", err
	}
	how := answerOf(err)
	a.Metrics.Answered(g.Name, how)
	c.Header(answerHeader, how)
	if err != nil {
		a.Log.LogAttrs(c.Request.Context(), slog.LevelWarn, "a sender was told the fallback", slog.String("provider", g.Name),
			slog.String("event", e.ID), slog.String("type", e.Type), slog.String("why", err.Error()))
		if answer, err = a.fallback(e, ask); err != nil {
			a.answer(c, g, e, outcome)
			return string(outcome), nil
		}
	}
	a.mark(c, e, outcome)
	writeOwn(c, &providers.Answer{ContentType: answer.ContentType, Body: answer.Body})
	return string(outcome), nil
}

func answerOf(err error) string {
	switch {
	case err == nil:
		return answerComputed
	case errors.Is(err, event.ErrLate):
		return answerLate
	}
	return answerFailed
}

// errOwnAnswer says that the provider's own answer is to go out.
var errOwnAnswer = errors.New("the route has no fallback")

// fallback returns the answer that the route declares, in the shape that the sender takes.
func (a *API) fallback(e *event.Event, ask *event.Ask) (event.Answer, error) {
	if ask.Fallback == nil {
		return event.Answer{}, errOwnAnswer
	}
	answer, err := providers.ReplyOf(e, ask.Fallback)
	if err != nil {
		a.Log.Warn("a fallback is no answer that the provider takes; its own went out", "type", e.Type, "event", e.ID, "reason", err)
	}
	return answer, err
}
