package main

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hookflow/event"
	"hookflow/providers"
	"hookflow/samples"
)

// The secrets of the tests; they go through the environment of the command and of the receiver alike.
var testSecrets = map[string]string{
	"STRIPE_WEBHOOK_SECRET": "whsec_of_the_send_test,whsec_of_an_older_one", "TWILIO_AUTH_TOKEN": "token-of-the-send-test", "VAPI_WEBHOOK_SECRET": "secret-of-the-send-test",
}

func with(more map[string]string) map[string]string {
	vars := maps.Clone(testSecrets)
	maps.Copy(vars, more)
	return vars
}

// receiver answers as the contract says, after verifying with the real providers.
type receiver struct {
	*httptest.Server
	sources map[string]providers.Source
	// publicURL stands for HOOKFLOW_PUBLIC_URL; empty: the server's own address.
	publicURL string

	mu     sync.Mutex
	events []event.Event
	keys   map[string]bool
}

func newReceiver(t *testing.T, publicURL string) *receiver {
	t.Helper()
	return newReceiverOf(t, publicURL, testSecrets)
}

// newReceiverOf takes what is sent under the secrets of vars.
func newReceiverOf(t *testing.T, publicURL string, vars map[string]string) *receiver {
	t.Helper()
	env, _, _ := testEnvironment(t, vars)
	r := &receiver{publicURL: publicURL, sources: map[string]providers.Source{}, keys: map[string]bool{}}
	setups, err := env.setups()
	require.NoError(t, err)
	for _, s := range setups {
		if vars[s.Variable] == "" {
			continue
		}
		source, _, err := newSigner(env, s)
		require.NoError(t, err)
		r.sources[s.Name] = source
	}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	source := r.sources[strings.TrimPrefix(q.URL.Path, webhooksPath)]
	d, err := source.Read(&providers.Request{
		Method: q.Method, URL: cmp.Or(r.publicURL, r.URL) + q.URL.RequestURI(), Header: q.Header, Body: body,
	}, time.Now())
	if err != nil {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"title":"Unauthorized","detail":"the signature is not valid"}`)
		return
	}
	e := d.Events[0]
	r.answer(w, source, e, r.outcome(e))
}

func (r *receiver) outcome(e event.Event) event.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	switch {
	case e.Chatty:
		return event.Ignored
	case r.keys[e.Key()]:
		return event.Duplicate
	}
	r.keys[e.Key()] = true
	return event.Accepted
}

func (r *receiver) answer(w http.ResponseWriter, source providers.Source, e event.Event, outcome event.Outcome) {
	w.Header().Set("Hookflow-Event-Id", e.ID)
	w.Header().Set("Hookflow-Outcome", string(outcome))
	if own := source.Answer(&e); own != nil {
		w.Header().Set("Content-Type", own.ContentType)
		_, _ = w.Write(own.Body)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"id": e.ID, "key": e.Key(), "outcome": string(outcome)})
}

func TestSendOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ provider, name, id, key, more string }{
		{"stripe", "checkout.session.completed", "evt_7", "stripe:evt_7", ""},
		{"vapi", "status-update.ended", "call-7", "vapi:call-7:status-update:ended", ""},
		{"vapi", "tool-calls", "call-7", "vapi:call-7:tool-calls:", `answered to vapi: {"results":`},
		{"twilio", "call.completed", "CA0123456789abcdef0123456789abcdef", "twilio:CA0123456789abcdef0123456789abcdef:3", ""},
		{"twilio", "message.received", "SM0123456789abcdef0123456789abcdef", "twilio:SM0123456789abcdef0123456789abcdef", "answered to twilio: <Response/>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, "")
			got := execute(t, newSendCommand, testSecrets, c.provider, c.name, "--id", c.id, "--url", r.URL)
			require.NoError(t, got.err)
			require.Contains(t, got.stdout, "200 accepted in ")
			require.Contains(t, got.stdout, "key  "+c.key)
			require.Contains(t, got.stdout, "id   "+r.events[0].ID)
			require.Contains(t, got.stdout, "hookflow events show "+c.key)
			require.Contains(t, got.stdout, c.more)
		})
	}
}

// What the receiver gets is genuine under the default schemes, for every sample there is.
func TestEverySampleIsTaken(t *testing.T) {
	t.Parallel()
	vars := maps.Clone(testSecrets)
	for _, k := range providers.Kinds() {
		if vars[k.Variable] == "" && k.Weak == "" {
			secret, err := k.MakeSecret(rand.Reader)
			require.NoError(t, err)
			vars[k.Variable] = secret
		}
	}
	r := newReceiverOf(t, "", vars)
	for _, k := range providers.Kinds() {
		for _, name := range samples.ListOf(k) {
			if k.Weak == "" {
				got := execute(t, newSendCommand, vars, k.Name, name, "--url", r.URL)
				require.NoError(t, got.err, "%s %s", k.Name, name)
			}
		}
	}
}

func TestSendMany(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, "")
	got := execute(t, newSendCommand, testSecrets, "stripe", "invoice.paid", "--count", "40", "--url", r.URL)
	require.NoError(t, got.err)
	require.Contains(t, got.stdout, ": 40 accepted, 0 duplicate, 0 ignored, 0 failed\n")

	copies := execute(t, newSendCommand, testSecrets, "vapi", "hang", "--id", "call-1", "--count", "40", "--url", r.URL)
	require.NoError(t, copies.err)
	require.Contains(t, copies.stdout, ": 1 accepted, 39 duplicate, 0 ignored, 0 failed\n")
}

// 6 requests at 50 a second need five gaps of 20 ms.
func TestSendKeepsToTheRate(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, "")
	began := time.Now()
	got := execute(t, newSendCommand, testSecrets, "stripe", "invoice.paid", "--count", "6", "--rate", "50", "--url", r.URL)
	require.NoError(t, got.err)
	require.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond)
}

func TestSendAnIgnoredType(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, "")
	got := execute(t, newSendCommand, testSecrets, "vapi", "conversation-update", "--url", r.URL)
	require.NoError(t, got.err)
	require.Contains(t, got.stdout, "200 ignored")
	require.Contains(t, got.stdout, "nothing was stored")
}

// The server verifies Twilio for HOOKFLOW_PUBLIC_URL, here behind a proxy that strips a prefix.
func TestTwilioIsSignedForThePublicURL(t *testing.T) {
	t.Parallel()
	const public = "https://example.com/hooks"
	r := newReceiver(t, public)
	vars := with(map[string]string{"HOOKFLOW_PUBLIC_URL": public + "/"})
	require.NoError(t, execute(t, newSendCommand, vars, "twilio", "call.ringing", "--url", r.URL+"/").err)

	got := execute(t, newSendCommand, testSecrets, "twilio", "call.ringing", "--url", r.URL)
	require.ErrorContains(t, got.err, "401: the signature is not valid; the server has another TWILIO_AUTH_TOKEN, "+
		"or its HOOKFLOW_PUBLIC_URL is not that of "+r.URL+"/webhooks/twilio")
	require.Equal(t, exitFailed, got.code)
}

func TestSendTakesAFullURL(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, "")
	require.NoError(t, execute(t, newSendCommand, testSecrets, "twilio", "call.ringing", "--url", r.URL+"/webhooks/twilio").err)
	vars := with(map[string]string{"HOOKFLOW_PUBLIC_URL": r.URL})
	require.NoError(t, execute(t, newSendCommand, vars, "twilio", "call.ringing").err)
}

// In dev nothing is set: the secrets are those that dev wrote down.
func TestSendReadsTheSecretsOfDev(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, "")
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, secretsFile), []byte("STRIPE_WEBHOOK_SECRET=whsec_of_the_send_test\n"), 0o600))
	vars := map[string]string{"HOOKFLOW_DATA_DIR": folder}
	require.NoError(t, execute(t, newSendCommand, vars, "stripe", "invoice.paid", "--url", r.URL).err)
}

func TestSendFails(t *testing.T) {
	t.Parallel()
	wrong := with(map[string]string{"STRIPE_WEBHOOK_SECRET": "whsec_a_wrong_one"})
	r := newReceiver(t, "")
	got := execute(t, newSendCommand, wrong, "stripe", "invoice.paid", "--url", r.URL)
	require.ErrorContains(t, got.err, "401: the signature is not valid; the server has another STRIPE_WEBHOOK_SECRET")
	require.Equal(t, "it is late", problemDetail(503, []byte(`{"detail":"it is late."}`)), "what follows is no sentence of its own")
	require.NotContains(t, got.err.Error(), "whsec_")
	require.Equal(t, exitFailed, got.code)

	many := execute(t, newSendCommand, wrong, "stripe", "invoice.paid", "--url", r.URL, "--count", "3")
	require.ErrorContains(t, many.err, "3 of 3 failed, the first: 401")
	require.Contains(t, many.stdout, "0 accepted, 0 duplicate, 0 ignored, 3 failed")
	require.Equal(t, exitFailed, many.code)
}

func TestSendToNobody(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	got := execute(t, newSendCommand, testSecrets, "stripe", "invoice.paid", "--url", "http://"+address)
	require.EqualError(t, got.err, "nothing listens on "+address+"; start it with make dev")
	require.Equal(t, exitFailed, got.code)
}

func TestSendToSomethingElse(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(other.Close)
	got := execute(t, newSendCommand, testSecrets, "stripe", "invoice.paid", "--url", other.URL)
	require.ErrorContains(t, got.err, "without an outcome; is it hookflow?")
	require.Equal(t, exitFailed, got.code)
}

func TestSendLists(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--list"}, {"--list", "stripe"}, {"stripe"}} {
		got := execute(t, newSendCommand, nil, args...)
		require.NoError(t, got.err)
		require.Contains(t, got.stdout, "hookflow send stripe checkout.session.completed\n")
		require.Equal(t, len(args) == 0 || len(args) == 1 && args[0] == "--list", strings.Contains(got.stdout, "vapi"))
	}
}

func TestSendRefusesAnIDThatTwilioCannotHaveMade(t *testing.T) {
	t.Parallel()
	got := execute(t, newSendCommand, testSecrets, "twilio", "call.ringing", "--id", "CA1")
	require.ErrorContains(t, got.err, "the id of call.ringing is CA and 32 hexadecimal digits")
	require.Equal(t, exitUsage, got.code)
}
