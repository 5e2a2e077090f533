package activities

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hookflow/delivery"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
)

var signing = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))

// posting is one forward against a local receiver.
type posting struct {
	*Forward
	env          *testsuite.TestActivityEnvironment
	url          string
	got          []*http.Request
	detail       json.RawMessage // of the last failure
	destinations map[string]routing.Destination
	variables    map[string]string
	unread       error // of every variable
}

func newPosting(t *testing.T, answer http.HandlerFunc) *posting {
	t.Helper()
	p := &posting{destinations: map[string]routing.Destination{}, variables: map[string]string{ForwardSecret: signing}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.got = append(p.got, r)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	p.Forward = &Forward{
		Client:      delivery.New(time.Now, nil),
		Destination: func(name string) (routing.Destination, bool) { d, ok := p.destinations[name]; return d, ok },
		Secret:      func(name string) (string, error) { return p.variables[name], p.unread },
	}
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(testkit.Quiet())
	p.env = suite.NewTestActivityEnvironment()
	// As behind the worker's interceptor, which parts the detail from the error.
	p.env.RegisterActivityWithOptions(func(ctx context.Context, e event.Event, to routing.Forward) (ForwardResult, error) {
		result, err := p.Forward.Post(ctx, e, to)
		p.detail, err = TakeDetail(err)
		return result, err
	}, activity.RegisterOptions{Name: routing.ForwardActivity})
	return p
}

func (p *posting) post(to routing.Forward) (ForwardResult, error) {
	e := event.Event{Provider: "stripe", EventID: "evt_1", Type: "a.b", Step: "billing", Body: []byte(`{}`), ContentType: "application/json"}
	e.ID = event.ID(e.Key())
	var result ForwardResult
	value, err := p.env.ExecuteActivity(routing.ForwardActivity, e, to)
	if err == nil {
		err = value.Get(&result)
	}
	return result, err
}

func (p *posting) here() routing.Forward {
	return routing.Forward{Endpoint: routing.Endpoint{URL: p.url + "/in?token=canary", AllowPrivate: true}}
}

func answering(status int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("words of the receiver"))
	}
}

func TestForward_completes(t *testing.T) {
	t.Parallel()
	p := newPosting(t, answering(202))
	to := p.here()
	to.HeadersEnv = map[string]string{"Authorization": "BILLING"}
	p.variables["BILLING"] = "Bearer x"
	got, err := p.post(to)
	require.NoError(t, err)
	require.Equal(t, ForwardResult{Status: 202, Response: "words of the receiver"}, got)
	require.Equal(t, "Bearer x", p.got[0].Header.Get("Authorization"))
	require.Equal(t, "1", p.got[0].Header.Get("Hookflow-Attempt"))
	require.NotEmpty(t, p.got[0].Header.Get("Webhook-Signature"))
}

func TestForward_answers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		errType string
		final   bool
		delay   time.Duration
		against bool
		words   string
	}{
		"500":           {answering(500), "HTTP500", false, 0, true, " answered 500"},
		"404":           {answering(404), "HTTP404", false, 0, false, " answered 404"},
		"410":           {answering(410), "HTTP410", true, 0, false, " answered 410"},
		"declared":      {answering(422), "HTTP422", true, 0, false, " answered 422"},
		"redirect":      {answering(302, "Location", "/canary"), "HTTP302", false, 0, false, "302, a redirect, which is not followed"},
		"busy":          {answering(503, "Retry-After", "90"), "HTTP503", false, 90 * time.Second, true, " answered 503"},
		"busy for ever": {answering(429, "Retry-After", "999999999"), "HTTP429", false, time.Hour, true, " answered 429"},
		"slow":          {answering(408), "HTTP408", false, 0, true, " answered 408"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPosting(t, c.answer)
			to := p.here()
			to.FinalStatuses = []int{422}
			_, err := p.post(to)
			var application *temporal.ApplicationError
			require.ErrorAs(t, err, &application)
			require.Equal(t, c.errType, application.Type())
			require.Equal(t, c.final, application.NonRetryable())
			require.Equal(t, c.delay, application.NextRetryDelay())
			require.Contains(t, application.Message(), c.words)
			require.Equal(t, c.against, SpeaksAgainst(err))
			require.Equal(t, !c.against, Answered(err))
			require.JSONEq(t, fmt.Sprintf(`{"status":%s,"response":"words of the receiver"}`, c.errType[len("HTTP"):]), string(p.detail))
			for _, secret := range []string{"canary", "words of the receiver"} {
				require.NotContains(t, err.Error(), secret)
			}
		})
	}
}

func TestForward_noAnswer(t *testing.T) {
	t.Parallel()
	p := newPosting(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	to := p.here()
	to.Timeout = routing.Duration(200 * time.Millisecond)
	_, err := p.post(to)
	requireType(t, err, delivery.Timeout)
	require.True(t, SpeaksAgainst(err))
	to.AllowPrivate = false
	_, err = p.post(to)
	requireType(t, err, delivery.AddressRefused)
	require.False(t, SpeaksAgainst(nil))
	require.True(t, Answered(nil))
	require.False(t, Answered(err), "nobody knows")
	require.False(t, Answered(LedgerUnavailable(nil)))
	require.False(t, SpeaksAgainst(errors.New("HTTP500")))
	require.False(t, SpeaksAgainst(LedgerUnavailable(nil)))
}

func requireType(t *testing.T, err error, want string) {
	t.Helper()
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Equal(t, want, application.Type())
	require.False(t, application.NonRetryable())
}

// A URL that is a secret is read for each attempt, and no word of it but the host is in what people see.
func TestForward_urlOfAVariable(t *testing.T) {
	t.Parallel()
	p := newPosting(t, answering(404))
	to := routing.Forward{Endpoint: p.here().Endpoint}
	to.URL, to.URLEnv = "", "CHAT_URL"
	_, err := p.post(to)
	requireType(t, err, notConfigured)
	require.ErrorContains(t, err, "CHAT_URL, where events are sent, is not set")
	p.variables["CHAT_URL"] = "canary"
	_, err = p.post(to)
	requireType(t, err, notConfigured)
	require.NotContains(t, err.Error(), "canary")
	p.variables["CHAT_URL"] = p.url + "/services/canary\n"
	_, err = p.post(to)
	requireType(t, err, "HTTP404")
	require.NotContains(t, err.Error(), "canary")
	require.ErrorContains(t, err, strings.TrimPrefix(p.url, "http://")+" answered 404")
	require.Equal(t, "/services/canary", p.got[0].URL.Path)
}

// Where a destination is, and what is secret, is looked up at each attempt: what is put right reaches the steps that wait.
func TestForward_destinationAsItStandsNow(t *testing.T) {
	t.Parallel()
	p := newPosting(t, answering(200))
	to := routing.Forward{Destination: "billing", Endpoint: routing.Endpoint{Headers: map[string]string{"X-From": "step"}}}
	endpoint := p.here().Endpoint
	endpoint.SecretsEnv, endpoint.URL = "BILLING_SECRET", "http://127.0.0.1:1"
	p.destinations["billing"] = routing.Destination{Name: "billing", Endpoint: endpoint}
	_, err := p.post(to)
	requireType(t, err, notConfigured)
	require.ErrorContains(t, err, "BILLING_SECRET, with which deliveries are signed, is not set")
	p.unread = errors.New("BILLING_SECRET_FILE: names a file that cannot be read")
	_, err = p.post(to)
	requireType(t, err, notConfigured)
	require.ErrorContains(t, err, "BILLING_SECRET_FILE: names a file that cannot be read")
	p.unread = nil
	p.variables["BILLING_SECRET"] = "canary"
	_, err = p.post(to)
	requireType(t, err, notConfigured)
	require.NotContains(t, err.Error(), "canary")
	p.variables["BILLING_SECRET"] = signing
	_, err = p.post(to)
	requireType(t, err, delivery.ConnectFailed)
	endpoint.URL = p.url
	p.destinations["billing"] = routing.Destination{Name: "billing", Endpoint: endpoint}
	_, err = p.post(to)
	require.NoError(t, err)
	require.Equal(t, "step", p.got[0].Header.Get("X-From"))

	delete(p.destinations, "billing")
	_, err = p.post(to)
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Equal(t, DestinationRemoved, application.Type())
	require.True(t, application.NonRetryable())
}

// The request ends before Temporal takes the attempt away, so that there is somebody left to say why it failed.
func TestWithin(t *testing.T) {
	t.Parallel()
	require.Equal(t, delivery.DefaultTimeout, within(t.Context(), 0))
	require.Equal(t, time.Minute, within(t.Context(), time.Minute))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.InDelta(t, 4.5, within(ctx, 0).Seconds(), 0.4)
	require.Equal(t, time.Second, within(ctx, time.Second))
}
