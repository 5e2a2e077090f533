package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/providers"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	sdk "go.temporal.io/api/sdk/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// gathered is text that many write and one reads: a log, or what reaches a receiver.
type gathered struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (g *gathered) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(p)
}

func (g *gathered) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}

// ServeHTTP keeps headers and bodies, unpacked.
func (g *gathered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		from, _ = gzip.NewReader(r.Body) // Sentry's and OpenTelemetry's own
	}
	body, _ := io.ReadAll(from)
	fmt.Fprintf(g, "%v\n%s\n", r.Header, body)
	_, _ = io.WriteString(w, "{}")
}

// faulty stands in for the handlers of Stripe: each event says what is to become of it.
type faulty struct{}

// RecordCheckout completes, fails, or panics with what it was sent in its words.
func (*faulty) RecordCheckout(_ context.Context, e event.Event) error {
	var body struct{ Do string }
	if err := json.Unmarshal(e.Body, &body); err != nil {
		return err
	}
	switch body.Do {
	case "fail":
		return errors.New("a text of the handler's own")
	case "panic":
		panic("I was sent " + string(e.Body))
	}
	return nil
}

const canaryRoutes = `
policies:
  briefly: {start_to_close_timeout: 5s, retry_policy: {initial_interval: 50ms, backoff_coefficient: 1, maximum_attempts: 2}}
routes:
  - {provider: stripe, type: inline, steps: [{activity: stripe.RecordCheckout, policy: briefly, inline: true, start_to_close_timeout: 2s}]}
  - {provider: stripe, type: ordinary, steps: [{activity: stripe.RecordCheckout, policy: briefly}]}
  - provider: stripe
    type: forwarded
    steps: [{name: on, policy: briefly, forward: {url: "%s", allow_private: true}}]
`

// canaries posts events and waits for their ends.
type canaries struct {
	*inProcess
	t                 *testing.T
	secret, body, key string // the secret of Stripe, what stands in bodies, the API's token
}

// post sends an event; forged ones are signed with another secret.
func (c *canaries) post(id, kind, do string, forged bool) int {
	c.t.Helper()
	secret := c.secret
	if forged {
		secret = "whsec_" + rand.Text()
	}
	stripe, err := providers.NewStripe([]string{secret})
	require.NoError(c.t, err)
	text := fmt.Sprintf(`{"id":%q,"object":"event","type":%q,"created":1767225600,"do":%q,"data":{"object":{"email":%q}}}`, id, kind, do, c.body)
	if do == "malformed" {
		text = text[:len(text)-4]
	}
	r := &providers.Request{Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + c.secret}}, Body: []byte(text)}
	stripe.Sign(r, time.Now())
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+"/webhooks/stripe?x="+c.body, strings.NewReader(text))
	require.NoError(c.t, err)
	request.Header = r.Header
	answer, err := http.DefaultClient.Do(request)
	require.NoError(c.t, err)
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	require.NoError(c.t, err)
	require.NotContains(c.t, string(said), c.body)
	return answer.StatusCode
}

func (c *canaries) await(id string, status event.Status, generation int) {
	c.t.Helper()
	testkit.Eventually(c.t, func() bool {
		d, err := c.store.Find(c.t.Context(), event.ID("stripe:"+id))
		return err == nil && d.Status == status && d.Generation == generation
	}, "%s is not %s", id, status)
}

// replay asks /v1 for another run.
func (c *canaries) replay(id string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+"/v1/events/stripe:"+id+"/replay", nil)
	require.NoError(c.t, err)
	r.Header.Set("Authorization", "Bearer "+c.key)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(c.t, err)
	defer answer.Body.Close()
	require.Equal(c.t, http.StatusAccepted, answer.StatusCode)
}

// shown is what the Temporal UI shows of a run without opening its inputs and results: description, memo, search
// attributes, the texts for people, and its current details.
func (c *canaries) shown(id string) string {
	c.t.Helper()
	described, err := c.temporal.DescribeWorkflowExecution(c.t.Context(), "stripe:"+id, "")
	require.NoError(c.t, err)
	text := protojson.Format(described.GetWorkflowExecutionInfo()) + protojson.Format(described.GetExecutionConfig())
	events := c.temporal.GetWorkflowHistory(c.t.Context(), "stripe:"+id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(c.t, err)
		text += string(e.GetUserMetadata().GetSummary().GetData()) + string(e.GetUserMetadata().GetDetails().GetData())
	}
	if strings.Contains(id, "panic") {
		return text // the SDK answers queries of a run that a panic failed with its failure, which the history holds
	}
	details, err := c.temporal.QueryWorkflow(c.t.Context(), "stripe:"+id, "", "__temporal_workflow_metadata")
	require.NoError(c.t, err)
	var said sdk.WorkflowMetadata
	require.NoError(c.t, details.Get(&said))
	return text + said.CurrentDetails
}

// Whatever becomes of an event, no secret and no byte of its body is where many people look: the log, the metrics, the
// traces, Sentry, and what the Temporal UI shows of a run.
func TestCanaries(t *testing.T) {
	t.Parallel()
	log, sentry, traces := &gathered{}, &gathered{}, &gathered{}
	urls := map[*gathered]string{}
	for _, sink := range []*gathered{sentry, traces} {
		server := httptest.NewServer(sink)
		t.Cleanup(server.Close)
		urls[sink] = server.URL
	}
	// A receiver that quotes what it was sent in its refusal.
	quoting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(quoting.Close)
	c := &canaries{t: t, secret: "whsec_" + rand.Text(), body: "canary-" + rand.Text(), key: rand.Text()}
	postgres, database := testkit.DatabaseProxy(t, testkit.Database(t))
	secrets := map[string]string{"STRIPE_WEBHOOK_SECRET": c.secret, "HOOKFLOW_API_TOKEN": "ops:" + c.key, "HOOKFLOW_FORWARD_SECRET": "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text()))}
	variables := map[string]string{
		"DATABASE_URL": database, "SENTRY_DSN": strings.Replace(urls[sentry], "//", "//public@", 1) + "/1", "SENTRY_TRACES_SAMPLE_RATE": "1",
		"OTEL_EXPORTER_OTLP_ENDPOINT": urls[traces], "OTEL_EXPORTER_OTLP_HEADERS": "authorization=" + rand.Text(),
	}
	for name, value := range secrets {
		variables[name] = value
	}
	c.inProcess = startInProcessWith(t, fmt.Sprintf(canaryRoutes, quoting.URL+"/"+c.body), inProcessOptions{
		variables: variables, log: log, change: func(a *app) { a.worker.Handlers["stripe"] = &faulty{} },
	})

	require.Equal(t, http.StatusOK, c.post("evt_inline", "inline", "complete", false))
	require.Equal(t, http.StatusOK, c.post("evt_inline", "inline", "complete", false), "a duplicate")
	require.Equal(t, http.StatusUnauthorized, c.post("evt_forged", "inline", "complete", true))
	require.Equal(t, http.StatusBadRequest, c.post("evt_malformed", "inline", "malformed", false))
	for id, of := range map[string][2]string{
		"evt_fail": {"ordinary", "fail"}, "evt_fail_inline": {"inline", "fail"},
		"evt_panic": {"ordinary", "panic"}, "evt_panic_inline": {"inline", "panic"}, "evt_forward": {"forwarded", ""},
	} {
		require.Equal(t, http.StatusOK, c.post(id, of[0], of[1], false))
		c.await(id, event.Failed, 0)
	}
	c.await("evt_inline", event.Completed, 0)
	c.replay("evt_panic")
	c.await("evt_panic", event.Failed, 1)
	postgres.Refuse()
	require.Equal(t, http.StatusOK, c.post("evt_away", "ordinary", "complete", false), "through Temporal")
	postgres.Heal()
	c.await("evt_away", event.Completed, 0)

	places := map[string]string{"metrics": c.scrape(t)}
	for _, id := range []string{"evt_inline", "evt_fail", "evt_panic", "evt_forward", "evt_away"} {
		places["the run of "+id] = c.shown(id)
	}
	c.stop()
	places["log"], places["Sentry"], places["traces"] = log.String(), sentry.String(), traces.String()
	// That nothing is found says something only where something was told.
	for place, told := range map[string]string{
		"log": "a webhook was refused", "metrics": "hookflow_steps_total", "traces": "RunActivity:stripe.RecordCheckout",
		"Sentry": "a text of the handler's own", "the run of evt_fail": "Over: failed.",
	} {
		require.True(t, strings.Contains(places[place], told), "%s says nothing of %q", place, told)
	}
	for place, text := range places {
		at := strings.Index(text, c.body)
		require.Negative(t, at, "a body is in %s: %s", place, text[max(0, at-300):max(0, at)])
		for name, value := range secrets {
			require.False(t, strings.Contains(text, strings.TrimPrefix(value, "ops:")), "%s is in %s", name, place)
		}
	}
}
