package api

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hookflow/providers"
)

// senderDoor is a door for one sender that hookflow knows, with a key that can sign.
func senderDoor(t *testing.T, name string, secrets ...string) (*door, providers.Source) {
	t.Helper()
	source, err := providers.KindOf(name).New(name, providers.Settings{Secrets: secrets, Fetch: providers.Fetch{Client: &http.Client{Transport: away{}}}, MinSecret: 1})
	require.NoError(t, err)
	return newDoor(t, func(o *Options) { o.Sources[name] = source }), source
}

// post signs a body as the source's sender does, and serves it.
func post(t *testing.T, d *door, s providers.Source, media, body string) *httptest.ResponseRecorder {
	t.Helper()
	signed := &providers.Request{Method: http.MethodPost, URL: testURL + "/webhooks/" + s.Name, Header: http.Header{"Content-Type": {media}}, Body: []byte(body)}
	s.Provider.(providers.Signer).Sign(signed, noon)
	r := httptest.NewRequest("POST", "/webhooks/"+s.Name, strings.NewReader(string(signed.Body)))
	r.Header = signed.Header
	return serve(d.Webhooks(), r)
}

// What senders want to see before they post, on the wire.
func TestSendersHandshakes(t *testing.T) {
	t.Parallel()
	discordKey, err := providers.GenerateKey(providers.KeyEd25519, rand.Reader)
	require.NoError(t, err)
	requireHandshake := func(w *httptest.ResponseRecorder, status int, contentType, body string) {
		t.Helper()
		require.Equal(t, status, w.Code, w.Body.String())
		require.Equal(t, contentType, w.Header().Get("Content-Type"))
		require.Equal(t, body, w.Body.String())
		require.Equal(t, "handshake", w.Header().Get("Hookflow-Outcome"))
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	}

	d, discord := senderDoor(t, "discord", discordKey)
	requireHandshake(post(t, d, discord, "application/json", `{"id":"1","type":1}`), 200, "application/json", `{"type":1}`)
	requireHandshake(post(t, d, discord, "application/json", `{"version":1,"type":0}`), 204, "", "")
	r := httptest.NewRequest("POST", "/webhooks/discord", strings.NewReader(`{"id":"1","type":1}`))
	r.Header.Set("Content-Type", "application/json")
	require.Equal(t, 401, serve(d.Webhooks(), r).Code)

	d, _ = senderDoor(t, "mandrill", "key")
	requireHandshake(serve(d.Webhooks(), httptest.NewRequest("HEAD", "/webhooks/mandrill", nil)), 200, "", "")
	d, _ = senderDoor(t, "msgraph", "state")
	requireHandshake(serve(d.Webhooks(), httptest.NewRequest("POST", "/webhooks/msgraph?validationToken=a%20%3Cb%3E", nil)), 200, "text/plain; charset=utf-8", "a <b>")
	d, _ = senderDoor(t, "x", "secret")
	requireHandshake(serve(d.Webhooks(), httptest.NewRequest("GET", "/webhooks/x?crc_token=abc", nil)), 200, "application/json",
		`{"response_token":"sha256=mUba1OAOkT/Ivo5dP34RCkqegy+D+wnDRShdeGONig4="}`)
	d, _ = senderDoor(t, "asana", "pairing")
	r = httptest.NewRequest("POST", "/webhooks/asana", nil)
	r.Header.Set("X-Hook-Secret", "b537207f20cbfa02357cf448134da559")
	w := serve(d.Webhooks(), r)
	requireHandshake(w, 200, "", "")
	require.Equal(t, "b537207f20cbfa02357cf448134da559", w.Header().Get("X-Hook-Secret"))
	require.NotContains(t, d.logged(), "b537207f")
	d, _ = senderDoor(t, "asana", "a secret")
	require.Equal(t, 401, serve(d.Webhooks(), r.Clone(t.Context())).Code, "nobody is paired")
}

// What senders want to hear about their events.
func TestSendersAnswers(t *testing.T) {
	t.Parallel()
	d, adyen := senderDoor(t, "adyen", strings.Repeat("ab", 32))
	w := post(t, d, adyen, "application/json", `{"live":"false","notificationItems":[
		{"NotificationRequestItem":{"pspReference":"1","eventCode":"AUTHORISATION","success":"true","merchantAccountCode":"Shop"}},
		{"NotificationRequestItem":{"pspReference":"2","eventCode":"CAPTURE","success":"true","merchantAccountCode":"Shop"}}]}`)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "[accepted]", w.Body.String())
	require.Len(t, d.events(), 2)
	require.Equal(t, "adyen:2:CAPTURE:true", d.events()[1].Key())

	d, graph := senderDoor(t, "msgraph", "state")
	w = post(t, d, graph, "application/json", `{"value":[{"subscriptionId":"s","changeType":"created","resourceData":{"id":"1"}}]}`)
	require.Equal(t, 202, w.Code)
	require.Equal(t, "accepted", w.Header().Get("Hookflow-Outcome"))

	d, mandrill := senderDoor(t, "mandrill", "key")
	w = post(t, d, mandrill, "application/x-www-form-urlencoded", "mandrill_events=%5B%5D")
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"events":[]}`, w.Body.String())
	require.Empty(t, d.events())
}
