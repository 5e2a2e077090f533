package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"hookflow/event"
	"hookflow/providers"

	"github.com/stretchr/testify/require"
)

// lister is a provider that sends lists.
type lister struct{ acme }

func (lister) IdentifyAll(r *providers.Request) ([]event.Event, bool, error) {
	var items []json.RawMessage
	if json.Unmarshal(r.Body, &items) != nil {
		return nil, false, nil
	}
	events := make([]event.Event, len(items))
	for i, item := range items {
		var read struct{ ID, Type string }
		_ = json.Unmarshal(item, &read)
		events[i] = event.Event{EventID: read.ID, Type: read.Type, Body: item, ContentType: "application/json"}
	}
	return events, true, nil
}

func TestBatch(t *testing.T) {
	t.Parallel()
	const batch = `[{"id":"a","type":"t"},{"id":"b","type":"t"},{"note":"no id, no type"}]`
	outcomes := map[string]event.Outcome{"acme:a": event.Duplicate, "acme:b": event.Ignored}
	d := newDoor(t, withSource(lister{acme{maxBody: 1 << 10}}))
	d.accept = func(_ context.Context, e *event.Event) (event.Outcome, error) { return outcomes[e.Key()], nil }
	post := func(body string) (*http.Response, receipts) {
		w := serve(d.Webhooks(), signed("/webhooks/acme", body))
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		var got receipts
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		return w.Result(), got
	}

	_, got := post(batch)
	last := got.Events[2].Key
	require.Regexp(t, `^acme:sha256-[0-9a-f]{64}$`, last, "the hash of an item stands for its missing id")
	for _, c := range []struct{ ofLast, whole event.Outcome }{
		{event.Accepted, event.Accepted}, {event.Duplicate, event.Duplicate}, {event.Ignored, event.Duplicate},
	} {
		outcomes[last] = c.ofLast
		answer, got := post(batch)
		require.Equal(t, []receipt{
			{ID: event.ID("acme:a"), Key: "acme:a", Outcome: event.Duplicate},
			{ID: event.ID("acme:b"), Key: "acme:b", Outcome: event.Ignored},
			{ID: event.ID(last), Key: last, Outcome: c.ofLast},
		}, got.Events)
		require.Equal(t, string(c.whole), answer.Header.Get("Hookflow-Outcome"))
		require.Equal(t, event.ID("acme:a"), answer.Header.Get("Hookflow-Event-Id"))
	}
	answer, got := post(`[]`)
	require.Equal(t, []receipt{}, got.Events)
	require.Equal(t, "ignored", answer.Header.Get("Hookflow-Outcome"))
	require.Empty(t, answer.Header.Get("Hookflow-Event-Id"))

	w := serve(d.Webhooks(), signed("/webhooks/acme", goodBody)) // a single event of the same provider
	require.JSONEq(t, fmt.Sprintf(`{"id":%q,"key":"acme:evt_1","outcome":""}`, event.ID("acme:evt_1")), w.Body.String())
}

func TestBatch_OnlyDurableIsAnswered200(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
	}{
		"a place is away":        {event.ErrUnavailable, http.StatusServiceUnavailable},
		"Postgres refuses a row": {errors.New("refused"), http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t, withSource(lister{acme{maxBody: 1 << 10}}))
			d.accept = func(_ context.Context, e *event.Event) (event.Outcome, error) {
				if e.EventID == "b" {
					return "", c.err
				}
				return event.Accepted, nil
			}
			w := serve(d.Webhooks(), signed("/webhooks/acme", `[{"id":"a","type":"t"},{"id":"b","type":"t"}]`))
			require.Equal(t, c.status, w.Code)
		})
	}
}

func TestBatch_OwnAnswer(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withSource(lister{acme{maxBody: 1 << 10, own: &providers.Answer{Status: 202, ContentType: "text/plain", Body: []byte("[accepted]")}}}))
	w := serve(d.Webhooks(), signed("/webhooks/acme", `[{"id":"a","type":"t"}]`))
	require.Equal(t, 202, w.Code)
	require.Equal(t, "[accepted]", w.Body.String())
	require.Equal(t, "accepted", w.Header().Get("Hookflow-Outcome"))
}
