-- Which ledger this is. A run carries it, so that a worker of another installation in the same Temporal namespace leaves it alone.
-- It stays with the data: a backup that is restored elsewhere is the same ledger, and so is one that goes down and up again,
-- for which the comment of the table of events keeps it.

-- +goose Up
CREATE TABLE installation (
    ledger  uuid PRIMARY KEY,
    the_one boolean NOT NULL DEFAULT true UNIQUE CHECK (the_one)
);
INSERT INTO installation (ledger)
SELECT coalesce(substring(obj_description('webhook_events'::regclass, 'pg_class') FROM 'ledger ([0-9a-f-]{36})')::uuid, gen_random_uuid());

-- +goose Down
-- +goose StatementBegin
DO $$ BEGIN
	EXECUTE format('COMMENT ON TABLE webhook_events IS %L', 'ledger ' || (SELECT ledger FROM installation));
END $$;
-- +goose StatementEnd
DROP TABLE installation;
