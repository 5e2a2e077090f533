-- Where the exported events wait for import.sql, in hookflow's database.
CREATE TABLE rails_webhook_events (
    rails_id    text,
    provider    text NOT NULL,
    event_id    text NOT NULL,
    event_type  text,
    status      text,
    payload     jsonb,
    error       text,
    received_at timestamptz NOT NULL,
    finished_at timestamptz
);
