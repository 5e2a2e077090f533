package providers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hookflow/event"
)

// identity is what of an event tells it apart and routes it.
type identity struct{ id, typ, account string }

func identities(events []event.Event) []identity {
	var all []identity
	for _, e := range events {
		all = append(all, identity{e.EventID, e.Type, e.Account})
	}
	return all
}

func TestOwnIdentify(t *testing.T) {
	t.Parallel()
	cases := ownCases(t)
	for name, want := range map[string][]identity{
		"sendgrid": {{"ZHJv", "delivered", ""}, {"Ym91", "bounce", ""}},
		"discord":  {{"771825006014889984", "interaction.application_command", "845027738276462632"}},
		"telnyx":   {{"b301ed3f", "message.received", ""}},
		"paypal":   {{"WH-1", "PAYMENT.CAPTURE.COMPLETED", ""}},
		"mailgun":  {{"CPgf", "delivered", "mg.example.com"}},
		"mandrill": {{"m1:1767225600:send:0c236d6830781443", "send", ""}, {"m1:1767225600:click:38fa1ea6179121c4", "click", ""}},
		"plivo":    {{plivoUUID + ":completed:56962490de0a4311", "call.completed", ""}},
		"adyen":    {{"79:AUTHORISATION:true", "AUTHORISATION", "Shop"}, {"80:CAPTURE:false", "CAPTURE", ""}},
		"msgraph":  {{`s-1:r-1:updated:W/"1"`, "updated", "t-1"}},
		"x":        {{"22:tweet_create_events:1001", "tweet_create_events", "22"}, {"22:follow_events:follow:1:22:1767225600000", "follow_events", "22"}},
		"sns":      {{"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "Notification", "000000000000"}},
	} {
		c := cases[name]
		d := c.read(t, c.sign(c.body))
		require.Equal(t, want, identities(d.Events), name)
		for _, e := range d.Events {
			require.NotEmpty(t, e.Body, name)
			if !e.OccurredAt.IsZero() {
				require.WithinDuration(t, testNow, e.OccurredAt, 3*time.Second, name)
			}
		}
	}
	d := cases["asana"].read(t, cases["asana"].sign(asanaBody))
	require.Contains(t, d.Events[0].EventID, "7:changed:2026-01-01T00:00:00.000Z:")
	require.Equal(t, "task.changed", d.Events[0].Type)
	require.True(t, *cases["adyen"].read(t, cases["adyen"].sign(adyenBody)).Events[0].Livemode)
}

// An item's body is its own text, with its own media type where the request's is another.
func TestOwnIdentify_ItemBodies(t *testing.T) {
	t.Parallel()
	cases := ownCases(t)
	d := cases["sendgrid"].read(t, cases["sendgrid"].sign(sendGridBody))
	require.Equal(t, `{"email":"b@example.com","timestamp":1767225598,"event":"bounce","sg_event_id":"Ym91"}`, string(d.Events[1].Body))
	d = cases["mandrill"].read(t, cases["mandrill"].sign(mandrillBody))
	require.Equal(t, `{"event":"send","_id":"m1","ts":1767225600}`, string(d.Events[0].Body))
	require.Equal(t, jsonType, d.Events[0].ContentType)
	d = cases["msgraph"].read(t, cases["msgraph"].sign(graphBody))
	require.True(t, d.Events[0].BodyMasked)
	require.NotContains(t, string(d.Events[0].Body), testSecret, "clientState is a secret")
	require.Contains(t, string(d.Events[0].Body), `"clientState":"[masked]"`)
}

// Items without a usable id keep their neighbours, and are told apart by what they say.
func TestOwnIdentify_ItemsWithoutID(t *testing.T) {
	t.Parallel()
	cases := ownCases(t)
	for name, body := range map[string]string{
		"sendgrid": `[{"event":"open"},{"sg_event_id":"a","event":"open"},{"event":"click"}]`,
		"mandrill": "mandrill_events=" + url.QueryEscape(`[{"type":"blacklist","action":"add","ts":1},{"_id":"a","event":"open","ts":1},{"type":"blacklist","action":"remove","ts":1}]`),
		"asana":    `{"events":[{},{"action":"added","resource":{"gid":"1","resource_type":"task"}},{"action":"added"}]}`,
		"x":        `{"for_user_id":"1","user_event_events":[{"a":1},{"id":7},{"b":2}]}`,
	} {
		d := cases[name].read(t, cases[name].sign(body))
		require.Len(t, d.Events, 3, name)
		require.NotEqual(t, d.Events[0].EventID, d.Events[1].EventID, name)
		require.NotEqual(t, d.Events[0].EventID, d.Events[2].EventID, name)
		for _, e := range d.Events {
			require.Empty(t, event.CheckID(e.EventID), name)
			require.Empty(t, event.CheckID(e.Type), name)
		}
	}
}

func TestOwnIdentify_NoEvent(t *testing.T) {
	t.Parallel()
	cases := ownCases(t)
	for name, bodies := range map[string][]string{
		"telnyx":   {`{}`, `{"data":{"id":"a"}}`, `{"data":{"event_type":"a"}}`, `{"data":{"id":7,"event_type":"a"}}`},
		"paypal":   {`{}`, `{"id":"a"}`, `{"event_type":"a"}`, `[]`},
		"discord":  {`{}`, `{"id":"1"}`, `{"type":2}`, `{"type":1,"event":{}}`, `[]`},
		"mailgun":  {`{}`, `{"event-data":{"id":"a"}}`, `{"event-data":{"event":"a"}}`},
		"sendgrid": {`{}`, `"x"`},
		"mandrill": {"a=b", "mandrill_events=%7B%7D", "mandrill_events=[]&mandrill_events=[]"},
		"x":        {`{}`, `[]`, `{"data":{}}`},
		"asana":    {`{}`, `[]`},
	} {
		for _, body := range bodies {
			_, err := Source{Name: "it", Provider: cases[name].signer}.Read(cases[name].sign(body), testNow)
			requireNoEvent(t, err)
		}
	}
}

// hookflow verify says in a sentence what only some senders' schemes have.
func TestOwnExplain(t *testing.T) {
	t.Parallel()
	cases := ownCases(t)
	explain := func(name string, r *Request) string {
		return Source{Name: name, Provider: cases[name].signer}.Explain(r, testNow).Problem
	}
	r := cases["paypal"].sign(payPalBody)
	require.Empty(t, explain("paypal", r))
	r.Body = crcTwin([]byte(`{"id":"WH-2","x":"`), r.Body)
	require.Contains(t, explain("paypal", r), "another body before")
	r.Header.Set(payPalCert, "https://evil.example/cert")
	require.Contains(t, explain("paypal", r), "not one of the sender's")
	r.Header.Set(payPalCert, shopCert)
	require.Contains(t, explain("paypal", r), "could not be fetched")
	r.Header.Set(payPalAlgorithm, "SHA1withRSA")
	require.Contains(t, explain("paypal", r), "not switched on")
	pairing, err := NewAsana([]string{asanaPairing})
	require.NoError(t, err)
	require.Contains(t, Source{Name: "asana", Provider: pairing}.Explain(cases["asana"].sign(asanaBody), testNow).Problem, "pairing")
}

func TestGraphIdentify(t *testing.T) {
	t.Parallel()
	c := ownCases(t)["msgraph"]
	id := func(item string) string {
		return c.read(t, c.sign(`{"value":[`+item+`]}`)).Events[0].EventID
	}
	require.Equal(t, "s:n", id(`{"subscriptionId":"s","id":"n","changeType":"updated"}`))
	require.Equal(t, "s:r:created", id(`{"subscriptionId":"s","changeType":"created","resourceData":{"id":"r","@odata.etag":"e"}}`))
	require.Equal(t, "s:r:deleted", id(`{"subscriptionId":"s","changeType":"deleted","resourceData":{"id":"r"}}`))
	require.Equal(t, "s:lifecycle.missed:2026-01-02", id(`{"subscriptionId":"s","lifecycleEvent":"missed","subscriptionExpirationDateTime":"2026-01-02"}`))
	rich := `{"subscriptionId":"s","changeType":"updated","resourceData":{"id":"r"},"encryptedContent":{"data":"x"}}`
	require.Equal(t, id(rich), id(rich))
	require.NotEqual(t, id(rich), id(strings.Replace(rich, `"x"`, `"y"`, 1)))
	drive := `{"subscriptionId":"s","changeType":"updated","resource":"me/drive/root"}`
	later, err := Source{Name: "it", Provider: c.signer}.Read(c.sign(`{"value":[`+drive+`,`+drive+`]}`), testNow.Add(time.Second))
	require.NoError(t, err)
	require.NotEqual(t, id(drive), later.Events[0].EventID, "a second change looks like the first, and must not be lost")
	require.NotEqual(t, later.Events[0].EventID, later.Events[1].EventID)
}

func TestDiscordIdentify(t *testing.T) {
	t.Parallel()
	c := ownCases(t)["discord"]
	read := func(body string) event.Event { return c.read(t, c.sign(body)).Events[0] }
	for number, typ := range map[string]string{"2": discordCommand, "3": discordComponent, "4": discordAutocomplete, "5": discordModal, "9": "interaction.9"} {
		require.Equal(t, typ, read(`{"id":"1","type":`+number+`}`).Type)
	}
	happened := `{"version":1,"application_id":"7","type":1,"event":{"type":"APPLICATION_AUTHORIZED","timestamp":"2026-01-01T00:00:00.5","data":{"a":1}}}`
	e := read(happened)
	require.Equal(t, "APPLICATION_AUTHORIZED", e.Type)
	require.Contains(t, e.EventID, "7:APPLICATION_AUTHORIZED:2026-01-01T00:00:00.5:")
	require.Equal(t, testNow.Add(500*time.Millisecond), e.OccurredAt)
	require.Equal(t, e.EventID, read(happened).EventID)
	require.NotEqual(t, e.EventID, read(strings.Replace(happened, `"a":1`, `"a":2`, 1)).EventID)

	answers := map[string]string{discordCommand: `{"type":5}`, discordModal: `{"type":5}`, discordComponent: `{"type":6}`,
		discordAutocomplete: `{"type":8,"data":{"choices":[]}}`}
	for typ, want := range answers {
		require.Equal(t, want, string(c.signer.Answer(&event.Event{Type: typ}).Body))
	}
	require.Equal(t, http.StatusNoContent, c.signer.Answer(&e).Status)
}

func TestPlivoIdentify(t *testing.T) {
	t.Parallel()
	c := ownCases(t)["plivo"]
	read := func(body string) event.Event { return c.read(t, c.sign(body)).Events[0] }
	for body, want := range map[string]identity{
		"MessageUUID=" + plivoUUID + "&Status=delivered&From=1":                                   {plivoUUID + ":delivered", "message.delivered", ""},
		"MessageUUID=" + plivoUUID + "&Text=hello&Type=sms":                                       {plivoUUID, "message.received", ""},
		"CallUUID=" + plivoUUID + "&CallStatus=ringing&Event=Ring":                                {plivoUUID + ":ringing", "call.ringing", ""},
		"CallUUID=" + plivoUUID + "&CallStatus=busy":                                              {plivoUUID + ":busy", "call.busy", ""},
		"CallUUID=" + plivoUUID + "&CallStatus=completed&ALegUUID=" + plivoUUID + "&Event=Hangup": {plivoUUID + ":completed", "call.completed", ""},
	} {
		got := identities([]event.Event{read(body)})[0]
		require.Regexp(t, "^"+want.id+":[0-9a-f]{16}$", got.id, body)
		require.Equal(t, want.typ, got.typ, body)
	}
	start := read("CallUUID=" + plivoUUID + "&CallStatus=in-progress&Direction=inbound&Event=StartApp")
	require.Equal(t, "call.incoming", start.Type)
	require.Equal(t, "<Response></Response>", string(c.signer.Answer(&start).Body))
	digits := "CallUUID=" + plivoUUID + "&CallStatus=in-progress&Direction=inbound&Digits="
	require.NotEqual(t, read(digits+"1").EventID, read(digits+"2").EventID, "each digit asks anew")
	require.Equal(t, "call.continue", read(digits+"1").Type)
	require.Equal(t, unknownType, read("ConferenceUUID="+plivoUUID+"&ConferenceAction=enter").Type)
}

// One captured request, its parameters cut anew under the same signature, is never another event.
func TestPlivoIdentify_CutAnew(t *testing.T) {
	t.Parallel()
	c := ownCases(t)["plivo"]
	const other = "11111111-1111-1111-1111-111111111111"
	text := "From=1&MessageUUID=" + plivoUUID + "&Text=MessageUUID" + other + "Statusfailed"
	golden := c.sign(text + "&To=2")
	require.Regexp(t, "^"+plivoUUID+":", c.read(t, golden).Events[0].EventID, "a genuine text may hold anything")
	for _, body := range []string{
		"From=1MessageUUID" + plivoUUID + "Text&MessageUUID=" + other + "&Status=failedTo2",
		"From=1&MessageUUID=" + plivoUUID + "TextMessageUUID" + other + "&Status=failedTo2",
		"From=1&MessageUUID" + plivoUUID + "TextMessageUUID" + other + "=&Status=failedTo2",
	} {
		r := *golden
		r.Body = []byte(body)
		require.NoError(t, c.signer.Verify(&r, testNow), "the signed text is the same")
		e, err := c.signer.Identify(&r)
		require.NoError(t, err)
		require.Equal(t, unknownType, e.Type, "no known kind, under the digest that any cutting has")
		require.Regexp(t, "^sha256-", e.EventID)
	}
	for _, body := range []string{"CallUUID=x&CallStatus=busy", "CallUUID=" + plivoUUID + "&CallUUID=" + other + "&CallStatus=busy",
		"CallUUID=" + plivoUUID + "&CallStatus=Busy", "CallStatus=completedCallUUID" + plivoUUID} {
		e, err := c.signer.Identify(c.sign(body))
		require.NoError(t, err)
		require.Equal(t, unknownType, e.Type, body)
	}
}
