package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// problem is RFC 9457 with our code.
type problem struct {
	Type, Title, Detail, Code string
	Status                    int
}

// requireProblem checks the form of a refusal and returns it.
func requireProblem(t *testing.T, status int, got *reply) problem {
	t.Helper()
	require.Equal(t, status, got.status, "%s", got.body)
	require.Equal(t, "application/problem+json", got.header.Get("Content-Type"))
	require.Empty(t, got.outcome())
	p := decode[problem](t, got.body)
	require.Equal(t, status, p.Status)
	require.Equal(t, http.StatusText(status), p.Title)
	require.NotEmpty(t, p.Type)
	require.NotEmpty(t, p.Code)
	require.NotEmpty(t, p.Detail)
	return p
}

// send posts what no provider would.
func (s *server) send(method, path string, header http.Header, body []byte) *reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.webhooks+path, bytes.NewReader(body))
	require.NoError(s.t, err)
	r.Header = header.Clone()
	got, err := exchange(r)
	require.NoError(s.t, err)
	return got
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	in := install(t)
	s := in.serve()
	d := in.checkout()
	stripe := "/webhooks/stripe"
	asText := d.header.Clone()
	asText.Set("Content-Type", "text/plain")
	zipped := d.header.Clone()
	zipped.Set("Content-Encoding", "gzip")
	noEvent := in.signBody("stripe", []byte(`{"object":"event"}`))
	for _, c := range []struct {
		name, method, path string
		header             http.Header
		body               []byte
		status             int
		code               string
	}{
		{"genuine without an event", "POST", stripe, noEvent, []byte(`{"object":"event"}`), 400, ""},
		{"unknown provider", "POST", "/webhooks/nobody", d.header, d.body, 404, "provider_unknown"},
		{"unknown path", "POST", "/webhook/stripe", d.header, d.body, 404, "path_unknown"},
		{"no redirect for a slash", "POST", stripe + "/", d.header, d.body, 404, "path_unknown"},
		{"GET", "GET", stripe, d.header, nil, 405, "method_not_allowed"},
		{"PUT", "PUT", stripe, d.header, d.body, 405, "method_not_allowed"},
		{"media type", "POST", stripe, asText, d.body, 415, "media_type_unsupported"},
		{"content encoding", "POST", stripe, zipped, d.body, 415, "content_encoding_unsupported"},
		{"too large", "POST", stripe, d.header, make([]byte, 1<<20+1), 413, "body_too_large"},
		{"/v1 is not on the senders' listener", "GET", "/v1/events", d.header, nil, 404, "path_unknown"},
		{"/metrics neither", "GET", "/metrics", d.header, nil, 404, "path_unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := requireProblem(t, c.status, s.send(c.method, c.path, c.header, c.body))
			if c.code != "" {
				require.Equal(t, c.code, p.Code)
			}
		})
	}
	require.Equal(t, "200 accepted", describe(s.post(d)), "none of these left a trace")
	require.Equal(t, 1, in.rows("true"))
}

// signBody returns the headers of a genuine request with this body, which need not hold an event.
func (in *installation) signBody(provider string, body []byte) http.Header {
	in.t.Helper()
	d := in.checkout()
	r := unsigned(d, body)
	in.provider(provider).Sign(r, time.Now())
	return r.Header
}

// Whatever is wrong with a signature, the answer is the same to the byte: it guides nobody who forges one.
func TestForgedRequests(t *testing.T) {
	t.Parallel()
	in := install(t)
	s := in.serve()
	d := in.checkout()
	stale := unsigned(d, d.body)
	in.provider("stripe").Sign(stale, time.Now().Add(-time.Hour))
	future := unsigned(d, d.body)
	in.provider("stripe").Sign(future, time.Now().Add(time.Hour))
	other := install(t).sign("stripe", unsigned(d, d.body))
	var first []byte
	for name, header := range map[string]http.Header{
		"missing":                     {"Content-Type": {"application/json"}},
		"malformed":                   {"Content-Type": {"application/json"}, "Stripe-Signature": {"t=,v1"}},
		"repeated":                    {"Content-Type": {"application/json"}, "Stripe-Signature": {d.header.Get("Stripe-Signature"), d.header.Get("Stripe-Signature")}},
		"stale":                       stale.Header,
		"future":                      future.Header,
		"made with another secret":    other.header,
		"made for another body":       in.checkout().header,
		"long":                        {"Content-Type": {"application/json"}, "Stripe-Signature": {strings.Repeat("v1=0,", 1000) + "t=1"}},
		"with the key of another one": {"Content-Type": {"application/json"}, "X-Signature": {"00"}},
	} {
		got := s.send("POST", d.path, header, d.body)
		p := requireProblem(t, http.StatusUnauthorized, got)
		require.NotContains(t, p.Detail, "signature", name)
		if first == nil {
			first = got.body
		}
		require.Equal(t, string(first), string(got.body), name)
	}
	for _, provider := range []string{"twilio", "vapi"} {
		sent := in.sample(provider, map[string]string{"twilio": "call.completed", "vapi": "status-update"}[provider])
		tampered := bytes.Replace(sent.body, []byte("completed"), []byte("cancelled"), 1)
		got := s.send("POST", sent.path, sent.header, append(tampered, '&'))
		require.Equal(t, string(first), string(got.body), provider)
	}
	require.Zero(t, in.rows("true"))
	require.Equal(t, "200 accepted", describe(s.post(d)), "forged copies do not shut the genuine one out")
}

func TestClosedV1(t *testing.T) {
	t.Parallel()
	in := install(t)
	s := in.serve()
	for name, authorization := range map[string]string{
		"no token": "", "a wrong token": "Bearer " + strings.Repeat("x", 26), "no scheme": in.token,
		"the name with the token": "Bearer tester:" + in.token, "another scheme": "Basic " + in.token,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ops+"/v1/events", nil)
		require.NoError(t, err)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		got, err := exchange(r)
		require.NoError(t, err, name)
		requireProblem(t, http.StatusUnauthorized, got)
		require.Contains(t, got.header.Get("WWW-Authenticate"), "Bearer", name)
	}
	shut := in.with("HOOKFLOW_API_TOKEN", "").serve()
	requireProblem(t, http.StatusUnauthorized, shut.get("/v1/events"))
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := install(t).serve()
	for _, base := range []string{s.webhooks, s.ops} {
		for _, path := range []string{"/livez", "/readyz"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
			require.NoError(t, err)
			got, err := exchange(r)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, got.status)
			require.NotContains(t, string(got.body), "postgres", "details only with a token")
		}
	}
	require.True(t, json.Valid(s.get("/readyz").body))
	require.Contains(t, string(s.get("/readyz").body), `"postgres"`)
	require.Contains(t, string(s.get("/metrics").body), "hookflow_place_available")
}
