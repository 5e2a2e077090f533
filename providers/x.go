package providers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"hookflow/event"
)

const (
	xSignature = "X-Twitter-Webhooks-Signature"
	xPrefix    = "sha256="
)

// X verifies and reads the webhooks of X (Twitter): the Account Activity API, whose one request holds lists of events by
// kind, and the filtered stream, whose request holds one post.
// https://docs.x.com/x-api/webhooks/introduction
type X struct {
	*Verifier
	secrets []string
}

var (
	_ Signer  = (*X)(nil)
	_ Batcher = (*X)(nil)
	_ Prober  = (*X)(nil)
)

// NewX takes the current API secret keys (consumer secrets). It refuses none, more than MaxSecrets, and an empty one.
func NewX(consumerSecrets []string) (*X, error) {
	secrets, err := currentSecrets(consumerSecrets)
	if err != nil {
		return nil, err
	}
	v, err := NewVerifier(Signature{Headers: []string{xSignature}, Prefix: xPrefix, Encoding: encodingBase64}, secrets)
	if err != nil {
		return nil, err
	}
	return &X{Verifier: v, secrets: secrets}, nil
}

// maxCRC bounds a crc_token, in bytes; X's have about 50.
const maxCRC = 200

// Probe answers the challenge-response check, which X makes at registration, hourly, and on demand: an HMAC of the token
// under the first secret. Anybody may ask. A token that could be a body (it holds a brace) is refused, so that nobody can
// have an event signed here.
func (x *X) Probe(r *Request) (*Greeting, error) {
	if r.Method != http.MethodGet {
		return nil, nil
	}
	values, err := url.ParseQuery(strings.TrimPrefix(splitURL(r.URL).query, "?"))
	token := values.Get("crc_token")
	if err != nil || len(values["crc_token"]) != 1 || token == "" || len(token) > maxCRC || strings.ContainsAny(token, `{}[]"`) {
		return nil, noEvent("the query does not hold one crc_token")
	}
	mac := hmac.New(sha256.New, []byte(x.secrets[0]))
	mac.Write([]byte(token))
	answer := `{"response_token":"` + xPrefix + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + `"}`
	return &Greeting{Answer: Answer{ContentType: jsonType, Body: []byte(answer)}}, nil
}

// Identify reads a post of the filtered stream: {"data":{"id":…}}.
func (x *X) Identify(r *Request) (event.Event, error) {
	body, err := parseObject(r.Body)
	if err != nil {
		return event.Event{}, err
	}
	e := event.Event{Body: r.Body, Type: "post"}
	if e.EventID, err = body.member("data").member("id").required("data.id, and no list of events"); err != nil {
		return event.Event{}, err
	}
	created, _ := body.member("data").member("created_at").scalar("data.created_at")
	e.OccurredAt = rfc3339Time(created)
	return e, nil
}

// xAccount names the user whose activity a request holds.
const xAccount = "for_user_id"

// IdentifyAll reads the lists whose names end in _events. The user for whom they come, the list and the item make the id:
// one post is an event of each user whom it concerns.
func (x *X) IdentifyAll(r *Request) (events []event.Event, batch bool, err error) {
	body, err := parseObject(r.Body)
	if err != nil {
		return nil, false, nil
	}
	account, _ := body.member(xAccount).scalar(xAccount)
	for it := body.items(); it.next(); {
		list := string(it.key)
		if !strings.HasSuffix(list, "_events") {
			continue
		}
		batch = true
		for _, item := range it.value.elements() {
			events = append(events, xEvent(account, list, item))
		}
	}
	return events, batch, nil
}

func xEvent(account, list string, item jsonValue) event.Event {
	e := event.Event{Body: item.bytes(), Type: list, Account: account}
	field := func(names ...string) string {
		v := item
		for _, name := range names {
			v = v.member(name)
		}
		text, _ := v.scalar("")
		return text
	}
	id := field("id_str")
	if id == "" {
		id = field("id")
	}
	created := field("created_timestamp")
	if created == "" {
		created = field("timestamp_ms")
	}
	e.OccurredAt = millisTime(created)
	if id == "" { // a follow, a block, a deletion: who, whom, when
		id = composeID(field("type"), field("source", "id"), field("target", "id"), field("status", "id"), created)
	}
	if id == "" {
		id = shortHash(e.Body)
	}
	e.EventID = composeID(account, list, id)
	return e
}

// Answer returns nil: any 2xx will do.
func (x *X) Answer(*event.Event) *Answer { return nil }

// Traits says how the requests look.
func (x *X) Traits() Traits {
	return Traits{
		Scheme: "x", MaxBody: 1 << 20, MediaTypes: []string{jsonType}, Headers: []string{"User-Agent"},
		ProbeMethods: []string{http.MethodGet},
	}
}

var xKind = Kind{
	Identity: Identity{Rule: IdentityOwn, Docs: "https://docs.x.com/x-api/account-activity/introduction", Why: "an item is an event of each user whom it concerns"},
	Name:     "x", Title: "X (Twitter)", Docs: "https://docs.x.com/x-api/webhooks/introduction",
	Variable: "X_CONSUMER_SECRET", Secret: "the API secret key (consumer secret) of the app, from the developer portal",
	Dashboard: []string{
		"Copy the API secret key into {variable} and start hookflow: X checks the endpoint before it takes it.",
		"Register the webhook: POST /2/webhooks with the URL {url}; then subscribe the accounts.",
	},
	Retries: "An endpoint that fails the hourly check is switched off.",
	ID:      "`for_user_id:list:id` of the item; of the filtered stream `data.id`",
	Type:    "the list's name, `tweet_create_events`, `follow_events`, …; of the filtered stream `post`",
	Notes: []string{
		"The challenge (crc_token) is answered to anybody who asks, with the first secret. Use this secret for nothing else. A token that could be a body is refused.",
		"No time is signed: a replay of a captured request is a duplicate by its ids.",
	},
	Samples: []Sample{{Name: "tweet_create_events", Body: `{"for_user_id":"2244994945","tweet_create_events":[{"created_at":"Thu Jan 01 00:00:00 +0000 2026","id":1234567890123456789,` +
		`"id_str":"{{.ID}}","text":"hello","user":{"id":2244994945,"id_str":"2244994945","screen_name":"example"},"timestamp_ms":"{{.Millis 0}}"}]}`}},
	Build: func(s Settings) (Provider, error) { return NewX(s.Secrets) },
}
