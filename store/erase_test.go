package store_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// canary stands in every place that holds content.
const canary = "canary@example.com"

// tables returns the columns of every table of the schema.
func tables(t *testing.T, url string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, line := range strings.Fields(testkit.Query[string](t, url, `SELECT string_agg(table_name || '.' || column_name, ' ')
		FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> 'hookflow_migrations'`)) {
		table, column, _ := strings.Cut(line, ".")
		found[table] = append(found[table], column)
	}
	return found
}

// A table or a column that is added must say whether it holds content, or an erasure would miss it.
func TestEveryColumnSaysWhetherItHoldsContent(t *testing.T) {
	t.Parallel()
	schema, held := tables(t, testkit.Database(t)), store.Held()
	for table, columns := range schema {
		require.Contains(t, held, table,
			"say in holdings (store/content.go) what %s holds of an event's content and how its rows are found; docs/guarantees.md lists it too", table)
		require.ElementsMatch(t, columns, held[table],
			"put each column of %s into content (an erasure empties it) or kept, once; and out of them what is no column any more", table)
	}
	for table := range held {
		require.Contains(t, schema, table, "the table is gone; take it out of holdings")
	}
}

// full is a failed event with content in every table that can hold any of it.
func full(t *testing.T, s *store.Store, id string) *event.Event {
	t.Helper()
	e, run := arrive(id), event.Run{RunID: "run-" + id, OriginalRunID: "run-" + id}
	e.Headers, e.Body = map[string]string{"User-Agent": canary}, []byte(canary)
	insert(t, s, e)
	_, err := s.BeginRun(t.Context(), e.ID, run, store.Beginning{Status: event.Processing, Payload: json.RawMessage(`{"email":"` + canary + `"}`)}, noon)
	require.NoError(t, err)
	for step, row := range map[string]interface{ Queue(*pgx.Batch, time.Time) }{
		"cs_" + id: store.CheckoutSession{SessionID: "cs_" + id, State: "paid", Customer: canary, CustomerEmail: canary,
			ClientReferenceID: canary, LineItems: json.RawMessage(`["` + canary + `"]`), FulfilledAt: noon, Event: e.ID},
		"CA" + id:   store.Call{CallSid: "CA" + id, From: canary, To: canary, Status: "busy", Event: e.ID},
		"SM" + id:   store.Message{MessageSid: "SM" + id, From: canary, To: canary, Status: "sent", Event: e.ID},
		"vapi" + id: store.VapiCall{CallID: "vapi" + id, Status: "ended", Summary: canary, Transcript: canary, RecordingURL: canary, Event: e.ID},
	} {
		effects := &pgx.Batch{}
		row.Queue(effects, noon)
		e.Step = step
		_, err := s.CompleteStep(t.Context(), e, effects, json.RawMessage(`{"session_id":"`+step+`","sid":"`+step+`","note":"`+canary+`"}`), noon)
		require.NoError(t, err)
	}
	e.Step = "last"
	failure := store.Failure{Message: canary, ErrorType: "Refused", Detail: json.RawMessage(`{"answer":"` + canary + `"}`)}
	require.NoError(t, s.RecordFailure(t.Context(), e, failure, noon))
	_, err = s.FinishRun(t.Context(), e.ID, run, store.Ending{Status: event.Failed, Error: canary, ErrorType: "Refused",
		Steps: []event.StepEnd{{Step: "last", Status: event.Failed, Error: canary, ErrorType: "Refused"}}}, noon)
	require.NoError(t, err)
	require.NoError(t, s.WriteMoments(t.Context(), e.ID, event.Moment{At: noon, Kind: "of_a_new_kind", Detail: json.RawMessage(`"` + canary + `"`)}))
	s.Remember(*e)
	return e
}

// holders returns the tables in which the canary is found, with how many rows.
func holders(t *testing.T, url string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for table := range tables(t, url) {
		rows := testkit.Query[int](t, url, `SELECT count(*) FROM `+table+` r WHERE strpos(r::text, $1) > 0 OR strpos(r::text, encode($1::bytea, 'hex')) > 0`, canary)
		if rows > 0 {
			found[table] = rows
		}
	}
	return found
}

func TestErase(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	e, other := full(t, s, "evt_1"), full(t, s, "evt_2")
	want := map[string]int{"webhook_bodies": 1, "webhook_payloads": 1, "webhook_events": 1, "event_steps": 5, "event_timeline": 2,
		"stripe_checkout_sessions": 1, "twilio_calls": 1, "twilio_messages": 1, "vapi_calls": 1}
	for _, h := range []string{"twice", "once"} {
		found := holders(t, url)
		for table, rows := range want {
			if h == "twice" {
				rows *= 2
			}
			require.Equal(t, rows, found[table], "%s, %s", table, h)
		}
		require.Len(t, found, len(want))
		if h == "once" {
			break
		}
		erased, err := s.Erase(t.Context(), e.ID, "ann", noon.Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, event.Erasure{ID: e.ID, Key: "stripe:evt_1", WorkflowID: "stripe:evt_1", RunIDs: []string{"run-evt_1"}, Content: true}, erased)
	}
	again, err := s.Erase(t.Context(), e.ID, "ben", noon.Add(2*time.Hour))
	require.NoError(t, err)
	require.False(t, again.Content, "it is safe to repeat")

	d, err := s.Find(t.Context(), e.ID)
	require.NoError(t, err)
	told := of(event.Erased, d.Timeline)
	require.Len(t, told, 1)
	require.Equal(t, "ann", *told[0].Author)
	require.Equal(t, event.Failed, d.Status)
	require.Equal(t, "Refused", *d.LastErrorType, "what it was is kept, what was said is not")
	require.Equal(t, "Refused", *of(event.AttemptFailed, d.Timeline)[0].ErrorType)
	require.NotEmpty(t, of(event.Ended, d.Timeline)[0].Detail)
	require.Equal(t, "paid", testkit.Query[string](t, url, `SELECT state FROM stripe_checkout_sessions WHERE session_id = 'cs_evt_1'`))
	_, remembered := s.Remembered(e.ID)
	require.False(t, remembered)
	_, remembered = s.Remembered(other.ID)
	require.True(t, remembered)

	require.False(t, insert(t, s, arrive("evt_1")), "it stays unique")
	require.Zero(t, testkit.Query[int](t, url, `SELECT count(*) FROM webhook_bodies WHERE id = $1`, e.ID), "and a copy brings nothing back")
	_, err = s.Replay(t.Context(), e.ID, event.FromFailure, "ann", noon)
	require.ErrorIs(t, err, event.ErrErased)
}

func TestEraseOfWhatIsNotFinal(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	e := arrive("evt_1")
	insert(t, s, e)
	for _, prepare := range []func(){func() {}, func() { begin(t, s, e, event.Run{RunID: "r", OriginalRunID: "r"}) }} {
		prepare()
		_, err := s.Erase(t.Context(), e.ID, "ann", noon)
		require.ErrorIs(t, err, event.ErrNotFinal)
	}
	require.Equal(t, 1, testkit.Query[int](t, url, `SELECT count(*) FROM webhook_bodies`))
	_, err := s.Erase(t.Context(), event.ID("none"), "ann", noon)
	require.ErrorIs(t, err, event.ErrNotFound)
	var kinds []event.Kind
	for _, m := range timeline(t, s, e.ID) {
		kinds = append(kinds, m.Kind)
	}
	require.False(t, slices.Contains(kinds, event.Erased))
}

// The words by which a bulk replay found an event go with its content.
func TestErase_wordsOfAReplay(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	e, other := full(t, s, "evt_1"), full(t, s, "evt_2")
	for _, found := range []string{e.ID, other.ID} {
		testkit.Exec(t, url, `WITH r AS (INSERT INTO replays (author, begin_from, filter, created_at, paced_at)
			VALUES ('ann', 'failure', '{"q":"{\"mail\":\"ann@example.com\"}","error":"of ann","status":"failed"}', now(), now()) RETURNING id)
			INSERT INTO replay_events (replay, position, event, generation) SELECT id, 1, $1, 0 FROM r`, found)
	}
	_, err := s.Erase(t.Context(), e.ID, "ann", noon)
	require.NoError(t, err)
	const filter = `SELECT filter::text FROM replays WHERE id = (SELECT replay FROM replay_events WHERE event = $1)`
	require.JSONEq(t, `{"status":"failed"}`, testkit.Query[string](t, url, filter, e.ID))
	require.Contains(t, testkit.Query[string](t, url, filter, other.ID), "ann@example.com", "another event's")
}
