package main

import (
	"encoding/json"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/providers"
)

// Ask returns how the answer to an event is come by, by the routes in force; nil where its sender waits for none.
func (l *liveRoutes) Ask(e *event.Event) *event.Ask {
	table := l.table.Load()
	if !table.MayReply(e.Provider, e.Type) {
		return nil
	}
	reply := table.Reply(e, activities.DecodePayload(e))
	if reply == nil {
		return nil
	}
	if reply.Note != "" {
		l.log.Warn("a fallback could not be made, so the provider's own answer stands in", "key", e.Key(), "reason", reply.Note)
	}
	step, err := json.Marshal(reply.Step)
	if err != nil { // it came from a file
		l.log.Error("a step that answers cannot be written down", "step", reply.Step.Name, "error", err)
		return nil
	}
	if reply.Deadline == 0 {
		reply.Deadline = providers.ReplyTime(e)
	}
	return &event.Ask{Step: step, Until: e.ReceivedAt.Add(reply.Deadline), Fallback: reply.Fallback, Only: reply.Only}
}
