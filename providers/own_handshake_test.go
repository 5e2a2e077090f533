package providers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDiscordGreet(t *testing.T) {
	t.Parallel()
	c := ownCases(t)["discord"]
	d := c.read(t, c.sign(`{"id":"1","application_id":"2","type":1,"version":1}`))
	require.Equal(t, `{"type":1}`, string(d.Greeting.Body))
	require.Equal(t, jsonType, d.Greeting.ContentType)
	d = c.read(t, c.sign(`{"version":1,"application_id":"2","type":0}`))
	require.Equal(t, http.StatusNoContent, d.Greeting.Status)
	require.Empty(t, d.Events)
	r := c.sign(`{"id":"1","type":1}`)
	r.Header.Set("X-Signature-Ed25519", strings.Repeat("00", 64))
	_, err := Source{Name: "discord", Provider: c.signer}.Read(r, testNow)
	requireRefused(t, ReasonMismatch, err)
}

func TestMandrillHandshake(t *testing.T) {
	t.Parallel()
	c := ownCases(t)["mandrill"]
	g, err := c.signer.(Prober).Probe(&Request{Method: http.MethodHead})
	require.NoError(t, err)
	require.NotNil(t, g)
	g, err = c.signer.(Prober).Probe(&Request{Method: http.MethodPost})
	require.NoError(t, err)
	require.Nil(t, g)
	test, err := NewMandrill([]string{mandrillTestKey})
	require.NoError(t, err)
	r := &Request{Method: http.MethodPost, URL: "https://hooks.example.com/webhooks/mandrill", Body: []byte("mandrill_events=%5B%5D")}
	test.Sign(r, testNow)
	d, err := Source{Name: "mandrill", Provider: c.signer}.Read(r, testNow)
	require.NoError(t, err)
	require.True(t, d.Batch)
	require.Empty(t, d.Events)
	r.Body = []byte(mandrillBody)
	test.Sign(r, testNow)
	requireRefused(t, ReasonMismatch, c.signer.Verify(r, testNow))
}

func TestGraphProbe(t *testing.T) {
	t.Parallel()
	p := ownCases(t)["msgraph"].signer.(Prober)
	probe := func(method, query string) (*Greeting, error) {
		return p.Probe(&Request{Method: method, URL: "https://hooks.example.com/webhooks/msgraph" + query, Header: http.Header{}})
	}
	g, err := probe("POST", "?validationToken=Validation%3A+a%26b")
	require.NoError(t, err)
	require.Equal(t, "Validation: a&b", string(g.Body))
	require.Equal(t, "text/plain; charset=utf-8", g.ContentType)
	for _, query := range []string{"", "?x=1"} {
		g, err = probe("POST", query)
		require.NoError(t, err)
		require.Nil(t, g)
	}
	g, err = probe("GET", "?validationToken=a")
	require.NoError(t, err)
	require.Nil(t, g)
	for _, query := range []string{"?validationToken=", "?validationToken=a&validationToken=b", "?validationToken=%zz", "?validationToken=" + strings.Repeat("a", maxEcho+1)} {
		_, err = probe("POST", query)
		requireNoEvent(t, err)
	}
}

func TestXProbe(t *testing.T) {
	t.Parallel()
	c := ownCases(t)["x"]
	probe := func(query string) (*Greeting, error) {
		return c.signer.(Prober).Probe(&Request{Method: http.MethodGet, URL: "https://hooks.example.com/webhooks/x" + query})
	}
	g, err := probe("?crc_token=abc-123&nonce=1")
	require.NoError(t, err)
	mac := hmac.New(sha256.New, []byte(testSecret))
	mac.Write([]byte("abc-123"))
	var answer map[string]string
	require.NoError(t, json.Unmarshal(g.Body, &answer))
	require.Equal(t, map[string]string{"response_token": "sha256=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))}, answer)
	for _, query := range []string{"", "?crc_token=", "?crc_token=a&crc_token=b", "?crc_token=%7B%22for_user_id%22%3A1%7D", "?crc_token=" + strings.Repeat("a", maxCRC+1)} {
		_, err := probe(query)
		requireNoEvent(t, err)
	}
	g, err = c.signer.(Prober).Probe(&Request{Method: http.MethodPost, URL: "https://hooks.example.com/webhooks/x?crc_token=a"})
	require.NoError(t, err)
	require.Nil(t, g)
}

func TestAsanaPairing(t *testing.T) {
	t.Parallel()
	shake := func(secrets []string, values ...string) (*Greeting, error) {
		a, err := NewAsana(secrets)
		require.NoError(t, err)
		return a.Probe(&Request{Method: http.MethodPost, Header: http.Header{asanaSecret: values}})
	}
	for _, secrets := range [][]string{{asanaPairing}, {testSecret, asanaPairing}} {
		g, err := shake(secrets, "b537207f20cbfa02357cf448134da559")
		require.NoError(t, err)
		require.Equal(t, map[string]string{asanaSecret: "b537207f20cbfa02357cf448134da559"}, g.Header)
		for _, values := range [][]string{{""}, {"a", "b"}, {"short"}, {"with a space"}, {strings.Repeat("a", 257)}, {"line\r\nX-Other: 1"}} {
			_, err = shake(secrets, values...)
			requireNoEvent(t, err)
		}
		g, err = shake(secrets)
		require.NoError(t, err)
		require.Nil(t, g)
	}
	_, err := shake([]string{testSecret}, "b537207f20cbfa02357cf448134da559")
	requireRefused(t, ReasonPairing, err)

	only, err := NewAsana([]string{asanaPairing})
	require.NoError(t, err)
	c := ownCases(t)["asana"]
	requireRefused(t, ReasonPairing, only.Verify(c.sign(asanaBody), testNow))
	d := c.read(t, c.sign(`{"events":[]}`))
	require.True(t, d.Batch, "the heartbeat")
	require.Empty(t, d.Events)
	word, err := NewAsana([]string{asanaPairing, testSecret})
	require.NoError(t, err)
	mac := hmac.New(sha256.New, []byte(asanaPairing))
	mac.Write([]byte(asanaBody))
	r := &Request{Body: []byte(asanaBody), Header: http.Header{asanaSignature: {hex.EncodeToString(mac.Sum(nil))}}}
	requireRefused(t, ReasonMismatch, word.Verify(r, testNow))
}
