-- What an operator should know of an event beside its status: that a route's condition could not be evaluated for it.

-- +goose Up
ALTER TABLE webhook_events ADD COLUMN note text CHECK (note IN ('unevaluated'));
-- Notes are rare: events without one cost the index nothing.
CREATE INDEX webhook_events_with_note ON webhook_events (received_at DESC, id DESC) WHERE note IS NOT NULL;

-- +goose Down
DROP INDEX webhook_events_with_note;
ALTER TABLE webhook_events DROP COLUMN note;
