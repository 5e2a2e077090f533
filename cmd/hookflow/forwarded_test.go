package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/providers"
)

// forwarded is a request that a receiver saw.
type forwarded struct {
	header http.Header
	body   []byte
}

// newEndpoint returns where it listens, and what reaches it.
func newEndpoint(t *testing.T) (url string, got chan forwarded) {
	t.Helper()
	got = make(chan forwarded, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- forwarded{r.Header, body}
		_, _ = io.WriteString(w, "thanks")
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

// An event goes through a whole hookflow to two receivers: one named by its URL, one a destination, which is paused for a
// while. What arrives verifies, and a pause spends no attempts.
func TestForwardedEndToEnd(t *testing.T) {
	t.Parallel()
	plain, atPlain := newEndpoint(t)
	billing, atBilling := newEndpoint(t)
	secret := randomKey()
	p := startInProcessWith(t, `
destinations: {billing: {url: `+billing+`, allow_private: true, secrets_env: BILLING}}
routes:
  - provider: stripe
    type: "*"
    steps:
      - {name: plain, forward: {url: `+plain+`, allow_private: true, format: cloudevents}}
      - {name: billing, forward: {destination: billing}}
`, inProcessOptions{variables: map[string]string{activities.ForwardSecret: secret, "BILLING": secret}})

	d := p.send(t, 1)
	verifier, err := providers.NewDeclared("standard", *providers.KindOf("standard").Declaration, providers.Settings{Secrets: []string{secret}})
	require.NoError(t, err)
	cloud, original := <-atPlain, <-atBilling
	for _, got := range []forwarded{cloud, original} {
		require.NoError(t, verifier.Verify(&providers.Request{Header: got.header, Body: got.body}, time.Now()))
		require.Equal(t, d.ID, got.header.Get("Hookflow-Event-Id"))
	}
	require.Equal(t, d.Body, original.body)
	require.Equal(t, "application/cloudevents+json; charset=utf-8", cloud.header.Get("Content-Type"))
	require.Contains(t, string(cloud.body), `"data":`+string(d.Body))
	require.Len(t, d.Steps, 2)
	require.JSONEq(t, `{"status":200,"response":"thanks"}`, string(d.Steps[0].Result))

	require.Equal(t, event.Paused, p.steer(t, "pause").State)
	p.awaitUnserved(t)
	id := p.post(t, 2)
	<-atPlain
	testkit.Eventually(t, func() bool { w := p.destinations(t)[0].Waiting; return w != nil && *w == 1 }, "nothing waits")
	require.Empty(t, atBilling)
	require.Equal(t, event.Running, p.steer(t, "resume").State)
	d = p.awaitCompleted(t, id)
	require.Equal(t, 2, d.Attempts, "one for each step")
	require.Equal(t, "1", (<-atBilling).header.Get("Hookflow-Attempt"))
}

func (p *inProcess) steer(t *testing.T, verb string) event.Destination {
	t.Helper()
	var d event.Destination
	p.v1(t, http.MethodPost, "/v1/destinations/billing/"+verb, &d)
	return d
}

func (p *inProcess) destinations(t *testing.T) []event.Destination {
	t.Helper()
	var all struct{ Destinations []event.Destination }
	p.v1(t, http.MethodGet, "/v1/destinations", &all)
	require.Len(t, all.Destinations, 1)
	return all.Destinations
}

func (p *inProcess) v1(t *testing.T, method, path string, answer any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer 0123456789abcdef")
	got, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer got.Body.Close()
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.NoError(t, json.NewDecoder(got.Body).Decode(answer))
}

// awaitUnserved waits until nobody has asked Temporal for work for billing for two seconds.
func (p *inProcess) awaitUnserved(t *testing.T) {
	t.Helper()
	since := time.Now().Add(2 * time.Second) // a look of the worker at the table
	testkit.Eventually(t, func() bool {
		queue, err := p.temporal.DescribeTaskQueue(t.Context(), "hookflow.to.billing", enums.TASK_QUEUE_TYPE_ACTIVITY)
		require.NoError(t, err)
		for _, poller := range queue.Pollers {
			if poller.LastAccessTime.AsTime().After(since) {
				since = time.Now()
			}
		}
		return time.Since(since) > 2*time.Second
	}, "billing is still served")
}
