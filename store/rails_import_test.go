package store_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// railsTable is a receiver's table as "rails generate" makes it, with native enums, and some of its rows.
const railsTable = `
CREATE TYPE webhook_provider AS ENUM ('stripe', 'twilio', 'vapi');
CREATE TYPE webhook_status AS ENUM ('pending', 'processing', 'processed', 'failed');
CREATE TABLE webhook_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    provider webhook_provider NOT NULL,
    event_id varchar NOT NULL,
    event_type varchar NOT NULL,
    status webhook_status NOT NULL DEFAULT 'pending',
    payload jsonb NOT NULL DEFAULT '{}',
    error_message text,
    processed_at timestamp(6),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);
CREATE UNIQUE INDEX ON webhook_events (provider, event_id);
INSERT INTO webhook_events (id, provider, event_id, event_type, status, payload, error_message, processed_at, created_at, updated_at) VALUES
    ('00000000-0000-4000-8000-000000000001', 'stripe', 'evt_done', 'invoice.paid', 'processed', '{"id":"evt_done","n":9007199254740993}', NULL, '2026-01-01 12:00:05', '2026-01-01 12:00:00', now()),
    ('00000000-0000-4000-8000-000000000002', 'stripe', 'evt_failed', 'invoice.paid', 'failed', '{"id":"evt_failed"}', 'undefined method', NULL, '2026-01-01 12:00:01', now()),
    ('00000000-0000-4000-8000-000000000003', 'twilio', 'CA1:3', 'call.completed', 'pending', '{"CallSid":"CA1","Body":"\t\\\"ü"}', NULL, NULL, '2026-01-01 12:00:02', now()),
    ('00000000-0000-4000-8000-000000000004', 'vapi', 'größe', '', 'processing', '{}', NULL, NULL, '2026-01-01 12:00:03', now()),
    ('00000000-0000-4000-8000-000000000005', 'stripe', E'evt\n1', 'x', 'processed', '{}', NULL, NULL, '2026-01-01 12:00:04', now()),
    ('00000000-0000-4000-8000-000000000006', 'stripe', 'evt_here', 'x', 'processed', '{}', NULL, NULL, '2026-01-01 12:00:05', now());`

func railsFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/rails/" + name)
	require.NoError(t, err)
	return string(text)
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(t.Context()) })
	return c
}

// run executes a file of statements as psql -1 does, and returns the first row of the last result.
func run(t *testing.T, c *pgx.Conn, statements string) []string {
	t.Helper()
	results, err := c.PgConn().Exec(t.Context(), "BEGIN;"+statements+";\nCOMMIT").ReadAll()
	require.NoError(t, err)
	var row []string
	for _, r := range results {
		require.NoError(t, r.Err)
		if len(r.Rows) > 0 {
			row = nil
			for _, v := range r.Rows[0] {
				row = append(row, string(v))
			}
		}
	}
	return row
}

// What cannot be understood is refused before anything is written: a row that was done would else be pending, and done again.
func TestRailsImport_refusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	const now, at = "'2026-01-01 12:00:00+00'", ", '2026-01-01 12:00:00+00', NULL"
	for row, want := range map[string]string{
		`'stripe', 'evt_1', 'archived', '{}'` + at:                                       `status 'archived': 1 rows`,
		`'stripe', 'evt_1', '2', '{}'` + at:                                              `status '2': 1 rows`, // an integer enum
		`'stripe', 'evt_1', NULL, '{}'` + at:                                             `status NULL: 1 rows`,
		`'stripe', 'evt_1', '', '{}'` + at:                                               `status '': 1 rows`,
		`'0', 'evt_1', 'processed', '{}'` + at:                                           `provider '0': 1 rows`,
		`'acme_corp', 'evt_1', 'processed', '{}'` + at:                                   `provider 'acme_corp': 1 rows`,
		`'Stripe', 'evt_1', 'pending', '{}'` + at:                                        `provider 'Stripe': 1 rows`,
		`'stripe', 'evt_1', 'pending', NULL` + at:                                        `status 'pending' without a payload: 1 rows`,
		`'stripe', 'evt_1', 'queued', 'null'` + at:                                       `status 'queued' without a payload: 1 rows`,
		`'stripe', 'evt_1', 'done', '"{}"'` + at:                                         `payload that is a JSON string: 1 rows`, // JSON in text
		`'stripe', 'evt_1', 'done', '{}', '2026-01-01 12:00:00', NULL`:                   `time without a zone, such as '2026-01-01 12:00:00': 1 rows`,
		`'stripe', 'evt_1', 'done', '{}', ` + now + `, '01/02/2026 12:00:00'`:            `time without a zone, such as '01/02/2026 12:00:00': 1 rows`,
		`'stripe', 'evt_1', 'done', '{}', 'infinity', NULL`:                              `time without a zone, such as 'infinity': 1 rows`,
		`'Stripe', 'evt_1', 'x', '{}'` + at + `), ('Stripe', 'evt_2', 'done', '{}'` + at: `provider 'Stripe': 2 rows; status 'x': 1 rows`, // all at once
	} {
		_, url := testkit.Store(t, store.Options{})
		c := connect(t, url)
		run(t, c, railsFile(t, "stage.sql"))
		run(t, c, `INSERT INTO rails_webhook_events (provider, event_id, status, payload, received_at, finished_at) VALUES
			('stripe', 'evt_0', 'Processed', NULL`+at+`), (`+row+`)`)
		_, err := c.PgConn().Exec(t.Context(), "BEGIN;"+railsFile(t, "import.sql")+";COMMIT").ReadAll()
		require.ErrorContains(t, err, want)
		_, err = c.Exec(t.Context(), "ROLLBACK")
		require.NoError(t, err)
		require.Zero(t, testkit.Query[int](t, url, "SELECT count(*)::int FROM webhook_events"), row)
	}
}

// A key that Rails has twice counts as done if one of its rows was, and an id that begins like our hashes is hashed itself.
func TestRailsImport_keys(t *testing.T) {
	t.Parallel()
	_, url := testkit.Store(t, store.Options{})
	c := connect(t, url)
	run(t, c, railsFile(t, "stage.sql"))
	run(t, c, `INSERT INTO rails_webhook_events (provider, event_id, status, payload, received_at) VALUES
		('stripe', 'evt_twice', 'queued', '{}', '2026-01-01 00:00Z'), ('stripe', 'evt_twice', 'failed', '{}', '2026-01-02 00:00Z'), ('stripe', 'evt_twice', 'done', '{}', '2026-01-03 00:00Z'),
		('stripe', 'sha256-00', 'done', NULL, now())`)
	run(t, c, railsFile(t, "import.sql"))
	require.Equal(t, "completed", testkit.Query[string](t, url, "SELECT status::text FROM webhook_events WHERE event_id = 'evt_twice'"))
	require.Equal(t, event.WorkflowID("stripe", "sha256-00"), testkit.Query[string](t, url, "SELECT workflow_id FROM webhook_events WHERE event_id = 'sha256-00'"))
}

// The three files of docs/rails, one after the other, as docs/coming-from-rails.md says.
func TestRailsImport(t *testing.T) {
	t.Parallel()
	rails := connect(t, testkit.EmptySchema(t))
	run(t, rails, railsTable)
	var exported bytes.Buffer
	_, err := rails.PgConn().CopyTo(t.Context(), &exported, railsFile(t, "export.sql"))
	require.NoError(t, err)

	s, url := testkit.Store(t, store.Options{})
	here := arrive("evt_here")
	require.True(t, insert(t, s, here))
	c := connect(t, url)
	run(t, c, railsFile(t, "stage.sql"))
	_, err = c.PgConn().CopyFrom(t.Context(), &exported, "COPY rails_webhook_events FROM STDIN")
	require.NoError(t, err)
	// exported, taken, completed, failed, pending, known before, left out
	require.Equal(t, []string{"6", "4", "1", "1", "2", "1", "1"}, run(t, c, railsFile(t, "import.sql")))
	require.Equal(t, []string{"6", "0", "0", "0", "0", "5", "1"}, run(t, c, railsFile(t, "import.sql")), "a second run takes nothing")

	done, err := s.Find(t.Context(), event.ID("stripe:evt_done"))
	require.NoError(t, err)
	require.Equal(t, "completed", string(done.Status))
	require.Equal(t, "invoice.paid", done.EventType)
	require.Equal(t, noon, done.ReceivedAt.UTC())
	require.JSONEq(t, `{"id":"evt_done","n":9007199254740993}`, string(done.Body))
	require.Contains(t, string(done.Payload), "9007199254740993")
	require.Equal(t, "00000000-0000-4000-8000-000000000001", done.Headers["Rails-Id"])
	failed, err := s.Find(t.Context(), event.ID("stripe:evt_failed"))
	require.NoError(t, err)
	require.Equal(t, "undefined method", *failed.LastError)
	require.False(t, insert(t, s, arrive("evt_done")), "a copy that the provider still sends is a duplicate")
	read, err := s.ReadEvent(t.Context(), here.ID)
	require.NoError(t, err)
	require.Equal(t, here.Body, read.Body, "what was there stays")

	for provider, want := range map[string]event.Event{
		"twilio": {EventID: "CA1:3", Type: "call.completed"}, "vapi": {EventID: "größe", Type: "unknown"},
	} { // what was open is run
		claimed, err := s.ClaimPending(t.Context(), provider, 10, time.Now(), time.Now().Add(time.Minute))
		require.NoError(t, err)
		require.Len(t, claimed, 1)
		require.Equal(t, event.ID(provider+":"+want.EventID), claimed[0].ID)
		require.Equal(t, want.Type, claimed[0].Type)
		var workflow string
		require.NoError(t, c.QueryRow(t.Context(), "SELECT workflow_id FROM webhook_events WHERE id = $1", claimed[0].ID).Scan(&workflow))
		require.Equal(t, event.WorkflowID(provider, want.EventID), workflow)
	}
	body, err := s.ReadEvent(t.Context(), event.ID("twilio:CA1:3"))
	require.NoError(t, err)
	form, err := event.ReadForm(body.ContentType, body.Body)
	require.NoError(t, err)
	require.Equal(t, "CA1", form.Get("CallSid"))
	require.True(t, strings.HasSuffix(form.Get("Body"), `"ü`))
}
