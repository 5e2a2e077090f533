package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"hookflow/providers"

	"github.com/stretchr/testify/require"
)

// greeting is a provider with a probe by GET and by POST, and a handshake that is signed.
type greeting struct {
	acme
	confirm func(context.Context) error
}

func (p greeting) Traits() providers.Traits {
	traits := p.acme.Traits()
	traits.ProbeMethods = []string{"GET"}
	traits.Refusal = providers.Refusal{Status: http.StatusForbidden, Empty: true}
	return traits
}

func (p greeting) Probe(r *providers.Request) (*providers.Greeting, error) {
	switch r.Header.Get("X-Probe") {
	case "":
		return nil, nil
	case "false":
		return nil, &providers.Error{Code: providers.CodeSignature, Reason: providers.ReasonMismatch}
	}
	return &providers.Greeting{Answer: providers.Answer{ContentType: "text/plain", Body: []byte(r.Header.Get("X-Probe"))}}, nil
}

func (p greeting) Greet(r *providers.Request) (*providers.Greeting, error) {
	if string(r.Body) != "hello" {
		return nil, nil
	}
	return &providers.Greeting{Answer: providers.Answer{Status: 204}, Confirm: p.confirm}, nil
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	confirmed := 0
	d := newDoor(t, withSource(greeting{acme: acme{maxBody: 1 << 10}, confirm: func(ctx context.Context) error {
		_, limited := ctx.Deadline()
		require.True(t, limited)
		confirmed++
		return nil
	}}))
	ask := func(method, probe string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/webhooks/acme?a=b", nil)
		if probe != "" {
			r.Header.Set("X-Probe", probe)
		}
		return serve(d.Webhooks(), r)
	}
	for _, method := range []string{"GET", "POST"} { // a probe has no media type
		w := ask(method, "challenge")
		require.Equal(t, 200, w.Code)
		require.Equal(t, "challenge", w.Body.String())
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		require.Equal(t, "handshake", w.Header().Get("Hookflow-Outcome"))
	}
	w := serve(d.Webhooks(), signed("/webhooks/acme", "hello"))
	require.Equal(t, 204, w.Code)
	require.Equal(t, "handshake", w.Header().Get("Hookflow-Outcome"))
	require.Equal(t, 1, confirmed)
	require.Equal(t, []string{"acme handshake", "acme handshake", "acme handshake"}, d.counted())
	require.Empty(t, d.events(), "nothing is stored")

	w = ask("GET", "")
	requireProblem(t, w.Result(), w.Body.Bytes(), 400, "handshake_invalid")
	w = ask("HEAD", "challenge")
	require.Equal(t, 405, w.Code)
	require.Equal(t, "GET, POST", w.Header().Get("Allow"))
	w = ask("PUT", "challenge")
	require.Equal(t, "GET, POST", w.Header().Get("Allow"))
	w = ask("GET", "false")
	require.Equal(t, 403, w.Code, "the refusal that the provider demands")
	require.Empty(t, w.Body.String())

	// An event of the same provider goes its usual way.
	w = serve(d.Webhooks(), signed("/webhooks/acme", goodBody))
	require.Equal(t, "accepted", w.Header().Get("Hookflow-Outcome"))
}

func TestHandshake_Unconfirmed(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withSource(greeting{acme: acme{maxBody: 1 << 10}, confirm: func(context.Context) error {
		return errors.New("no answer")
	}}))
	w := serve(d.Webhooks(), signed("/webhooks/acme", "hello"))
	requireProblem(t, w.Result(), w.Body.Bytes(), 503, "unavailable")
	require.Empty(t, w.Header().Get("Hookflow-Outcome"))
}
