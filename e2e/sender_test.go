package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/providers"
	"hookflow/samples"

	"github.com/stretchr/testify/require"
)

// delivery is a signed webhook, ready to be posted any number of times.
type delivery struct {
	provider, path string
	header         http.Header
	body           []byte
	event          event.Event // as the server will read it
}

func (d *delivery) key() string { return d.event.Key() }

// provider returns one of the three, with the secret that the installation shares with it.
func (in *installation) provider(name string) providers.Signer {
	in.t.Helper()
	var p providers.Signer
	var err error
	switch name {
	case "stripe":
		p, err = providers.NewStripe([]string{in.env["STRIPE_WEBHOOK_SECRET"]})
	case "twilio":
		p, err = providers.NewTwilio(providers.TwilioConfig{Tokens: []string{in.env["TWILIO_AUTH_TOKEN"]}})
	case "vapi":
		p, err = providers.NewVapi(providers.VapiConfig{Secrets: []string{in.env["VAPI_WEBHOOK_SECRET"]}, Schemes: []string{"hmac"}})
	}
	require.NoError(in.t, err)
	return p
}

// sign makes a delivery of a request as its provider would.
func (in *installation) sign(name string, r *providers.Request) *delivery {
	in.t.Helper()
	p, now := in.provider(name), time.Now()
	r.Method, r.URL = http.MethodPost, publicURL+"/webhooks/"+name
	p.Sign(r, now)
	read, err := providers.Source{Name: name, Provider: p}.Read(r, now)
	require.NoError(in.t, err)
	return &delivery{provider: name, path: strings.TrimPrefix(r.URL, publicURL), header: r.Header, body: r.Body, event: read.Events[0]}
}

// sample makes a delivery of a sample with a fresh id.
func (in *installation) sample(provider, name string) *delivery {
	in.t.Helper()
	r, err := samples.Build(provider, name, samples.Options{Now: time.Now(), Random: rand.Reader})
	require.NoError(in.t, err)
	return in.sign(provider, r)
}

// checkout is the event that most tests send: its handler writes one row of stripe_checkout_sessions.
func (in *installation) checkout() *delivery {
	in.t.Helper()
	return in.sample("stripe", "checkout.session.completed")
}

// reply is the answer to a request.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// receipt is the body of the contract.
type receipt struct{ ID, Key, Outcome string }

func (r *reply) receipt(t *testing.T) receipt {
	t.Helper()
	var got receipt
	require.NoError(t, json.Unmarshal(r.body, &got), "%s", r.body)
	return got
}

func (r *reply) outcome() string { return r.header.Get("Hookflow-Outcome") }

// internet is the senders' side of the network.
var internet = &http.Client{
	Timeout:       30 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 5 * time.Second},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// try posts a delivery to a server; the error is that of a connection.
func (d *delivery) try(ctx context.Context, webhooks string) (*reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, webhooks+d.path, bytes.NewReader(d.body))
	if err != nil {
		return nil, err
	}
	r.Header = d.header.Clone()
	return exchange(r)
}

func exchange(r *http.Request) (*reply, error) {
	answer, err := internet.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return &reply{answer.StatusCode, answer.Header, body}, err
}

// post delivers d and returns the answer, whatever it is.
func (s *server) post(d *delivery) *reply {
	s.t.Helper()
	got, err := d.try(s.t.Context(), s.webhooks)
	require.NoError(s.t, err)
	return got
}

// accept delivers d, which is new. Where the machine is too busy to take it in time, it comes again, as providers do, and
// may then be known.
func (s *server) accept(d *delivery) {
	s.t.Helper()
	news := []string{"accepted"}
	got := s.post(d)
	for got.status == http.StatusServiceUnavailable && s.t.Context().Err() == nil {
		news = []string{"accepted", "duplicate"}
		<-time.After(retryPause)
		got = s.post(d)
	}
	require.Equal(s.t, http.StatusOK, got.status, "%s", got.body)
	require.Contains(s.t, news, got.outcome())
}

// acceptNew delivers a fresh checkout and returns its key.
func (s *server) acceptNew() string {
	s.t.Helper()
	d := s.checkout()
	s.accept(d)
	return d.key()
}

// unsigned is a request to d's address with another body, for a provider to sign.
func unsigned(d *delivery, body []byte) *providers.Request {
	return &providers.Request{
		Method: http.MethodPost, URL: publicURL + "/webhooks/" + d.provider, Body: body,
		Header: http.Header{"Content-Type": d.header["Content-Type"]},
	}
}
