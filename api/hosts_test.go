package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHostOf(t *testing.T) {
	t.Parallel()
	for authority, want := range map[string]string{
		"127.0.0.1:8080": "127.0.0.1", "LocalHost.": "localhost", "[::1]:8080": "::1", "[0:0::1]": "::1", "[::ffff:127.0.0.1]:80": "127.0.0.1",
		"https://Hooks.Example.com:8443/prefix": "hooks.example.com", "127.0.0.1@evil.example": "evil.example", "": "", "a b": "", "[::1": "",
	} {
		require.Equal(t, want, HostOf(authority), authority)
	}
}

// A page under a foreign name that leads here (DNS rebinding) gets nothing of what operators see, with or without a token;
// webhooks, which tunnels pass on under their own names, and probes answer under any.
func TestOperatorsPathsHaveOurHost(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(o *Options) {
		o.OpsHost = func(host string) bool { return host == "127.0.0.1" }
		o.Scrape = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	})
	get := func(method, target, host string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, strings.NewReader("{}"))
		r.Host = host
		r.Header.Set("Authorization", "Bearer "+canaryToken)
		return serve(d.Both(), r)
	}
	for _, path := range []string{"/v1/events", "/metrics", "/openapi.json", "/v1/destinations", "/v1/replays"} {
		require.Equal(t, 200, get("GET", path, "127.0.0.1:8080").Code, path)
		w := get("GET", path, "evil.example:8080")
		require.Equal(t, 421, w.Code, path)
		require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		require.Contains(t, w.Body.String(), `"code":"host_unknown"`)
	}
	require.Equal(t, 421, get("POST", "/v1/events/acme:1/replay", "evil.example").Code)
	require.Empty(t, d.repairs.asked)
	for _, path := range []string{"/livez", "/readyz"} {
		require.NotEqual(t, 421, get("GET", path, "10.0.0.7:8080").Code, path)
	}
	require.NotEqual(t, 421, get("POST", "/webhooks/acme", "tunnel.example").Code)
}
