-- Which ledger this is. A run carries it, so that a worker of another installation in the same Temporal namespace leaves it alone.
-- It stays with the data: a backup that is restored elsewhere is the same ledger.

-- +goose Up
CREATE TABLE installation (
    ledger  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    the_one boolean NOT NULL DEFAULT true UNIQUE CHECK (the_one)
);
INSERT INTO installation DEFAULT VALUES;

-- +goose Down
DROP TABLE installation;
