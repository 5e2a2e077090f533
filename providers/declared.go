package providers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"hookflow/event"
)

// Declaration is a provider as data: how its requests are proven, what is read of them, how they are answered.
type Declaration struct {
	// Signatures are the ways of signing, of which the first that is present decides. Weak ones stand behind them, and
	// count with allow_weak only.
	Signatures, Weak []Signature
	// Token is the way of senders that send their secret as it is; there are no Signatures then.
	Token *Token
	// ID, Type, Account and Time are read in that order of alternatives; see field.
	ID, Type, Account, Time []string
	// Batch are JSON pointers to lists of events, * standing for every element: "/events/*".
	Batch []string
	// Empty are JSON pointers to lists that the sender documents as empty now and then (a test of the endpoint): such a body
	// holds no event. Any other without one is an event by its digest.
	Empty []string
	// Attempts are JSON pointers to what counts the sender's attempts, into the event or, behind a ^, into the whole body.
	// A digest leaves them out, since a repeated delivery is the same event.
	Attempts []string
	// Bodies says which bodies go with an unsigned header that Type reads; nil checks none.
	Bodies *Bodies
	// Handshake is the name of one of the handshakes, "" for none.
	Handshake string
	Answer    *Answer // nil: the JSON of the contract
	Refusal   Refusal
	// MediaTypes are those that are accepted; none means JSON.
	MediaTypes []string
	// Headers are kept with the event, beside those that ID and Type read.
	Headers []string
	MaxBody int64 // bytes; 0 means 1 MiB
}

// Token declares a secret that is sent as it is: in a header behind a prefix, or as user:password of basic
// authentication.
type Token struct {
	Header, Prefix string
	Basic          bool
}

// Declared verifies and reads the requests of a declared provider.
type Declared struct {
	name    string
	proof   proof
	traits  Traits
	answer  *Answer
	greet   handshake
	secrets []string // of handshakes that prove that the endpoint has them
	options map[string]string
	pairing bool

	id, typ, account, time field
	batch                  *lists // nil without lists
	empty                  [][]string
	attempts               []attempt
	bodies                 *bodyChecks
}

// attempt is the place of a counter of attempts.
type attempt struct {
	pointer []string
	root    bool // in the whole body
}

const defaultMaxBody = 1 << 20

// NewDeclared makes the provider of a declaration; scheme is the word for how it signs. The errors are those of the
// secrets and of a declaration that would verify less than it seems to.
func NewDeclared(scheme string, d Declaration, s Settings) (*Declared, error) {
	secrets, err := currentSecrets(s.Secrets)
	if err != nil {
		return nil, err
	}
	p := &Declared{name: scheme, answer: d.Answer, options: s.Options, greet: handshakes[d.Handshake]}
	if p.greet.pairs != nil {
		p.pairing = slices.Contains(secrets, pairingWord)
		secrets = slices.DeleteFunc(secrets, func(s string) bool { return s == pairingWord })
	}
	if p.secrets = secrets; len(secrets) == 0 { // pairing: there is nothing to verify with yet
		p.traits = d.traits(scheme, p)
		return p, p.readFields(d)
	}
	if p.proof, err = d.prove(secrets, s.AllowWeak); err != nil {
		return nil, err
	}
	if err := checkLengths(secrets, s.MinSecret, d.secretBytes); err != nil {
		return nil, fmt.Errorf("%w; min_secret allows it", err)
	}
	if err := p.readFields(d); err != nil {
		return nil, err
	}
	p.traits = d.traits(scheme, p)
	return p, nil
}

// prove makes the proof of the declaration.
func (d Declaration) prove(secrets []string, weak bool) (proof, error) {
	switch t := d.Token; {
	case t == nil:
		declared := slices.Clone(d.Signatures)
		if weak {
			declared = append(declared, d.Weak...)
		}
		return newAlternatives(declared, secrets)
	case t.Basic:
		return newBasic(secrets), nil
	default:
		return newToken(t.Header, t.Prefix, secrets), nil
	}
}

func (p *Declared) readFields(d Declaration) (err error) {
	for _, f := range []struct {
		into  *field
		texts []string
	}{{&p.id, d.ID}, {&p.typ, d.Type}, {&p.account, d.Account}, {&p.time, d.Time}} {
		if *f.into, err = parseField(f.texts); err != nil {
			return err
		}
	}
	if len(d.Batch) > 0 {
		p.batch = newLists(parsePointers(d.Batch))
	}
	p.empty = parsePointers(d.Empty)
	p.bodies = newBodyChecks(d.Bodies)
	for _, pointer := range d.Attempts {
		pointer, root := strings.CutPrefix(pointer, "^")
		p.attempts = append(p.attempts, attempt{pointer: parsePointer(pointer), root: root})
	}
	return nil
}

func (d Declaration) traits(scheme string, p *Declared) Traits {
	t := Traits{Scheme: scheme, MaxBody: d.MaxBody, MediaTypes: d.MediaTypes, Refusal: d.Refusal}
	if t.MaxBody == 0 {
		t.MaxBody = defaultMaxBody
	}
	if len(t.MediaTypes) == 0 {
		t.MediaTypes = []string{jsonType}
	}
	t.UntypedBody = len(t.MediaTypes) == 1
	kept := []string{"User-Agent"}
	kept = append(append(append(kept, p.id.headers()...), p.typ.headers()...), canonical(d.Headers)...)
	if all, ok := p.proof.(alternatives); ok {
		for _, v := range all {
			kept = append(kept, v.IDHeader, v.Timestamp.Header)
			t.SignsURL = t.SignsURL || signs(v.parts, partURL) || signs(v.parts, partDecodedURL)
		}
	}
	slices.Sort(kept)
	t.Headers = slices.DeleteFunc(slices.Compact(kept), func(name string) bool { return name == "" })
	t.ProbeMethods = p.greet.methods
	return t
}

// Verify checks the request under the declared scheme.
func (p *Declared) Verify(r *Request, now time.Time) error {
	switch {
	case p.pairing && p.greet.pairs(r):
		return nil
	case p.proof == nil:
		return unverified(ReasonPairing)
	}
	err := p.proof.Verify(r, now)
	if err != nil && p.greet.tests != nil && p.greet.tests(r) {
		return nil
	}
	return err
}

// Sign signs as the sender does. Without a secret yet it leaves r as it is.
func (p *Declared) Sign(r *Request, now time.Time) {
	if p.proof != nil {
		p.proof.Sign(r, now)
	}
}

// Identify reads the declared fields. An id that is nowhere is made of the body's hash, so that what is genuine is not
// lost for it; a type that is nowhere is "unknown".
func (p *Declared) Identify(r *Request) (event.Event, error) {
	c, err := p.content(r)
	if err != nil {
		return event.Event{}, err
	}
	return p.identify(c)
}

// IdentifyAll reads the events of the declared lists; see lists. A body that has none of the lists is one event, which
// Identify reads.
func (p *Declared) IdentifyAll(r *Request) ([]event.Event, bool, error) {
	if p.batch == nil {
		return nil, false, nil
	}
	c, err := p.content(r)
	if err != nil || c.body.kind() == 0 {
		return nil, false, err
	}
	events, size := []event.Event{}, 0
	found := p.batch.items(c.body, func(item listItem) bool {
		e := p.identifyItem(c, item)
		size += len(e.Body)
		events = append(events, e)
		err = checkItems(len(events), size)
		return err == nil
	})
	switch {
	case err != nil:
		return nil, true, err
	case found > 0:
		return events, true, nil
	case !p.batch.present(c.body):
		return nil, false, nil
	case p.documentedEmpty(c.body):
		return nil, true, nil
	}
	return []event.Event{p.identifyItem(c, listItem{value: c.body})}, true, nil
}

// documentedEmpty reports whether the body holds no event because the sender documents it so.
func (p *Declared) documentedEmpty(body jsonValue) bool {
	return slices.ContainsFunc(p.empty, func(pointer []string) bool {
		list := body.at(pointer)
		if list.kind() != '[' {
			return false
		}
		it := list.items()
		return !it.next()
	})
}

// identifyItem reads one event of a list. One of which nobody declared where its id stands has a digest for it.
func (p *Declared) identifyItem(c *content, item listItem) event.Event {
	c.item, c.levels, c.list, c.text = item.value, item.levels, item.list, item.whole()
	c.digested = p.digested(c, &item)
	e, err := p.identify(c)
	if err != nil || !item.declared {
		e.EventID, _ = fieldPart{place: placeSHA256}.value(c)
	}
	e.ContentType = jsonType
	return e
}

// digested is what the digest of an event covers: the event and its envelope, less the counters of attempts.
func (p *Declared) digested(c *content, item *listItem) []byte {
	if len(p.attempts) == 0 || c.body.kind() == 0 {
		return c.text
	}
	inside, text := item.value, *item
	for _, a := range p.attempts {
		if !a.root {
			inside = checkedJSON(inside.without(a.pointer))
		}
	}
	text.value = inside
	whole := checkedJSON(text.whole())
	for _, a := range p.attempts {
		if a.root {
			whole = checkedJSON(whole.without(a.pointer))
		}
	}
	return whole.bytes()
}

// content parses the body as its media type says.
func (p *Declared) content(r *Request) (*content, error) {
	c := &content{r: r, text: r.Body, digested: r.Body}
	if v, ok := p.proof.(alternatives); ok {
		if v := v.of(r.Header); v != nil && v.IDHeader != "" {
			c.id = r.Header.Get(v.IDHeader)
		}
	}
	var err error
	switch media := event.MediaType(r.Header.Get("Content-Type")); {
	case media == jsonType || media == "text/json" || strings.HasSuffix(media, "+json") || media == "" && slices.Contains(p.traits.MediaTypes, jsonType):
		c.body, err = parseJSON(r.Body)
		if k := c.body.kind(); err == nil && k != '{' && (k != '[' || p.batch == nil) {
			err = noEvent("the body is not a JSON object")
		}
		c.item, c.levels = c.body, []jsonValue{c.body}
		c.digested = p.digested(c, &listItem{value: c.body})
	case media == formType:
		if c.form, err = event.ParseForm(r.Body); err != nil {
			err = noEvent("%s", err)
		}
	}
	return c, err
}

// object is the JSON of the body, of a form that of its field payload.
func (c *content) object() jsonValue {
	if c.body.kind() != 0 || !c.form.Has("payload") {
		return c.body
	}
	body, err := parseJSON([]byte(c.form.Get("payload")))
	if err != nil {
		return jsonValue{}
	}
	return body
}

func (p *Declared) identify(c *content) (event.Event, error) {
	e := event.Event{Body: c.text}
	for _, f := range []struct {
		into *string
		from field
	}{{&e.EventID, p.id}, {&e.Type, p.typ}, {&e.Account, p.account}} {
		var err error
		if *f.into, err = f.from.value(c); err != nil {
			return e, err
		}
	}
	if e.EventID == "" {
		e.EventID, _ = fieldPart{place: placeSHA256}.value(c)
	}
	if e.Type == "" || p.bodies.contradict(c.r.Header, c.object()) {
		e.Type = unknownType
	}
	occurred, err := p.time.value(c)
	if err == nil {
		e.OccurredAt = occurredAt(occurred)
	}
	return e, nil
}

// Answer returns the declared answer.
func (p *Declared) Answer(*event.Event) *Answer { return p.answer }

// Traits says how the requests look.
func (p *Declared) Traits() Traits { return p.traits }

// Probe answers the declared handshake, where it comes without a signature.
func (p *Declared) Probe(r *Request) (*Greeting, error) {
	if p.greet.probe == nil {
		return nil, nil
	}
	return p.greet.probe(p, r)
}

// Greet answers the declared handshake, where it is signed.
func (p *Declared) Greet(r *Request) (*Greeting, error) {
	switch {
	case p.greet.tests != nil && p.greet.tests(r):
		return &Greeting{}, nil
	case p.greet.greet == nil:
		return nil, nil
	}
	return p.greet.greet(p, r)
}

// secretBytes counts the bytes of a secret that sign. A token's or basic secret is measured as it is written.
func (d Declaration) secretBytes(secret string) int {
	if d.Token == nil && len(d.Signatures) > 0 {
		s := d.Signatures[0]
		if decoded, err := decodeSecret(strings.TrimPrefix(secret, s.SecretPrefix), s.withDefaults().SecretEncoding); err == nil {
			return len(decoded)
		}
	}
	return len(secret)
}

func canonical(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = http.CanonicalHeaderKey(name)
	}
	return all
}
