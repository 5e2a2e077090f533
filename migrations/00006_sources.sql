-- The rows of business objects belong to the source that sent them: whoever holds the secret of one source changes nothing of
-- another's. Rows from before take the source of the event that wrote them last; where its row is gone, the built-in one.

-- +goose Up
-- +goose StatementBegin
DO $$ DECLARE t text; key text; built_in text; BEGIN
	FOR t, key, built_in IN VALUES ('stripe_checkout_sessions', 'session_id', 'stripe'), ('twilio_calls', 'call_sid', 'twilio'),
			('twilio_messages', 'message_sid', 'twilio'), ('vapi_calls', 'call_id', 'vapi') LOOP
		EXECUTE format('ALTER TABLE %I ADD COLUMN provider text NOT NULL DEFAULT %L', t, built_in);
		EXECUTE format('UPDATE %I b SET provider = e.provider FROM webhook_events e WHERE e.id = b.event AND e.provider <> b.provider', t);
		EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', t, t || '_pkey');
		EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (provider, %I)', t, key);
	END LOOP;
END $$;
-- +goose StatementEnd

-- An id that begins like those of ours is hashed in the workflow ID. Events that are over run under the new one when they are
-- replayed; what is in flight goes on under the old one.
UPDATE webhook_events SET workflow_id = provider || ':sha256-' || encode(sha256(convert_to(event_id, 'UTF8')), 'hex')
WHERE event_id LIKE 'sha256-%' AND status IN ('completed', 'failed');

-- +goose Down
UPDATE webhook_events SET workflow_id = provider || ':' || event_id WHERE event_id LIKE 'sha256-%' AND length(event_id) = 71 AND status IN ('completed', 'failed');

-- Of an object that several sources have, the row that has come furthest stays.
-- +goose StatementBegin
DO $$ DECLARE t text; key text; rank text; BEGIN
	FOR t, key, rank IN VALUES ('stripe_checkout_sessions', 'session_id', 'state_rank'), ('twilio_calls', 'call_sid', 'status_rank'),
			('twilio_messages', 'message_sid', 'status_rank'), ('vapi_calls', 'call_id', 'status_rank') LOOP
		EXECUTE format('DELETE FROM %1$I a USING %1$I b WHERE a.%2$I = b.%2$I AND (a.%3$I, a.updated_at, a.provider) < (b.%3$I, b.updated_at, b.provider)', t, key, rank);
		EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', t, t || '_pkey');
		EXECUTE format('ALTER TABLE %I DROP COLUMN provider', t);
		EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (%I)', t, key);
	END LOOP;
END $$;
-- +goose StatementEnd
