package testkit

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// Proxy stands between hookflow and a server, and misbehaves on demand.
type Proxy struct {
	t     testing.TB
	proxy *toxiproxy.Proxy
}

// NewProxy returns a proxy to upstream (host:port), taken down when the test ends.
func NewProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := &Proxy{t: t, proxy: toxiproxy.NewProxy(server, "fault", "127.0.0.1:0", upstream)}
	require.NoError(t, p.proxy.Start())
	t.Cleanup(p.proxy.Stop)
	return p
}

// DatabaseProxy returns a proxy to the Postgres of a URL, and the URL that leads through it.
func DatabaseProxy(t testing.TB, database string) (*Proxy, string) {
	t.Helper()
	u, err := url.Parse(database)
	require.NoError(t, err)
	p := NewProxy(t, u.Host)
	u.Host = p.Address()
	return p, u.String()
}

// Address is where the proxy listens.
func (p *Proxy) Address() string { return p.proxy.Listen }

// Refuse closes every connection and refuses new ones.
func (p *Proxy) Refuse() { p.proxy.Stop() }

// Silence lets requests through and drops every response, so that nobody knows what became of a request.
func (p *Proxy) Silence() {
	p.t.Helper()
	p.misbehave("silence", "timeout", `{"timeout":0}`)
}

// CutResponses loses responses: each piece of one that arrives is, with the probability p, dropped together with its
// connection. The requests were carried out, and who made them is told that they were not.
func (p *Proxy) CutResponses(probability float64, seed uint64) {
	p.t.Helper()
	p.misbehave("cut", "cut_responses", fmt.Sprintf(`{"probability":%g,"seed":%d}`, probability, seed))
}

// Delay holds back what comes from the server by some time, more or less jitter.
func (p *Proxy) Delay(by, jitter time.Duration) {
	p.t.Helper()
	p.misbehave("delay", "latency", fmt.Sprintf(`{"latency":%d,"jitter":%d}`, by.Milliseconds(), jitter.Milliseconds()))
}

// misbehave adds a toxic to what comes from the server.
func (p *Proxy) misbehave(name, kind, attributes string) {
	p.t.Helper()
	_, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(
		fmt.Sprintf(`{"name":%q,"type":%q,"stream":"downstream","toxicity":1,"attributes":%s}`, name, kind, attributes)))
	require.NoError(p.t, err)
}

// Heal ends every misbehaviour.
func (p *Proxy) Heal() {
	p.t.Helper()
	p.proxy.Toxics.ResetToxics(p.t.Context())
	if !p.proxy.Enabled {
		require.NoError(p.t, p.proxy.Start())
	}
}
