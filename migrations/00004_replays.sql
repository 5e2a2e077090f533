-- Bulk replays: a set of events, fixed when the replay is created, that are run again at a pace.

-- +goose Up
CREATE TABLE replays (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    state       text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'stopped', 'completed')),
    author      text NOT NULL,
    begin_from  text NOT NULL CHECK (begin_from IN ('failure', 'start')),
    rate        double precision CHECK (rate > 0), -- events a second; NULL leaves it to the relay
    filter      jsonb NOT NULL,                    -- as it was asked for, to be shown
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    matched     integer NOT NULL DEFAULT 0,
    -- The last place that was looked at. It is written in the transaction that moves the events, so a crash neither skips
    -- one nor repeats one.
    position    integer NOT NULL DEFAULT 0,
    skipped     integer NOT NULL DEFAULT 0,
    moved       integer NOT NULL DEFAULT 0,
    completed   integer NOT NULL DEFAULT 0,
    failed      integer NOT NULL DEFAULT 0,
    paced_at    timestamptz NOT NULL               -- up to when the rate is used up
);
CREATE INDEX replays_newest ON replays (created_at DESC, id DESC);
-- What the loop looks for.
CREATE INDEX replays_at_work ON replays (created_at) WHERE state = 'running' OR moved > completed + failed;

CREATE TABLE replay_events (
    replay     uuid NOT NULL REFERENCES replays (id) ON DELETE CASCADE,
    position   integer NOT NULL, -- 1, 2, … from the oldest event on
    event      uuid NOT NULL,
    generation integer NOT NULL, -- when the set was fixed; an event that has moved since is skipped
    outcome    text CHECK (outcome IN ('skipped', 'running', 'completed', 'failed')), -- NULL: its turn has not come
    PRIMARY KEY (replay, position)
);
CREATE INDEX replay_events_running ON replay_events (replay) WHERE outcome = 'running';

-- +goose Down
DROP TABLE replay_events;
DROP TABLE replays;
