#!/bin/sh
# Creates Temporal's two databases and brings their schemas up to this image's version. Safe to repeat.
set -eu

for database in temporal temporal_visibility; do
  folder=${database#temporal_} # temporal, visibility
  # The endpoint, port, user and password come from SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD.
  tool="temporal-sql-tool --plugin postgres12 --db $database"
  $tool create
  # An existing schema is the normal case here; versions of the tool differ in whether they call it an error.
  $tool setup-schema -v 0.0 || echo "$database has its schema already"
  $tool update-schema -d "/etc/temporal/schema/postgresql/v12/$folder/versioned"
done
