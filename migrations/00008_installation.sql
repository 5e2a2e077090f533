-- Which ledger this is. A run carries it, so that a worker of another installation in the same Temporal namespace leaves it alone.
-- It stays with the data: a backup that is restored elsewhere is the same ledger.

-- +goose Up
CREATE TABLE IF NOT EXISTS installation (
    ledger  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    the_one boolean NOT NULL DEFAULT true UNIQUE CHECK (the_one)
);
INSERT INTO installation DEFAULT VALUES ON CONFLICT DO NOTHING;

-- +goose Down
-- The table stays, so that the ledger is the same one when it goes up again; 00001 takes it along.
SELECT 1;
