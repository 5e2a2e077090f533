package providers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"hookflow/event"
)

// The headers of Plivo's signatures. Those of a sub-account's request are signed with the sub-account's token in the plain
// header, and with the main account's in the one with Ma.
var (
	plivoV3      = [2]string{"X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3"}
	plivoV2      = [2]string{"X-Plivo-Signature-V2", "X-Plivo-Signature-Ma-V2"}
	plivoV3Nonce = "X-Plivo-Signature-V3-Nonce"
	plivoV2Nonce = "X-Plivo-Signature-V2-Nonce"
)

// plivoNonce is the form of a nonce. A dot in one would move the border of what is signed.
var plivoNonce = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// PlivoConfig is what NewPlivo needs to know.
type PlivoConfig struct {
	Tokens []string // the current auth tokens
	// AllowV2 takes version 2 of the signature in place of version 3. It covers the URL without query and the nonce:
	// nothing of the event.
	AllowV2 bool
}

// Plivo verifies and reads the callbacks of Plivo's calls and messages, version 3 of the signature.
// https://www.plivo.com/docs/voice/concepts/signature-validation
type Plivo struct {
	tokens  []string
	version int
}

var _ Signer = (*Plivo)(nil)

// NewPlivo refuses no token, more than MaxSecrets, and an empty one.
func NewPlivo(c PlivoConfig) (*Plivo, error) {
	tokens, err := currentSecrets(c.Tokens)
	if err != nil {
		return nil, err
	}
	p := &Plivo{tokens: tokens, version: 3}
	if c.AllowV2 {
		p.version = 2
	}
	return p, nil
}

// Verify implements Provider. No time is signed: only the ids of the events make a replay a duplicate.
func (p *Plivo) Verify(r *Request, _ time.Time) error {
	signatures, nonceHeader := plivoV3, plivoV3Nonce
	if p.version == 2 {
		signatures, nonceHeader = plivoV2, plivoV2Nonce
	}
	nonce, err := only(r.Header, nonceHeader)
	if err != nil {
		return err
	}
	if !plivoNonce.MatchString(nonce) {
		return unverified(ReasonMalformed)
	}
	given, err := plivoSignatures(r.Header, signatures)
	if err != nil {
		return err
	}
	text, ok := p.signedText(r, nonce)
	if !ok {
		return unverified(ReasonMalformed)
	}
	var wanted [][]byte
	for _, token := range p.tokens {
		wanted = append(wanted, plivoSum(token, text))
	}
	if !matches(wanted, given) {
		return unverified(ReasonMismatch)
	}
	return nil
}

func plivoSum(token, text string) []byte {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// plivoSignatures reads the lists of signatures, separated by commas, of the headers that are there.
func plivoSignatures(h http.Header, names [2]string) ([][]byte, error) {
	var given [][]byte
	for _, name := range names {
		if len(h.Values(name)) == 0 {
			continue
		}
		list, err := only(h, name)
		if err != nil {
			return nil, err
		}
		for text := range strings.SplitSeq(list, ",") {
			sum := make([]byte, sha256.Size)
			if !decodeDigest(sum, text, encodingBase64) || len(given) == maxSignatures {
				return nil, unverified(ReasonMalformed)
			}
			given = append(given, sum)
		}
	}
	if len(given) == 0 {
		return nil, unverified(ReasonMissing)
	}
	return given, nil
}

// signedText is what is signed. Version 2: the URL without query, then the nonce. Version 3: plivoSigned, a dot, the nonce.
func (p *Plivo) signedText(r *Request, nonce string) (string, bool) {
	if p.version == 2 {
		u := splitURL(r.URL)
		u.query = ""
		return u.text() + nonce, true
	}
	form, err := event.ParseForm(r.Body)
	if err != nil {
		return "", false
	}
	signed, ok := plivoSigned(r.Method, r.URL, form)
	return signed.text + "." + nonce, ok
}

// plivoSigned writes the signed string of a request without its nonce, as Plivo's libraries do: the URL without query; a
// question mark if there are parameters; those of the query decoded, sorted, as name=value joined by &; of a POST, a dot
// behind those, and its parameters sorted, name and value without anything between.
func plivoSigned(method, url string, form event.Form) (signedForm, bool) {
	u := splitURL(url)
	query, err := event.ParseForm([]byte(strings.TrimPrefix(u.query, "?")))
	if err != nil {
		return signedForm{}, false
	}
	u.query = ""
	text := u.text()
	if method == http.MethodGet {
		query, form = append(query, form...), nil
	}
	if len(query) > 0 || len(form) > 0 {
		text += "?"
	}
	text += plivoQuery(query)
	if len(query) > 0 && len(form) > 0 {
		text += "."
	}
	signed := signForm(text, form)
	signed.prose = "Text"
	return signed, true
}

func plivoQuery(query event.Form) string {
	pieces := make([]string, len(query))
	for i, p := range sortedForm(query) {
		pieces[i] = p.Name + "=" + p.Value
	}
	return strings.Join(pieces, "&")
}

// The types that are not made of a status word of Plivo's.
const (
	plivoCallIncoming    = "call.incoming" // instructions are wanted for a call to us
	plivoCallOutgoing    = "call.outgoing" // … for a call that we placed
	plivoCallGoesOn      = "call.continue" // … in the middle of a call: digits, a redirect
	plivoMessageReceived = "message.received"
)

// plivoTelling are the parameters on which the id or the kind of an event depends, see signedForm.cutBy.
var plivoTelling = []telling{
	{"CallUUID", fitsUUID},
	{"MessageUUID", fitsUUID},
	{"CallStatus", fitsWord},
}

// plivoID is the form of Plivo's uuids.
var plivoID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

func fitsUUID(s string) int { return len(plivoID.FindString(s)) }

// plivoFinal are the statuses with which a call ends.
var plivoFinal = []string{"completed", "busy", "failed", "timeout", "no-answer", "cancel", "machine", "rejected"}

// Identify recognises a message by MessageUUID and Status, a call by CallUUID and CallStatus. A request for the instructions
// of a call comes several times under one status (the start, each digit), so its content is part of the id; everything else
// genuine is "unknown" under the hash of what was signed. As nothing delimits the parameters, an id that stands outside its
// place in the signed string is refused: the request was cut anew.
func (p *Plivo) Identify(r *Request) (event.Event, error) {
	form, err := event.ParseForm(r.Body)
	if err != nil {
		return event.Event{}, noEvent("%s", err)
	}
	signed, ok := plivoSigned(r.Method, r.URL, form)
	if !ok {
		return event.Event{}, noEvent("the query cannot be read")
	}
	e := event.Event{Body: r.Body, EventID: sumID([]byte(signed.text)), Type: unknownType}
	if worst, _ := signed.cutBy(plivoTelling); worst == cutProper && plivoToldApart(form) {
		recognisePlivo(&e, form, shortHash([]byte(signed.text)))
	}
	return e, nil
}

// plivoToldApart reports whether each telling parameter has one value, of its shape.
func plivoToldApart(form event.Form) bool {
	return !slices.ContainsFunc(plivoTelling, func(t telling) bool {
		value := form.Get(t.name)
		return len(form.Values(t.name)) > 1 || value != "" && t.fits(value) != len(value)
	})
}

func recognisePlivo(e *event.Event, form event.Form, digest string) {
	message, call, status := form.Get("MessageUUID"), form.Get("CallUUID"), form.Get("CallStatus")
	switch {
	case message != "" && call == "" && fitsWord(form.Get("Status")) > 0:
		e.EventID, e.Type = composeID(message, form.Get("Status"), digest), "message."+form.Get("Status")
	case message != "" && call == "":
		e.EventID, e.Type = composeID(message, digest), plivoMessageReceived
	case call == "" || status == "" || message != "":
	case form.Get("Event") == "Hangup" || slices.Contains(plivoFinal, status), form.Get("Event") == "Ring":
		e.EventID, e.Type = composeID(call, status, digest), "call."+status
	default:
		e.EventID, e.Type = composeID(call, status, digest), plivoCallGoesOn
		if form.Get("Event") == "StartApp" {
			e.Type = plivoCallOutgoing
			if form.Get("Direction") == "inbound" {
				e.Type = plivoCallIncoming
			}
		}
	}
}

// Answer gives a call that wants instructions an empty document, which ends it; everything else an empty 200.
func (p *Plivo) Answer(e *event.Event) *Answer {
	switch e.Type {
	case plivoCallIncoming, plivoCallOutgoing, plivoCallGoesOn:
		return &Answer{ContentType: "application/xml", Body: []byte("<Response></Response>"),
			Warning: "a call was answered with an empty document: no route replies to it, so it ends"}
	}
	return &Answer{}
}

// Traits says how the requests look.
func (p *Plivo) Traits() Traits {
	return Traits{Scheme: "plivo", MaxBody: 1 << 20, MediaTypes: []string{formType}, Headers: []string{"User-Agent"}, SignsURL: true}
}

// Sign implements Signer with the first token. The nonce is the one that r already carries, else made of the body.
func (p *Plivo) Sign(r *Request, now time.Time) {
	signature, nonceHeader := plivoV3[0], plivoV3Nonce
	if p.version == 2 {
		signature, nonceHeader = plivoV2[0], plivoV2Nonce
	}
	nonce := r.Header.Get(nonceHeader)
	if nonce == "" {
		nonce = shortHash(append([]byte(now.UTC().Format(time.RFC3339Nano)), r.Body...))
	}
	text, _ := p.signedText(r, nonce)
	setHeader(r, nonceHeader, nonce)
	setHeader(r, signature, base64.StdEncoding.EncodeToString(plivoSum(p.tokens[0], text)))
}

var plivoKind = Kind{
	Identity: Identity{Rule: IdentityComposed, Docs: "https://www.plivo.com/docs/messaging/concepts/message-status-callbacks"},
	Name:     "plivo", Title: "Plivo", Docs: "https://www.plivo.com/docs/voice/concepts/signature-validation",
	Variable: "PLIVO_AUTH_TOKEN", Secret: "the auth token of the account, from the console's overview",
	Dashboard: []string{
		"Set HOOKFLOW_PUBLIC_URL to scheme and host as typed into Plivo's console: Plivo signs the URL that it calls.",
		"Use {url} with method POST as hangup URL and message URL, and as answer URL of applications.",
		"Copy the auth token into {variable}.",
	},
	ID:   "`MessageUUID:Status` or `CallUUID:CallStatus`, and a hash of the parameters",
	Type: "`message.<Status>`, `message.received`, `call.<CallStatus>`, `call.incoming`, `call.outgoing`, `call.continue`",
	Notes: []string{
		"No time is signed and nothing stands between the parameters: ids of another shape, and ids outside their place, are refused.",
		"A request for the instructions of a call is answered with an empty document where no [route replies](replies.md) to it.",
		"Version 2 of the signature covers nothing of the event: the scheme plivo-v2 needs allow_weak.",
	},
	Samples: plivoSamples,
	Build:   func(s Settings) (Provider, error) { return NewPlivo(PlivoConfig{Tokens: s.Secrets}) },
}

var plivoV2Kind = Kind{
	Identity: Identity{Rule: IdentityComposed, Docs: "https://www.plivo.com/docs/messaging/concepts/message-status-callbacks"},
	Name:     "plivo-v2", Title: "Plivo, version 2 of the signature", Docs: "https://www.plivo.com/docs/voice/concepts/signature-validation",
	Variable: "PLIVO_V2_AUTH_TOKEN", Secret: "the auth token of the account, from the console's overview",
	Dashboard: []string{"Use the scheme plivo instead wherever the sender offers version 3."},
	ID:        "as plivo", Type: "as plivo",
	Weak:    "version 2 of Plivo's signature covers the URL and a nonce, nothing of the event",
	Samples: plivoSamples,
	Build:   func(s Settings) (Provider, error) { return NewPlivo(PlivoConfig{Tokens: s.Secrets, AllowV2: true}) },
}

var plivoForm = map[string]string{"Content-Type": formType}

// plivoSamples follow https://www.plivo.com/docs/voice/concepts/callbacks and
// https://www.plivo.com/docs/messaging/concepts/message-status-callbacks.
var plivoSamples = []Sample{
	{Name: "call.completed", Header: plivoForm, Body: "CallUUID={{.UUID .ID}}\nFrom=15005550006\nTo=15005550007\nCallStatus=completed\nDirection=outbound\nALegUUID={{.UUID \"aleg\"}}\nALegRequestUUID={{.UUID \"aleg\"}}\nRequestUUID={{.UUID \"request\"}}\nEvent=Hangup\nDuration=12\nBillDuration=60\nBillRate=0.002\nTotalCost=0.002\nHangupCauseName=Normal Hangup\nHangupCauseCode=4000\nHangupSource=Callee\n"},
	{Name: "message.delivered", Header: plivoForm, Body: "MessageUUID={{.UUID .ID}}\nParentMessageUUID={{.UUID .ID}}\nPartInfo=1 of 1\nStatus=delivered\nFrom=15005550006\nTo=15005550007\nTotalAmount=0.0050\nTotalRate=0.0050\nUnits=1\nMCC=310\nMNC=004\nErrorCode=000\n"},
}
