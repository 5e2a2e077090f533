package delivery

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http/httpguts"
)

func publicOf(seed []byte) string {
	return base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	const (
		open  = "open"
		named = "only by name"
		never = "never"
	)
	for address, want := range map[string]string{
		"1.1.1.1": open, "172.32.0.1": open, "2606:4700::1111": open, "::ffff:1.1.1.1": open, "64:ff9b::101:101": open,
		"127.0.0.1": named, "127.1.2.3": named, "10.0.0.1": named, "172.16.0.1": named, "172.31.255.255": named, "192.168.1.1": named,
		"100.64.0.1": named, "::1": named, "fd00::1": named, "fc00::1": named, "::ffff:127.0.0.1": named, "::ffff:10.0.0.1": named,
		"64:ff9b::7f00:1": named, "64:ff9b::a00:1": named,
		"0.0.0.0": never, "0.1.2.3": never, "169.254.169.254": never, "::ffff:169.254.169.254": never, "64:ff9b::a9fe:a9fe": never,
		"192.0.0.1": never, "192.0.2.1": never, "192.88.99.1": never, "198.18.0.1": never, "198.19.255.255": never,
		"198.51.100.1": never, "203.0.113.1": never, "224.0.0.1": never, "239.1.1.1": never, "240.0.0.1": never, "255.255.255.255": never,
		"::": never, "::7f00:1": never, "fe80::1": never, "fe80::1%eth0": never, "fec0::1": never, "ff02::1": never, "100::1": never,
		"64:ff9b:1::1": never, "2001::1": never, "2001:db8::1": never, "2002:7f00:1::": never, "3fff::1": never, "5f00::1": never,
	} {
		at := netip.MustParseAddr(address)
		require.Equal(t, want == open, allowed(at, Allowed{}), address)
		require.Equal(t, want != never, allowed(at, Allowed{Private: true}), address)
		// The address that a name resolved to is what is looked at.
		port := netip.AddrPortFrom(at, 443).String()
		require.Equal(t, want == open, control(Allowed{})("tcp", port, nil) == nil, port)
	}
	require.False(t, allowed(netip.Addr{}, Allowed{Private: true}))
	require.Error(t, control(Allowed{Private: true})("tcp", "a name:443", nil), "only addresses are dialled")
}

// What a list of networks opens, and what nothing does: where clouds keep the credentials of a machine.
func TestAllowedNetworks(t *testing.T) {
	t.Parallel()
	mesh := Allowed{Networks: prefixes("240.0.0.0/4", "198.18.0.0/15", "10.1.0.0/16")}
	for address, want := range map[string]bool{
		"240.240.0.1": true, "198.18.0.7": true, "10.1.2.3": true, "::ffff:10.1.2.3": true, "64:ff9b::a01:203": true,
		"10.2.0.1": false, "127.0.0.1": false, "203.0.113.1": false, "93.184.216.34": true,
	} {
		require.Equal(t, want, allowed(netip.MustParseAddr(address), mesh), address)
	}
	everything := Allowed{Private: true, Networks: prefixes("0.0.0.0/0", "::/0")}
	for _, address := range []string{
		"169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23",
		"fd20:ce::254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255",
		"::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "::ffff:168.63.129.16", "64:ff9b::6464:64c8", "2002:a9fe:a9fe::1",
	} {
		require.False(t, allowed(netip.MustParseAddr(address), everything), address)
		require.False(t, allowed(netip.MustParseAddr(address), Allowed{Private: true}), address)
	}
}

func TestCheckHost(t *testing.T) {
	t.Parallel()
	require.Empty(t, CheckHost("billing.example.com", Allowed{}), "only its address tells")
	require.Empty(t, CheckHost("localhost", Allowed{Private: true}))
	for _, host := range []string{"localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "[::1]", "::1", "10.0.0.1"} {
		require.Contains(t, CheckHost(host, Allowed{}), "allow_private: true", host)
	}
	require.Contains(t, CheckHost("169.254.169.254", Allowed{Private: true}), "is not on the internet and stays closed")
}

// A name that resolves to this machine is refused where it connects, whatever it is called.
func TestPost_privateByName(t *testing.T) {
	t.Parallel()
	r := receive(t, fine)
	m := r.message(t)
	m.Reach.Allowed = Allowed{}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		m.URL = strings.Replace(r.URL, "127.0.0.1", host, 1)
		_, err := New(clock, nil).Post(t.Context(), m)
		var failure *Failure
		require.ErrorAs(t, err, &failure, host)
		require.Equal(t, AddressRefused, failure.Type, failure.Message)
		require.Contains(t, failure.Message, "allow_private: true")
	}
	require.Empty(t, r.requests)
}

func TestCheckHeader(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"X-Team": "payments", "Authorization": "Bearer x", "cookie": "a=b", "User-Agent": "x"} {
		require.Empty(t, CheckHeader(name, value), name)
	}
	for _, name := range []string{
		"", "a b", "a:b", "Connection", "connection", "Keep-Alive", "Proxy-Authorization", "TE", "Trailer", "transfer-encoding", "Upgrade",
		"Host", "Content-Length", "Content-Type", "Expect", "webhook-id", "Webhook-Signature", "svix-id", "Hookflow-Attempt", "idempotency-key",
	} {
		require.NotEmpty(t, CheckHeader(name, "x"), name)
	}
	what := CheckHeader("X-Team", "canary\r\nHost: evil")
	require.NotEmpty(t, what)
	require.NotContains(t, what, "canary")
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "1": time.Second, " 120 ": 2 * time.Minute, "3600": time.Hour, "3601": time.Hour,
		"99999999999999999999999": time.Hour, "-1": 0, "+1": 0, "1.5": 0, "soon": 0, "0x10": 0,
		"Thu, 01 Jan 2026 12:00:10 GMT":    10 * time.Second,
		"Thursday, 01-Jan-26 12:00:10 GMT": 10 * time.Second, // RFC 850
		"Thu Jan  1 12:00:10 2026":         10 * time.Second, // asctime
		"Thu, 01 Jan 2026 11:00:00 GMT":    0,
		"Fri, 02 Jan 2026 12:00:00 GMT":    time.Hour,
	} {
		require.Equal(t, want, RetryAfter(text, noon), text)
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Thu, 01 Jan 2026 12:00:10 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		d := RetryAfter(text, noon)
		require.True(t, d >= 0 && d <= MaxRetryAfter, "%q: %v", text, d)
	})
}

// Whatever a sender calls its events, the headers about them are headers.
func FuzzHeaderText(f *testing.F) {
	f.Add("thing.happened")
	f.Add("a\r\nHost: evil\x00é%41")
	f.Fuzz(func(t *testing.T, text string) {
		got := headerText(text)
		require.True(t, httpguts.ValidHeaderFieldValue(got), "%q", got)
		require.NotContains(t, got, "\r\n")
	})
}

func decoded(t *testing.T, e *event.Event) map[string]any {
	t.Helper()
	var got map[string]any
	require.NoError(t, json.Unmarshal(envelope(e), &got))
	return got
}

// The rules of CloudEvents 1.0.2: spec.md (attributes) and json-format.md (data).
func TestEnvelope(t *testing.T) {
	t.Parallel()
	e := sample()
	live := true
	e.Livemode, e.Account = &live, "acct_1"
	require.Equal(t, map[string]any{
		"specversion": "1.0", "id": e.ID, "source": "/webhooks/stripe", "type": "thing.happened", "time": "2026-01-01T12:00:00Z",
		"datacontenttype": "application/json; charset=utf-8", "provider": "stripe", "eventid": "evt_1", "account": "acct_1", "livemode": true,
		"data": map[string]any{"a": 1.0, "b": "<\x00>"},
	}, decoded(t, e))
	require.Contains(t, string(envelope(e)), string(e.Body), "JSON stays as it was written, numbers and spaces included")
	e.OccurredAt = noon.Add(-time.Hour).In(time.FixedZone("", 3600))
	require.Equal(t, "2026-01-01T11:00:00Z", decoded(t, e)["time"])
	e.BodyMasked = true
	require.Equal(t, true, decoded(t, e)["bodymasked"])
}

func TestEnvelope_bodiesThatAreNotJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ contentType, body string }{
		"form":              {"application/x-www-form-urlencoded", "a=b&a=c"},
		"JSON in name only": {"application/json", `{"a":`},
		"not UTF-8":         {"application/json", "{\"a\":\"\xff\"}"},
		"nothing":           {"application/json", ""},
		"JSON as text":      {"text/plain", `{"a":1}`},
	} {
		e := sample()
		e.ContentType, e.Body = c.contentType, []byte(c.body)
		got := decoded(t, e)
		require.NotContains(t, got, "data", name)
		body, err := base64.StdEncoding.DecodeString(got["data_base64"].(string))
		require.NoError(t, err)
		require.Equal(t, c.body, string(body), name)
	}
	e := sample()
	e.Body = nil
	require.Equal(t, "", decoded(t, e)["data_base64"])
	e.ContentType, e.Body = "application/scim+json", []byte("[1]")
	require.Equal(t, []any{1.0}, decoded(t, e)["data"])
}

func FuzzEnvelope(f *testing.F) {
	f.Add("a.b", "application/json", []byte(`{"a":1}`))
	f.Add("a\x00\ufdd0", "text/plain", []byte("\xff"))
	f.Fuzz(func(t *testing.T, eventType, contentType string, body []byte) {
		e := sample()
		e.Type, e.ContentType, e.Body = eventType, contentType, body
		got := decoded(t, e)
		_, isData := got["data"]
		_, isBase64 := got["data_base64"]
		require.True(t, isData != isBase64, "one of the two")
		for _, r := range got["type"].(string) {
			require.False(t, r < 0x20 || r >= 0x7f && r <= 0x9f || r&0xfffe == 0xfffe, "%q", got["type"])
		}
	})
}
