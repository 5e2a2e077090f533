package event

import "log/slog"

// Attrs names the event in a line of the log: event_id is its uuid, as senders get it in Hookflow-Event-Id, key is
// "provider:event_id", workflow_id leads to its runs. The three stand beside the line's other attributes.
func (e *Event) Attrs() slog.Attr {
	return slog.Group("", slog.String("event_id", e.ID), slog.String("key", e.Key()), slog.String("workflow_id", e.WorkflowID()))
}
