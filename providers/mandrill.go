package providers

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"time"

	"hookflow/event"
)

const (
	mandrillSignature = "X-Mandrill-Signature"
	mandrillEvents    = "mandrill_events"
	// mandrillTestKey signs the empty batch with which an address is tried before its webhook, and so its key, exists.
	mandrillTestKey = "test-webhook"
)

// Mandrill verifies and reads the webhooks of Mailchimp Transactional: HMAC-SHA1 over the URL and the form, which holds up
// to 1,000 events as JSON.
// https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests
type Mandrill struct{ keys []string }

var (
	_ Signer  = (*Mandrill)(nil)
	_ Batcher = (*Mandrill)(nil)
	_ Prober  = (*Mandrill)(nil)
)

// NewMandrill takes the current webhook keys. It refuses none, more than MaxSecrets, and an empty one.
func NewMandrill(webhookKeys []string) (*Mandrill, error) {
	keys, err := currentSecrets(webhookKeys)
	if err != nil {
		return nil, err
	}
	return &Mandrill{keys: keys}, nil
}

// Verify implements Provider. Nothing delimits the form's name from its value, but the value is one JSON array, and no
// beginning of one is an array itself: the form cannot be cut anew. There is no signed time: only the ids of the events
// make a replay a duplicate.
func (m *Mandrill) Verify(r *Request, _ time.Time) error {
	text, err := only(r.Header, mandrillSignature)
	if err != nil {
		return err
	}
	var given [sha1.Size]byte
	if !decodeDigest(given[:], text, encodingBase64) {
		return unverified(ReasonMalformed)
	}
	form, err := event.ParseForm(r.Body)
	if err != nil {
		return unverified(ReasonMalformed)
	}
	found := false
	for _, key := range m.keys {
		found = hmac.Equal(mandrillSum(key, r.URL, form), given[:]) || found
	}
	if form.Get(mandrillEvents) == "[]" {
		found = hmac.Equal(mandrillSum(mandrillTestKey, r.URL, form), given[:]) || found
	}
	if !found {
		return unverified(ReasonMismatch)
	}
	return nil
}

func mandrillSum(key, url string, form event.Form) []byte {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(signForm(url, form).text))
	return mac.Sum(nil)
}

// Probe answers the HEAD with which Mandrill asks whether an address is there.
func (m *Mandrill) Probe(r *Request) (*Greeting, error) {
	if r.Method != http.MethodHead {
		return nil, nil
	}
	return &Greeting{}, nil
}

// Identify refuses what is no batch; IdentifyAll reads those.
func (m *Mandrill) Identify(*Request) (event.Event, error) {
	return event.Event{}, noEvent("the form has no %s that is a JSON array", mandrillEvents)
}

// IdentifyAll reads the events of the form field. An event of a message has the message's _id, so its time and its kind
// are part of the id; of two clicks in one second, which a scanner of links makes, the link tells them apart. Changes of the
// block and allow lists have no id: the hash of what they say stands in.
func (m *Mandrill) IdentifyAll(r *Request) (events []event.Event, batch bool, err error) {
	form, err := event.ParseForm(r.Body)
	if err != nil || len(form.Values(mandrillEvents)) != 1 {
		return nil, false, nil
	}
	list, err := parseList([]byte(form.Get(mandrillEvents)))
	if err != nil {
		return nil, false, nil
	}
	for _, item := range list.elements() {
		events = append(events, mandrillEvent(item))
	}
	return events, true, nil
}

func mandrillEvent(item jsonValue) event.Event {
	e := event.Event{Body: item.bytes(), ContentType: jsonType}
	id, _ := item.member("_id").text("_id")
	timestamp, _ := item.member("ts").scalar("ts")
	e.OccurredAt = secondsTime(timestamp)
	e.Type, _ = item.member("event").text("event")
	if e.Type == "" { // {"type":"blacklist","action":"add",…}
		list, _ := item.member("type").text("type")
		action, _ := item.member("action").text("action")
		if list != "" && action != "" {
			e.Type = list + "." + action
		}
		return e
	}
	if id == "" {
		return e
	}
	e.EventID = composeID(id, timestamp, e.Type, shortHash(item.bytes()))
	return e
}

// Answer returns nil: Mandrill takes 200 as success.
func (m *Mandrill) Answer(*event.Event) *Answer { return nil }

// Traits says how the requests look.
func (m *Mandrill) Traits() Traits {
	return Traits{
		Scheme: "mandrill", MaxBody: 8 << 20, MediaTypes: []string{formType}, Headers: []string{"User-Agent"},
		SignsURL: true, ProbeMethods: []string{http.MethodHead},
	}
}

// Sign implements Signer with the first key.
func (m *Mandrill) Sign(r *Request, _ time.Time) {
	form, _ := event.ParseForm(r.Body)
	setHeader(r, mandrillSignature, base64.StdEncoding.EncodeToString(mandrillSum(m.keys[0], r.URL, form)))
}

var mandrillKind = Kind{
	Identity: Identity{Rule: IdentityComposed, Docs: "https://mailchimp.com/developer/transactional/docs/webhooks/", Why: "_id is that of the message"},
	Name:     "mandrill", Title: "Mandrill (Mailchimp Transactional)",
	Docs:     "https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/",
	Variable: "MANDRILL_WEBHOOK_KEY", Secret: "the key of the webhook, from Settings → Webhooks",
	Dashboard: []string{
		"Set HOOKFLOW_PUBLIC_URL first: Mandrill signs the URL that it calls, as it was typed.",
		"Settings → Webhooks → Add a Webhook, URL {url}. Mandrill asks with HEAD and posts an empty batch, both of which are answered.",
		"Copy the key of the new webhook into {variable}.",
	},
	ID: "per event `_id:ts:event` and a hash of the event", Type: "`event`, or `blacklist.add` and the like",
	Notes: []string{
		"HMAC-SHA1 is all that Mandrill offers. No time is signed: a replay of a captured request is a duplicate by its ids.",
	},
	Samples: []Sample{{
		Name: "send", Header: map[string]string{"Content-Type": formType},
		Body: `mandrill_events=[{"event":"send","_id":"{{.ID}}","ts":{{.Unix 0}},"msg":{"_id":"{{.ID}}","ts":{{.Unix 0}},"email":"alice@example.com","sender":"bob@example.com","subject":"Hello","state":"sent","tags":["welcome"],"metadata":{"user_id":111},"opens":[],"clicks":[],"template":"welcome"}}]`,
	}},
	Build: func(s Settings) (Provider, error) { return NewMandrill(s.Secrets) },
}
