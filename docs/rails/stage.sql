-- Where the exported events wait for import.sql, in hookflow's database.
CREATE TABLE rails_webhook_events (
    rails_id    text,
    provider    text NOT NULL,
    event_id    text NOT NULL,
    event_type  text,
    status      text,
    payload     jsonb,
    error       text,
    received_at text NOT NULL, -- with its zone, which import.sql looks for: as timestamptz one without would be taken as local time
    finished_at text
);
