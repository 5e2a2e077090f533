package providers

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHandshakes_Probes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind, method, query, header, value string
		body, refused                      string // neither: it is no handshake
		empty                              bool   // answered without a body
	}{
		"dropbox":                      {kind: "dropbox", method: "GET", query: "challenge=a%20b", body: "a b"},
		"dropbox, nothing":             {kind: "dropbox", method: "GET", query: "challenge=", refused: "the challenge is empty"},
		"dropbox, a page":              {kind: "dropbox", method: "GET", query: "challenge=" + strings.Repeat("x", maxEcho+1), refused: "longer than 1024"},
		"dropbox, no challenge":        {kind: "dropbox", method: "GET", query: "x=y"},
		"dropbox posts":                {kind: "dropbox", method: "POST", query: "challenge=x"},
		"meta":                         {kind: "meta", method: "GET", query: "hub.mode=subscribe&hub.verify_token=right-token&hub.challenge=1158201444", body: "1158201444"},
		"meta, another token":          {kind: "meta", method: "GET", query: "hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1", refused: ReasonMismatch},
		"meta, no token":               {kind: "meta", method: "GET", query: "hub.mode=subscribe&hub.challenge=1", refused: ReasonMismatch},
		"meta, a page for a challenge": {kind: "meta", method: "GET", query: "hub.mode=subscribe&hub.verify_token=right-token&hub.challenge=%3Cscript%3E", refused: "not a number"},
		"meta, another mode":           {kind: "meta", method: "GET", query: "hub.mode=x&hub.verify_token=right-token&hub.challenge=1"},
		"okta":                         {kind: "okta", method: "GET", header: "X-Okta-Verification-Challenge", value: `a"b`, body: `{"verification":"a\"b"}`},
		"okta, no challenge":           {kind: "okta", method: "GET"},
		"woocommerce, its ping":        {kind: "woocommerce", method: "POST", header: "Content-Type", value: formType, empty: true},
		"woocommerce, an event":        {kind: "woocommerce", method: "POST", header: "Content-Type", value: jsonType},
		"intercom":                     {kind: "intercom", method: "HEAD", empty: true},
		"intercom posts":               {kind: "intercom", method: "POST"},
		"github, which has none":       {kind: "github", method: "GET", query: "challenge=x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := KindOf(c.kind)
			source, err := kind.New("x", Settings{Secrets: []string{caseSecret(t, kind, 1)}, Options: map[string]string{"verify_token": "right-token"}})
			require.NoError(t, err)
			r := &Request{Method: c.method, URL: "https://h.example/webhooks/x?" + c.query, Header: http.Header{}}
			if c.header != "" {
				r.Header.Set(c.header, c.value)
			}
			g, err := source.Provider.(Prober).Probe(r)
			switch {
			case c.refused != "":
				require.ErrorContains(t, err, c.refused)
				require.Nil(t, g)
			case c.body != "" || c.empty:
				require.NoError(t, err)
				require.Equal(t, c.body, string(g.Body))
			default:
				require.NoError(t, err)
				require.Nil(t, g)
			}
		})
	}
}

func TestHandshakes_Signed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ kind, body, header, value, answer, refused string }{
		"slack":              {kind: "slack", body: `{"type":"url_verification","challenge":"3eZbrw1aB"}`, answer: "3eZbrw1aB"},
		"slack, nothing":     {kind: "slack", body: `{"type":"url_verification"}`, refused: "the challenge is empty"},
		"slack, an event":    {kind: "slack", body: `{"type":"event_callback","event_id":"Ev1"}`},
		"twitch":             {kind: "twitch", body: `{"challenge":"pogchamp"}`, header: "Twitch-Eventsub-Message-Type", value: "webhook_callback_verification", answer: "pogchamp"},
		"twitch, an event":   {kind: "twitch", body: `{"challenge":"pogchamp"}`, header: "Twitch-Eventsub-Message-Type", value: "notification"},
		"zoom, without text": {kind: "zoom", body: `{"event":"endpoint.url_validation","payload":{}}`, refused: "payload.plainToken"},
		"zoom, an event":     {kind: "zoom", body: `{"event":"meeting.started","event_ts":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := KindOf(c.kind)
			p := declaredOf(t, kind, caseSecret(t, kind, 1))
			r := signedBy(p, c.body)
			if c.header != "" {
				r.Header.Set(c.header, c.value)
			}
			d, err := Source{Name: "x", Provider: p}.Read(r, testNow)
			switch {
			case c.refused != "":
				require.ErrorContains(t, err, c.refused)
			case c.answer != "":
				require.NoError(t, err)
				require.Equal(t, c.answer, string(d.Greeting.Body))
				require.Equal(t, "text/plain; charset=utf-8", d.Greeting.ContentType)
			default:
				require.NoError(t, err)
				require.Nil(t, d.Greeting)
				require.Len(t, d.Events, 1)
			}
			r.Body = append(r.Body, ' ') // an unsigned handshake is none
			_, err = Source{Name: "x", Provider: p}.Read(r, testNow)
			requireRefused(t, ReasonMismatch, err)
		})
	}
}

// A batch becomes one event each; what stands around the list is not lost, and a body of another shape is one event.
func TestDeclared_Batches(t *testing.T) {
	t.Parallel()
	read := func(kind, body string) []string {
		k := KindOf(kind)
		p := declaredOf(t, k, caseSecret(t, k, 1))
		d, err := Source{Name: "x", Provider: p}.Read(signedBy(p, body), testNow)
		require.NoError(t, err)
		all := []string{}
		for _, e := range d.Events {
			all = append(all, e.EventID+" "+e.Type+" "+e.Account)
			require.Equal(t, d.Batch, e.ContentType == jsonType)
		}
		return all
	}
	const digest = `:sha256-[0-9a-f]{64}`
	match := func(want []string, got []string) {
		t.Helper()
		require.Len(t, got, len(want))
		for i := range want {
			require.Regexp(t, "^"+strings.Replace(regexp.QuoteMeta(want[i]), "…", digest, 1)+"$", got[i])
		}
	}
	match([]string{"7:1… contact.creation 5", "7:1… contact.deletion 5"},
		read("hubspot", `[{"eventId":1,"subscriptionId":7,"portalId":5,"occurredAt":9,"subscriptionType":"contact.creation","objectId":8,"attemptNumber":0},`+
			`{"eventId":1,"subscriptionId":7,"portalId":5,"occurredAt":9,"subscriptionType":"contact.deletion","objectId":9,"attemptNumber":3}]`))
	require.Equal(t, []string{"01H message U0", "01J follow U0"},
		read("line", `{"destination":"U0","events":[{"type":"message","webhookEventId":"01H"},{"type":"follow","webhookEventId":"01J"}]}`))
	require.Empty(t, read("line", `{"destination":"U0","events":[]}`), "the console's test")
	match([]string{"wamid.1… page.messages 10", "wamid.1:read… page.messages 10", "m_1… page.messaging P"},
		read("meta", `{"object":"page","entry":[{"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"10"},"messages":[{"id":"wamid.1"}]}},`+
			`{"field":"messages","value":{"metadata":{"phone_number_id":"10"},"statuses":[{"id":"wamid.1","status":"read"}]}}]},{"id":"P","messaging":[{"message":{"mid":"m_1"}}]}]}`))
	require.Len(t, read("xero", `{"note":"of another shape"}`), 1)
	require.Regexp(t, `^sha256-[0-9a-f]{64} unknown $`, read("gocardless", `{"events":[{"id":["no id"]}]}`)[0])
}
