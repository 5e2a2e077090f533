-- Reads a Rails receiver's webhook_events, in the columns that stage.sql has. Run it in the Rails database:
--
--   psql "$RAILS_DATABASE_URL" -qAt -f docs/rails/export.sql > events.copy
--
-- provider and status are cast to text, so that native enums and strings both do. For integer enums (enum :provider, in the
-- model) write the words: CASE provider WHEN 0 THEN 'stripe' WHEN 1 THEN 'twilio' WHEN 2 THEN 'vapi' END.
-- Leave out what your table does not have: write NULL in its place.
COPY (
    SELECT id::text,
           provider::text,
           event_id,
           event_type,
           status::text,
           payload,
           error_message,
           created_at AT TIME ZONE 'UTC' AS received_at, -- Rails keeps UTC without a zone; with timestamptz take created_at
           processed_at AT TIME ZONE 'UTC' AS finished_at
      FROM webhook_events
) TO STDOUT
