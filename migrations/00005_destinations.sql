-- Whether the destinations of the routes are served: what operators said, and their circuits. All processes agree on it here.

-- +goose Up
CREATE TABLE destinations (
    name            text PRIMARY KEY,
    configured_at   timestamptz NOT NULL, -- when a process last had it in its configuration
    paused_at       timestamptz,
    paused_by       text, -- the name of the API token
    pause_reason    text,
    failures        integer NOT NULL DEFAULT 0, -- in a row
    opened_at       timestamptz, -- since when the circuit is open
    retry_at        timestamptz, -- when one attempt may show that it can close
    probe_by        text,        -- the process that makes it
    probe_until     timestamptz, -- else another one does
    last_failure    text,
    last_failure_at timestamptz
);

-- +goose Down
DROP TABLE destinations;
