package delivery

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/providers"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

func secretOf(b byte) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(b), 32)))
}

func signer(t *testing.T, secrets ...string) *Signer {
	t.Helper()
	s, err := NewSigner(secrets)
	require.NoError(t, err)
	return s
}

func sample() *event.Event {
	e := &event.Event{
		Provider: "stripe", EventID: "evt_1", Type: "thing.happened", ContentType: "application/json; charset=utf-8",
		ReceivedAt: noon, Step: "billing", Body: []byte("{\"a\": 1.0,\n \"b\":\"<\\u0000>\"}"),
	}
	e.ID = event.ID(e.Key())
	return e
}

// receiver keeps the requests that reach it.
type receiver struct {
	*httptest.Server
	requests chan received
}

type received struct {
	*http.Request
	body []byte
}

func receive(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{requests: make(chan received, 10)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.requests <- received{q, body}
		answer(w, q)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) message(t *testing.T) Message {
	return Message{Event: sample(), Attempt: 3, URL: r.URL + "/in?token=canary", Signer: signer(t, secretOf('a')), Reach: Reach{Allowed: Allowed{Private: true}}}
}

func fine(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "thanks") }

func TestPost(t *testing.T) {
	t.Parallel()
	r := receive(t, fine)
	m := r.message(t)
	m.Headers = map[string]string{"X-Team": "payments", "user-agent": "ours"}
	m.Event.BodyMasked = true
	got, err := New(clock, nil).Post(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, Response{Status: 200, Head: "thanks", Body: []byte("thanks"), ContentType: "text/plain; charset=utf-8"}, got)
	require.True(t, got.OK())
	q := <-r.requests
	require.Equal(t, http.MethodPost, q.Method)
	require.Equal(t, "/in?token=canary", q.RequestURI)
	require.Equal(t, m.Event.Body, q.body, "byte for byte")
	for name, want := range map[string]string{
		"Content-Type": m.Event.ContentType, "X-Team": "payments", "User-Agent": "ours", "Idempotency-Key": "stripe:evt_1/billing",
		"Hookflow-Event-Id": m.Event.ID, "Hookflow-Event-Type": "thing.happened", "Hookflow-Provider": "stripe",
		"Hookflow-Attempt": "3", "Hookflow-Body-Masked": "true", "Webhook-Timestamp": "1767268800", "Accept-Encoding": "",
	} {
		require.Equal(t, want, q.Header.Get(name), name)
	}
	m.Event.BodyMasked, m.Headers = false, nil
	_, err = New(clock, nil).Post(t.Context(), m)
	require.NoError(t, err)
	q = <-r.requests
	require.Empty(t, q.Header.Get("Hookflow-Body-Masked"))
	require.Equal(t, "hookflow", q.UserAgent())
}

func verifier(t *testing.T, secret string) *providers.Declared {
	t.Helper()
	p, err := providers.NewDeclared("standard", *providers.KindOf("standard").Declaration, providers.Settings{Secrets: []string{secret}})
	require.NoError(t, err)
	return p
}

// The verifier of incoming Standard Webhooks is another implementation of the same page.
func TestPost_signature(t *testing.T) {
	t.Parallel()
	r := receive(t, fine)
	m := r.message(t)
	m.Signer = signer(t, secretOf('n'), secretOf('o'))
	_, err := New(clock, nil).Post(t.Context(), m)
	require.NoError(t, err)
	q := <-r.requests
	request := &providers.Request{Header: q.Header, Body: q.body}
	verify := func(secret string) error { return verifier(t, secret).Verify(request, noon) }
	require.NoError(t, verify(secretOf('n')), "the new secret")
	require.NoError(t, verify(secretOf('o')), "and the old one, while it is rotated")
	require.Error(t, verify(secretOf('x')))
	request.Body = append(request.Body, ' ')
	require.Error(t, verify(secretOf('n')), "the body is signed")
}

func TestPost_ed25519(t *testing.T) {
	t.Parallel()
	r := receive(t, fine)
	m := r.message(t)
	seed := []byte(strings.Repeat("k", 32))
	m.Signer = signer(t, "whsk_"+base64.StdEncoding.EncodeToString(seed))
	_, err := New(clock, nil).Post(t.Context(), m)
	require.NoError(t, err)
	q := <-r.requests
	require.NoError(t, verifier(t, "whpk_"+publicOf(seed)).Verify(&providers.Request{Header: q.Header, Body: q.body}, noon))
}

func TestMessageID(t *testing.T) {
	t.Parallel()
	e := sample()
	first := MessageID(e)
	require.Regexp(t, `^msg_[0-9a-f]{32}$`, first)
	e.Generation, e.Body = 4, nil
	require.Equal(t, first, MessageID(e), "a replay of a failed step is the same delivery")
	e.Step = "archive"
	require.NotEqual(t, first, MessageID(e), "each receiver has its own")
	e.Step, e.Epoch = "billing", 1
	require.NotEqual(t, first, MessageID(e), "and so has a replay that repeats what was done")
}

func TestNewSigner_refuses(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][]string{
		nil, {""}, {"canary"}, {"whsec_"}, {"whsec_canary!"}, {"whsec_" + base64.StdEncoding.EncodeToString([]byte("canarycanary"))},
		{"whsk_" + base64.StdEncoding.EncodeToString([]byte("canarycanary"))}, {secretOf('a'), "canary"},
		{secretOf('a'), secretOf('a'), secretOf('a'), secretOf('a'), secretOf('a'), secretOf('a')},
	} {
		_, err := NewSigner(secrets)
		require.Error(t, err, secrets)
		require.NotContains(t, err.Error(), "canary")
	}
}

func TestPost_answers(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	t.Cleanup(elsewhere.Close)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   Response
	}{
		"redirect": {func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, elsewhere.URL, http.StatusTemporaryRedirect)
		}, Response{Status: 307}},
		"no content":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, Response{Status: 204}},
		"not UTF-8":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a\xff\x00b")) }, Response{Status: 200, Head: "a\uFFFD\uFFFDb"}},
		"asks to wait": {busy(503, "7"), Response{Status: 503, RetryAfter: 7 * time.Second}},
		"too many":     {busy(429, "Thu, 01 Jan 2026 12:00:30 GMT"), Response{Status: 429, RetryAfter: 30 * time.Second}},
		"500 may not":  {busy(500, "7"), Response{Status: 500}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := New(clock, nil).Post(t.Context(), receive(t, c.answer).message(t))
			require.NoError(t, err)
			require.False(t, got.Cut)
			got.Body, got.ContentType = nil, "" // TestPost looks at these
			require.Equal(t, c.want, got)
		})
	}
	t.Cleanup(func() { require.False(t, followed.Load(), "a redirect was followed") })
}

func busy(status int, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		w.WriteHeader(status)
	}
}

// A receiver that never stops talking costs a bounded amount of memory and time.
func TestPost_endlessAnswer(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	r := receive(t, func(w http.ResponseWriter, q *http.Request) {
		for q.Context().Err() == nil {
			n, err := io.WriteString(w, strings.Repeat("é", 512))
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	got, err := New(clock, nil).Post(t.Context(), r.message(t))
	require.NoError(t, err)
	require.LessOrEqual(t, len(got.Head), maxHead)
	require.Equal(t, strings.Repeat("é", 512), got.Head)
	require.Less(t, sent.Load(), int64(32<<20))
}

// silent accepts connections and never says a word.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return "http://" + l.Addr().String()
}

func TestPost_failures(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.HandlerFunc(fine))
	gone.Close()
	garbage := hijacked(t, "canary garbage\r\n\r\n")
	cut := hijacked(t, "")
	tls := httptest.NewTLSServer(http.HandlerFunc(fine))
	t.Cleanup(tls.Close)
	for name, c := range map[string]struct{ url, errType, words string }{
		"refused":       {gone.URL, ConnectFailed, "cannot be reached: connection refused"},
		"no such name":  {"http://no-such-host.invalid", ConnectFailed, "no-such-host.invalid "},
		"silent":        {silent(t), Timeout, "did not answer within 300ms"},
		"garbage":       {garbage, ConnectFailed, "broke before it answered"},
		"cut":           {cut, ConnectFailed, "broke before it answered"},
		"not trusted":   {tls.URL, ConnectFailed, "the certificate of 127.0.0.1"},
		"unspecified":   {"http://0.0.0.0:1", AddressRefused, "is at the address 0.0.0.0, which is not on the internet"},
		"not a URL":     {"http://[", "InvalidURL", "cannot be read"},
		"a URL of 6in4": {"http://[2002:7f00:1::]:1", AddressRefused, "not on the internet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := Message{Event: sample(), URL: c.url + "/canary?token=canary", Reach: Reach{Allowed: Allowed{Private: true}}}
			if name == "silent" {
				m.Timeout = 300 * time.Millisecond
			}
			_, err := New(clock, nil).Post(t.Context(), m)
			var failure *Failure
			require.ErrorAs(t, err, &failure)
			if name != "no such name" || failure.Type != Timeout { // a resolver may be away
				require.Equal(t, c.errType, failure.Type, failure.Message)
			}
			require.Contains(t, failure.Message, c.words)
			require.NotContains(t, failure.Message, "canary")
		})
	}
}

// hijacked answers with text and closes.
func hijacked(t *testing.T, text string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		buffered := bufio.NewWriter(conn)
		_, _ = buffered.WriteString(text)
		_ = buffered.Flush()
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestPost_stopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := receive(t, func(_ http.ResponseWriter, q *http.Request) { cancel(); <-q.Context().Done() })
	_, err := New(clock, nil).Post(ctx, r.message(t))
	var failure *Failure
	require.True(t, errors.As(err, &failure))
	require.Equal(t, "Stopped", failure.Type, "which says nothing of the receiver")
}

// A proxy of the environment would make the connection in our place, past the check of addresses.
func TestPost_noProxy(t *testing.T) {
	t.Parallel()
	c := New(clock, nil)
	for _, open := range []Allowed{{}, {Private: true}} {
		client, err := c.client(Reach{Allowed: open})
		require.NoError(t, err)
		proxy, err := client.Transport.(*http.Transport).Proxy(httptest.NewRequest("POST", "http://a.example.com", nil))
		require.NoError(t, err)
		require.Nil(t, proxy)
	}
}

// A receiver that dies with the request in its hands got one delivery, however many connections to it are kept.
func TestPost_onceOverBrokenConnections(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]byte{"with a body": []byte(`{"a":1}`), "without": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dying atomic.Bool
			var deliveries atomic.Int32
			together := make(chan struct{})
			var waiting atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
				_, _ = io.ReadAll(q.Body)
				if !dying.Load() {
					if waiting.Add(1) == 8 {
						close(together)
					}
					<-together // so that eight connections are kept
					return
				}
				deliveries.Add(1)
				panic(http.ErrAbortHandler)
			}))
			t.Cleanup(s.Close)
			c := New(clock, nil)
			m := Message{Event: sample(), Attempt: 1, URL: s.URL, Reach: Reach{Allowed: Allowed{Private: true}}, Headers: map[string]string{"X-Idempotency-Key": "ours"}}
			m.Event.Body = body
			var warm sync.WaitGroup
			for range 8 {
				warm.Go(func() {
					_, err := c.Post(t.Context(), m)
					assert.NoError(t, err)
				})
			}
			warm.Wait()
			dying.Store(true)
			_, err := c.Post(t.Context(), m)
			var failure *Failure
			require.ErrorAs(t, err, &failure)
			require.EqualValues(t, 1, deliveries.Load())
		})
	}
}

// What is too much of an answer says nothing against the receiver.
func TestPost_longHeaders(t *testing.T) {
	t.Parallel()
	r := receive(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 20 {
			w.Header().Set(fmt.Sprintf("X-Long-%d", i), strings.Repeat("x", 1<<10))
		}
	})
	got, err := New(clock, nil).Post(t.Context(), r.message(t))
	require.NoError(t, err)
	require.True(t, got.OK())
}

// What stands in the way is told apart, in words of our own.
func TestPost_causes(t *testing.T) {
	t.Parallel()
	plain := receive(t, fine)
	old := httptest.NewUnstartedServer(http.HandlerFunc(fine))
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	t.Cleanup(old.Close)
	demanding := httptest.NewUnstartedServer(http.HandlerFunc(fine))
	demanding.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	demanding.StartTLS()
	t.Cleanup(demanding.Close)
	raw := func(answer string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, answer)
				_ = c.Close()
			}
		}()
		return l.Addr().String()
	}
	for url, want := range map[string]string{
		"https://" + strings.TrimPrefix(plain.URL, "http://"): "does not speak TLS: it answers plain HTTP",
		old.URL:                           "TLS",
		"http://" + raw("SSH-2.0-x\r\n"):  "it does not speak HTTP",
		"https://" + raw("SSH-2.0-x\r\n"): "does not speak TLS",
		"http://" + raw(""):               "broke before it answered",
		"http://127.0.0.1:1":              "connection refused",
		"https://nowhere.invalid":         "does not resolve",
	} {
		m := plain.message(t)
		m.URL = url
		_, err := New(clock, nil).Post(t.Context(), m)
		var failure *Failure
		require.ErrorAs(t, err, &failure, url)
		require.Contains(t, failure.Message, want, url)
	}
	m := plain.message(t)
	m.URL = demanding.URL
	trusting := New(clock, func(t http.RoundTripper) http.RoundTripper {
		t.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
		return t
	})
	_, err := trusting.Post(t.Context(), m)
	var failure *Failure
	require.ErrorAs(t, err, &failure)
	require.Contains(t, failure.Message, "certificate", failure.Message)
}
