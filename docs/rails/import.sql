-- Takes the events of rails_webhook_events into the ledger, under the keys that hookflow gives them, so that a copy which a
-- provider still sends is a duplicate. Safe to run again: what is there stays as it is.
--
--   psql "$DATABASE_URL" -1 -v ON_ERROR_STOP=1 -f docs/rails/import.sql
--
-- What was done or has failed is history; what was open becomes pending, and hookflow runs it at once. So stop Rails' workers
-- first: what they still do would be done twice. What hookflow cannot understand is refused before anything is written, all of it
-- at once with how many rows have it: a status that is none of these words, since nobody can know whether such a row was done; a
-- provider that is a number (an integer enum that export.sql did not translate) or has capitals, since sources are called stripe,
-- not Stripe; a payload that is text instead of an object; a row to run without a payload; a time without its zone.
CREATE TEMP TABLE rails_words ON COMMIT DROP AS
SELECT word, status FROM (VALUES
    ('completed', ARRAY['completed', 'complete', 'processed', 'succeeded', 'success', 'successful', 'done', 'finished', 'handled', 'skipped', 'ignored']),
    ('failed', ARRAY['failed', 'failure', 'error', 'errored', 'dead', 'discarded']),
    ('pending', ARRAY['pending', 'received', 'new', 'created', 'queued', 'enqueued', 'scheduled', 'processing', 'in_progress', 'running', 'retrying'])
) AS known (status, words), unnest(words) AS word;
DO $$
DECLARE unknown text;
BEGIN
    WITH odd (what, n) AS (
        SELECT 'status ' || coalesce(quote_literal(left(status, 60)), 'NULL'), count(*) FROM rails_webhook_events
         WHERE status IS NULL OR lower(status) NOT IN (SELECT word FROM rails_words) GROUP BY status
        UNION ALL
        SELECT 'provider ' || quote_literal(left(provider, 60)), count(*) FROM rails_webhook_events -- a source of yours may have capitals
         WHERE provider !~ '^[a-z0-9][a-z0-9-]{0,39}$' OR provider ~ '^[0-9]+$' GROUP BY provider
        UNION ALL
        SELECT 'payload that is a JSON ' || jsonb_typeof(payload), count(*) FROM rails_webhook_events
         WHERE jsonb_typeof(payload) NOT IN ('object', 'array', 'null') GROUP BY jsonb_typeof(payload)
        UNION ALL
        SELECT 'status ' || quote_literal(staged.status) || ' without a payload', count(*) FROM rails_webhook_events AS staged
          JOIN rails_words ON word = lower(staged.status) AND rails_words.status = 'pending'
         WHERE coalesce(jsonb_typeof(payload), 'null') = 'null' GROUP BY staged.status
        UNION ALL
        SELECT 'time without a zone, such as ' || quote_literal(left(min(written), 60)), count(*)
          FROM rails_webhook_events, unnest(ARRAY[received_at::text, finished_at::text]) AS written
         WHERE written !~ '^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d){0,2})$' HAVING count(*) > 0
    )
    SELECT string_agg(format('%s: %s rows', what, n), '; ' ORDER BY n DESC, what) INTO unknown FROM (SELECT * FROM odd ORDER BY n DESC LIMIT 20) AS most;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'nothing was imported: %', unknown USING HINT = 'Translate it in export.sql (CASE status WHEN 2 THEN ''processed'' … END, lower(provider), (payload #>> ''{}'')::jsonb for JSON in text, AT TIME ZONE ''UTC''), empty rails_webhook_events, and export again.';
    END IF;
END $$;
CREATE TEMP TABLE rails_ready ON COMMIT DROP AS
SELECT DISTINCT ON (provider, event_id)
       -- event.ID: a uuid of version 8 made from the SHA-256 of the key
       encode(set_byte(set_byte(hash, 6, get_byte(hash, 6) & 15 | 128), 8, get_byte(hash, 8) & 63 | 128), 'hex')::uuid AS id,
       provider, event_id, coalesce(nullif(event_type, ''), 'unknown') AS event_type,
       -- event.WorkflowID: the key, or the hash of an id that is long, not printable ASCII, or begins as our hashes do
       CASE WHEN octet_length(event_id) <= 200 AND event_id ~ '^[ -~]+$' AND event_id NOT LIKE 'sha256-%' THEN provider || ':' || event_id
            ELSE provider || ':sha256-' || encode(sha256(convert_to(event_id, 'UTF8')), 'hex') END AS workflow_id,
       words.status::webhook_status AS status,
       coalesce(nullif(payload, 'null'), '{}') AS payload, error, received_at::timestamptz AS received_at, finished_at::timestamptz AS finished_at, rails_id
  FROM (SELECT *, substr(sha256(convert_to(provider || ':' || event_id, 'UTF8')), 1, 16) AS hash FROM rails_webhook_events) AS staged
       JOIN (SELECT word, status FROM rails_words) AS words ON words.word = lower(staged.status)
   -- event.CheckID
 WHERE octet_length(event_id) BETWEEN 1 AND 1024 AND event_id !~ '[\u0001-\u001f\u007f-\u009f]'
 -- Of a key that is there twice the row that was done counts, then the one that failed: what was done is not done again.
 ORDER BY provider, event_id, words.status, staged.received_at::timestamptz;

-- The body is the payload as jsonb writes it: the bytes that were signed are gone, so no signature fits it any more.
CREATE TEMP TABLE rails_taken ON COMMIT DROP AS
WITH taken AS (
    INSERT INTO webhook_events (id, provider, scheme, event_id, event_type, status, workflow_id, last_error, last_error_type,
                                received_at, finished_at)
    SELECT id, provider, provider, event_id, event_type, status, workflow_id,
           CASE WHEN status = 'failed' THEN coalesce(error, 'failed in Rails') END,
           CASE WHEN status = 'failed' THEN 'ImportedFromRails' END,
           received_at, CASE WHEN status <> 'pending' THEN coalesce(finished_at, received_at) END
      FROM rails_ready
        ON CONFLICT (provider, event_id) DO NOTHING
    RETURNING id, status
), bodies AS (
    INSERT INTO webhook_bodies (id, headers, content_type, body)
    SELECT id, jsonb_strip_nulls(jsonb_build_object('Rails-Id', rails_id)), 'application/json', convert_to(payload::text, 'UTF8')
      FROM rails_ready JOIN taken USING (id)
), payloads AS ( -- a run writes its own
    INSERT INTO webhook_payloads (id, payload)
    SELECT id, payload FROM rails_ready JOIN taken USING (id) WHERE taken.status <> 'pending'
)
SELECT id, status FROM taken;

SELECT (SELECT count(*) FROM rails_webhook_events)                     AS exported,
       (SELECT count(*) FROM rails_taken)                              AS taken,
       (SELECT count(*) FROM rails_taken WHERE status = 'completed')   AS completed,
       (SELECT count(*) FROM rails_taken WHERE status = 'failed')      AS failed,
       (SELECT count(*) FROM rails_taken WHERE status = 'pending')     AS pending,
       (SELECT count(*) FROM rails_ready) - (SELECT count(*) FROM rails_taken)          AS known_before,
       (SELECT count(*) FROM rails_webhook_events) - (SELECT count(*) FROM rails_ready) AS left_out; -- an id that hookflow cannot hold, or one twice
