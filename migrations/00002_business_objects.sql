-- What the built-in handlers keep: one row per business object of a provider, moved forward only.

-- +goose Up
CREATE TABLE stripe_checkout_sessions (
    session_id          text PRIMARY KEY,
    account             text,
    livemode            boolean,
    -- pending: completed but unpaid (a delayed method started); paid: fulfil; failed; expired
    state               text NOT NULL CHECK (state IN ('pending', 'paid', 'failed', 'expired')),
    state_rank          smallint NOT NULL,
    payment_status      text,
    mode                text,
    amount_total        bigint,
    currency            text,
    customer            text,
    customer_email      text,
    payment_intent      text,
    subscription        text,
    client_reference_id text,
    line_items          jsonb,       -- retrieved from Stripe, where an API key is set
    fulfilled_at        timestamptz, -- set once, when the session is first known to be paid
    fulfilled_by        uuid,        -- the event that said so
    event               uuid NOT NULL,
    updated_at          timestamptz NOT NULL
);

CREATE TABLE twilio_calls (
    call_sid        text PRIMARY KEY,
    account_sid     text,
    parent_call_sid text,
    direction       text,
    from_address    text,
    to_address      text,
    status          text NOT NULL,
    status_rank     smallint NOT NULL,
    duration        integer, -- seconds
    sip_response    text,
    event           uuid NOT NULL,
    updated_at      timestamptz NOT NULL
);

CREATE TABLE twilio_messages (
    message_sid  text PRIMARY KEY,
    account_sid  text,
    from_address text,
    to_address   text,
    status       text NOT NULL,
    status_rank  smallint NOT NULL,
    error_code   text,
    num_media    integer,
    event        uuid NOT NULL,
    updated_at   timestamptz NOT NULL
);

CREATE TABLE vapi_calls (
    call_id       text PRIMARY KEY,
    org_id        text,
    assistant_id  text,
    call_type     text,
    status        text NOT NULL,
    status_rank   smallint NOT NULL,
    ended_reason  text,
    started_at    timestamptz,
    ended_at      timestamptz,
    cost          numeric, -- US dollars
    hangs         integer NOT NULL DEFAULT 0, -- how often the assistant failed to answer for seconds
    summary       text,
    transcript    text,
    recording_url text,
    event         uuid NOT NULL,
    updated_at    timestamptz NOT NULL
);

-- +goose Down
DROP TABLE vapi_calls;
DROP TABLE twilio_messages;
DROP TABLE twilio_calls;
DROP TABLE stripe_checkout_sessions;
