package api

import (
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

func TestErase(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	w := ask(d, "DELETE", "/v1/events/acme:a/content/content")
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"id":"`+event.ID("acme:a/content")+`","key":"acme:1","content":true,"histories":2}`, w.Body.String())
	require.Equal(t, event.ID("acme:a/content"), d.repairs.asked)
	require.Equal(t, "erase", d.repairs.did)
	require.Equal(t, "ann", d.repairs.author)

	for _, path := range []string{"/v1/events/acme:a", "/v1/events/acme:a/content/", "/v1/events/acme:a/replay"} {
		w := ask(d, "DELETE", path)
		requireProblem(t, w.Result(), w.Body.Bytes(), 405, "method_not_allowed")
	}
	for code, test := range map[string]struct {
		err    error
		status int
	}{
		"event_unknown":   {event.ErrNotFound, 404},
		"event_not_final": {event.ErrNotFinal, 409},
		"run_open":        {event.ErrRunOpen, 409},
		"histories_left":  {event.ErrHistoriesLeft, 503},
		"unavailable":     {event.ErrUnavailable, 503},
	} {
		d := newDoor(t)
		d.repairs.failing = test.err
		w := ask(d, "DELETE", "/v1/events/acme:a/content")
		requireProblem(t, w.Result(), w.Body.Bytes(), test.status, code)
	}
}
