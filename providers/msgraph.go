package providers

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hookflow/event"
)

// Graph verifies and reads the change notifications of Microsoft Graph. Their proof is the clientState that was given with
// the subscription, in each item: it proves that the sender knows it, nothing about the rest.
// https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
type Graph struct {
	states [][sha256.Size]byte
	first  string
}

var (
	_ Signer  = (*Graph)(nil)
	_ Batcher = (*Graph)(nil)
	_ Prober  = (*Graph)(nil)
)

// NewGraph takes the clientStates of the current subscriptions. It refuses none, more than MaxSecrets, and an empty one.
func NewGraph(clientStates []string) (*Graph, error) {
	states, err := currentSecrets(clientStates)
	if err != nil {
		return nil, err
	}
	g := &Graph{first: states[0]}
	for _, state := range states {
		g.states = append(g.states, sha256.Sum256([]byte(state)))
	}
	return g, nil
}

// graphItems returns the items of a notification.
func graphItems(text []byte) ([]jsonValue, error) {
	body, err := parseObject(text)
	if err != nil {
		return nil, err
	}
	items := body.member("value").elements()
	if len(items) == 0 {
		return nil, noEvent("the body has no value with notifications")
	}
	return items, nil
}

// Verify implements Provider: every item must hold a clientState that is current. The first that does not ends it.
func (g *Graph) Verify(r *Request, _ time.Time) error {
	body, err := parseObject(r.Body)
	if err != nil {
		return unverified(ReasonMalformed)
	}
	count := 0
	for it := body.member("value").items(); it.next(); count++ {
		if err := g.verifyItem(it.value); err != nil {
			return err
		}
	}
	if count == 0 || body.member("value").kind() != '[' {
		return unverified(ReasonMalformed)
	}
	return nil
}

func (g *Graph) verifyItem(item jsonValue) error {
	state, err := item.member("clientState").text("clientState")
	switch {
	case err != nil:
		return unverified(ReasonMalformed)
	case state == "":
		return unverified(ReasonMissing)
	}
	sum, found := sha256.Sum256([]byte(state)), false
	for i := range g.states {
		found = hmac.Equal(g.states[i][:], sum[:]) || found
	}
	if !found {
		return unverified(ReasonMismatch)
	}
	return nil
}

// Probe answers the question whether the endpoint is there, which anybody may ask: the token comes back as text.
func (g *Graph) Probe(r *Request) (*Greeting, error) {
	query := strings.TrimPrefix(splitURL(r.URL).query, "?")
	if r.Method != http.MethodPost || !strings.Contains(query, "validationToken=") {
		return nil, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil || len(values["validationToken"]) != 1 {
		return nil, noEvent("the query does not hold one validationToken")
	}
	return echo(values.Get("validationToken"))
}

// Identify refuses what is no batch; IdentifyAll reads those.
func (g *Graph) Identify(r *Request) (event.Event, error) {
	_, err := graphItems(r.Body)
	if err == nil {
		err = noEvent("the body is a batch")
	}
	return event.Event{}, err
}

// IdentifyAll reads each notification. Its own id is optional; without one, the subscription, the resource and the kind of
// change stand in, and of what can change more than once also the version of the resource, or else a hash of the
// notification. Where the notification says no more than that something changed (a drive), copies and further changes look
// alike: each is an event of its own then, by the time at which it came, since one that is handled twice does less harm than
// one that is lost.
func (g *Graph) IdentifyAll(r *Request) (events []event.Event, batch bool, err error) {
	items, err := graphItems(r.Body)
	if err != nil {
		return nil, false, nil
	}
	for i, item := range items {
		events = append(events, graphEvent(item, strconv.FormatInt(r.Received.UnixMilli(), 10)+"-"+strconv.Itoa(i)))
	}
	return events, true, nil
}

// graphEvent reads one notification; arrival is when it came, and as which of its batch.
func graphEvent(item jsonValue, arrival string) event.Event {
	field := func(of jsonValue, name string) string { text, _ := of.member(name).text(name); return text }
	e := event.Event{Account: field(item, "tenantId")}
	e.Body, e.BodyMasked = maskClientState(item)
	subscription, change := field(item, "subscriptionId"), field(item, "changeType")
	resource := item.member("resourceData")
	if lifecycle := field(item, "lifecycleEvent"); lifecycle != "" {
		e.Type = "lifecycle." + lifecycle
		e.EventID = composeID(subscription, e.Type, field(item, "subscriptionExpirationDateTime"))
		return e
	}
	e.Type = change
	id, etag := field(resource, "id"), field(resource, "@odata.etag")
	switch own := field(item, "id"); {
	case own != "":
		e.EventID = composeID(subscription, own)
	case subscription == "" || change == "": // Source hashes the body
	case id != "" && (change == "created" || change == "deleted"):
		e.EventID = composeID(subscription, id, change)
	case id != "" && etag != "":
		e.EventID = composeID(subscription, id, change, etag)
	case item.member("encryptedContent").kind() == '{':
		e.EventID = composeID(subscription, id, change, shortHash(e.Body))
	default:
		e.EventID = composeID(subscription, id, change, arrival)
	}
	return e
}

// maskClientState masks the proof, which is a secret, wherever it stands in an item.
func maskClientState(item jsonValue) ([]byte, bool) {
	text := item.bytes()
	s := splicer{src: text, text: maskText, hides: func(name []byte) bool { return string(name) == "clientState" }}
	return s.splice(jsonValue{src: text, to: len(text)})
}

// Answer is 202 without a body, which Graph wants within 3 s.
func (g *Graph) Answer(*event.Event) *Answer { return &Answer{Status: http.StatusAccepted} }

// Traits says how the requests look.
func (g *Graph) Traits() Traits {
	return Traits{Scheme: "msgraph", MaxBody: 4 << 20, MediaTypes: []string{jsonType}, Headers: []string{"User-Agent"}}
}

// Sign implements Signer: it writes the first clientState into each item.
func (g *Graph) Sign(r *Request, _ time.Time) {
	items, err := graphItems(r.Body)
	for i := 0; err == nil && i < len(items); i++ {
		if items[i].kind() != '{' {
			return
		}
		r.Body = setMember(items[i], "clientState", quoteJSON(g.first))
		items, err = graphItems(r.Body)
	}
}

var graphKind = Kind{
	Identity: Identity{Rule: IdentityOnce, Docs: "https://learn.microsoft.com/graph/change-notifications-delivery-webhooks", Why: "an object is created and deleted once, and an update has its etag; what has none is an event by its arrival"},
	Name:     "msgraph", Title: "Microsoft Graph", Docs: "https://learn.microsoft.com/graph/change-notifications-delivery-webhooks",
	Variable: "MSGRAPH_CLIENT_STATE", Secret: "the clientState of your subscriptions, at most 128 characters, made by you at random",
	Dashboard: []string{
		"Make a random clientState and put it into {variable}.",
		"Create subscriptions with notificationUrl and lifecycleNotificationUrl {url} and that clientState. Graph asks for an echo first, which is answered.",
		"Renew them before they end: hookflow does not.",
	},
	Retries: "For up to 4 hours. An endpoint that often takes longer than 3 s is slowed down or dropped. The answer is 202.",
	ID:      "`subscriptionId:id` of the notification where it has one, else `subscriptionId:resourceData.id:changeType` and, for updates, the etag",
	Type:    "`changeType` (`created`, `updated`, `deleted`), or `lifecycle.<lifecycleEvent>`",
	Notes: []string{
		"**A weaker guarantee**: clientState proves that the sender knows it, nothing about the rest of the notification. It is masked before anything is stored.",
		"Notifications that hold no id, no etag and no content (drives) cannot be told from their copies: each becomes an event.",
		"Encrypted content and validationTokens are kept as they came; a handler decrypts and checks them.",
	},
	Samples: []Sample{{Name: "updated", Body: `{"value":[{"subscriptionId":"{{.UUID "subscription"}}","subscriptionExpirationDateTime":"{{.ISO 86400}}","changeType":"updated",` +
		`"resource":"Users/{{.UUID "user"}}/Messages/{{.ID}}","tenantId":"{{.UUID "tenant"}}","clientState":"","resourceData":{"@odata.type":"#Microsoft.Graph.Message",` +
		`"@odata.id":"Users/{{.UUID "user"}}/Messages/{{.ID}}","@odata.etag":"W/\"{{.Word "CQAAABYAAAC" 20}}\"","id":"{{.ID}}"}}]}`}},
	Build: func(s Settings) (Provider, error) { return NewGraph(s.Secrets) },
}
