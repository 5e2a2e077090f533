package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// action is something that is done to one event: METHOD /v1/events/{id}/{verb}. id is the event's uuid.
type action func(c *gin.Context, id string)

// onEvent serves a method by the last segment of the path, the verb.
//
// An event id may hold slashes and may itself end in a verb. So the last segment, and only that one, is the verb: it must
// stand there unescaped, and what remains is the id. An id that ends in "/replay" is replayed with "/replay/replay", and
// GET, which has no verbs, shows it as it is.
func onEvent(actions map[string]action) gin.HandlerFunc {
	return func(c *gin.Context) {
		path := c.Request.URL.EscapedPath()
		verb := path[strings.LastIndexByte(path, '/')+1:]
		act, known := actions[verb]
		if !known {
			writeProblem(c, errNoAction)
			return
		}
		id, ok := ledgerID(strings.TrimSuffix(c.Param("id"), "/"+verb))
		if !ok {
			writeProblem(c, errUnknown)
			return
		}
		act(c, id)
	}
}

func (a *API) routeEvents(v1 gin.IRoutes) {
	const event = "/events/*id"
	v1.GET("/events", a.listEvents)
	v1.GET("/stats", a.countEvents)
	v1.GET(event, a.showEvent)
	for method, actions := range a.eventActions() {
		v1.Handle(method, event, onEvent(actions))
	}
}

// eventActions lists what can be done to one event, by method and verb.
func (a *API) eventActions() map[string]map[string]action {
	return map[string]map[string]action{
		http.MethodPost:   {"replay": a.replayEvent, "retry": a.retryEvent, "cancel": a.cancelEvent},
		http.MethodDelete: {"content": a.eraseContent},
	}
}
