-- What happened to an event beside what its row says, and the plans that its runs began with.

-- +goose Up
-- Nothing is written here while all goes well: received, dispatched, started and finished are columns of the row.
CREATE TABLE event_timeline (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event       uuid NOT NULL,
    at          timestamptz NOT NULL,
    generation  integer NOT NULL,
    kind        text NOT NULL, -- event/timeline.go lists them
    step        text,
    attempt     integer,
    error       text,
    error_type  text,
    duration_ms bigint,
    author      text, -- the name of the API token
    detail      jsonb
);
CREATE INDEX event_timeline_of_event ON event_timeline (event, id);

-- A plan is written once, however many events it is for: id is made from SHA-256 of its JSON.
CREATE TABLE plans (
    id   uuid PRIMARY KEY,
    plan jsonb NOT NULL
);
ALTER TABLE webhook_events ADD COLUMN plan_id uuid;

-- Errors are rare: both indexes hold the rows that have one only, so that events without one cost nothing.
CREATE INDEX webhook_events_by_error_type ON webhook_events (last_error_type, received_at DESC, id DESC) WHERE last_error_type IS NOT NULL;
CREATE INDEX webhook_events_with_error ON webhook_events (received_at DESC, id DESC) WHERE last_error IS NOT NULL;

-- +goose Down
DROP INDEX webhook_events_with_error;
DROP INDEX webhook_events_by_error_type;
ALTER TABLE webhook_events DROP COLUMN plan_id;
DROP TABLE plans;
DROP TABLE event_timeline;
