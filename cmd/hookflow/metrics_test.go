package main

import (
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"testing"

	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// scrape returns what the process tells Prometheus.
func (p *inProcess) scrape(t *testing.T) string {
	t.Helper()
	answer, err := http.Get(p.url + "/metrics")
	require.NoError(t, err)
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	return string(page)
}

// series counts the time series of a page whose names begin so.
func series(page, prefix string) int {
	n := 0
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "#") && strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// A sender chooses paths, methods, headers and bodies; none of that makes a time series.
func TestMetricsStayBounded(t *testing.T) {
	t.Parallel()
	p := startInProcess(t, "")
	flood := func() {
		for range 200 {
			random := rand.Text()
			for _, path := range []string{"/webhooks/" + random, "/" + random, "/webhooks/stripe"} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+path, strings.NewReader(`{"type":"`+random+`"}`))
				require.NoError(t, err)
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Stripe-Signature", "t=1,v1="+random)
				answer, err := http.DefaultClient.Do(r)
				require.NoError(t, err)
				answer.Body.Close()
			}
		}
	}
	flood()
	before := p.scrape(t)
	flood()
	var after string
	testkit.Eventually(t, func() bool { // a request is counted when its body has been dropped, which is after its answer
		after = p.scrape(t)
		return strings.Contains(after, `hookflow_requests_total{outcome="provider_unknown",provider="unknown"} 400`)
	}, "the flood was not counted")
	require.Equal(t, series(before, "hookflow_"), series(after, "hookflow_"))
	require.Less(t, series(after, "hookflow_"), 200)
	require.Less(t, series(after, ""), 2_000)
}
