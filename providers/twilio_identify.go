package providers

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"hookflow/event"
)

// The types that are not made from a status word of Twilio's. The others are call.<CallStatus>,
// message.<MessageStatus>, recording.<RecordingStatus> and conference.<StatusCallbackEvent>.
const (
	twilioCallIncoming    = "call.incoming"    // instructions are wanted for a call to us
	twilioCallOutgoing    = "call.outgoing"    // … for a call that we placed
	twilioMessageReceived = "message.received" // somebody sent us a message
	twilioUnknown         = "unknown"          // genuine, of a kind that is not told apart
)

// twilioRequest is a verified request on its way to being recognised.
type twilioRequest struct {
	form   event.Form
	digest string // SHA-256 of the canonical signed string, in hexadecimal digits
	token  string // the idempotency token, empty where none was sent
}

// Identify implements Provider. It makes the checks that the signature leaves open (nothing delimits the parameters, see
// signedForm.cut): an AccountSid, the configured one where one is set. The kind is read from the parameters only where each
// can be told apart: SIDs, sequence number and status words of their shapes, with one value each, and no identifying name
// inside another value. What cannot be told apart is "unknown" under the SHA-256 of its canonical signed string: nothing
// genuine is refused for a text that somebody else wrote, and however a signed string is cut, it is one event. That string
// is canonicalURL(r.URL) and the parameters as signForm writes them.
func (t *Twilio) Identify(r *Request) (event.Event, error) {
	form, signed, err := readTwilio(r)
	if err != nil {
		return event.Event{}, err
	}
	account, err := t.account(form, isJSON(r))
	if err != nil {
		return event.Event{}, err
	}
	sum := sha256.Sum256([]byte(signed.text))
	request := twilioRequest{form: form, digest: hex.EncodeToString(sum[:]), token: idempotencyToken(r.Header)}
	id, kind := request.unrecognised()
	if cut, _ := signed.cut(); cut == cutProper && toldApart(form) {
		if id, kind = request.recognise(); kind == twilioUnknown && isJSON(r) {
			kind = twilioEventType(form)
		}
	}
	return event.Event{
		EventID:    id,
		Type:       kind,
		Account:    account,
		OccurredAt: twilioTime(form.Get("Timestamp")),
		Body:       r.Body,
	}, nil
}

// twilioEventType is the type that a JSON body names, as Intelligence
// (https://www.twilio.com/docs/conversational-intelligence/api/service-resource) and Verify do.
func twilioEventType(form event.Form) string {
	for _, name := range []string{"event_type", "type"} {
		if word := form.Get(name); word != "" && fitsName(word) {
			return word
		}
	}
	return twilioUnknown
}

// fitsName reports whether s is a name of a type: letters, digits, dots, hyphens and underscores.
func fitsName(s string) bool {
	return len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r|0x20) < 'a' && (r < '0' || r > '9') && r != '.' && r != '-' || (r|0x20) > 'z' && r != '_'
	})
}

// readTwilio returns the parameters of a request and its canonical signed string. A JSON object is read as a form of the
// same names; its signed string is the URL, which holds the hash of the body.
func readTwilio(r *Request) (event.Form, signedForm, error) {
	url := canonicalURL(r.URL)
	if !isJSON(r) {
		form, err := event.ParseForm(r.Body)
		if err != nil {
			return nil, signedForm{}, noEvent("%s", err)
		}
		return form, signForm(url, form), nil
	}
	form, err := event.FormOfJSON(r.Body)
	if err != nil {
		return nil, signedForm{}, noEvent("%s", err)
	}
	return form, signForm(url, nil), nil
}

// account returns the account of a request: AccountSid, in JSON also account_sid, which some products leave out.
func (t *Twilio) account(form event.Form, isJSON bool) (string, error) {
	account := form.Get("AccountSid")
	if account == "" && isJSON {
		account = form.Get("account_sid")
	}
	for _, other := range form.Values("AccountSid") {
		if other != account {
			return "", noEvent("AccountSid has two values")
		}
	}
	switch {
	case account == "" && isJSON && t.accountSID == "":
		return "", nil
	case account == "":
		return "", noEvent("AccountSid is missing")
	case !isSID(account, "AC"):
		return "", noEvent("AccountSid is not AC and 32 lower-case hexadecimal digits")
	case t.accountSID != "" && account != t.accountSID:
		return "", noEvent("AccountSid is not the configured account")
	}
	return account, nil
}

// toldApart reports whether each identifying parameter has one value, of its shape.
func toldApart(form event.Form) bool {
	for _, id := range identifying {
		first := form.Get(id.name)
		for _, value := range form.Values(id.name) {
			if value != first {
				return false
			}
		}
		if first != "" && id.fits(first) != len(first) {
			return false
		}
	}
	return true
}

// recognise returns the id and the type of the first kind that fits. No id holds what only one of two copies of a
// request holds, except the unsigned idempotency token in requests for instructions, which Twilio means to repeat.
func (r twilioRequest) recognise() (id, kind string) {
	kinds := []func(twilioRequest) (string, string){
		recordingStatus, conferenceEvent, callStatus, callInstructions, plainCallStatus, messageStatus, incomingMessage,
	}
	for _, recognise := range kinds {
		if id, kind := recognise(r); id != "" {
			return id, kind
		}
	}
	return r.unrecognised()
}

// unrecognised names a request by its signed string, which no cutting changes.
func (r twilioRequest) unrecognised() (id, kind string) { return "sha256-" + r.digest, twilioUnknown }

// sid returns the value of a parameter if it is a SID of one of the kinds.
func (r twilioRequest) sid(name string, kinds ...string) string {
	if value := r.form.Get(name); isSID(value, kinds...) {
		return value
	}
	return ""
}

func (r twilioRequest) hasAny(names ...string) bool {
	for _, name := range names {
		if r.form.Get(name) != "" {
			return true
		}
	}
	return false
}

// recordingStatus: a recording began, is ready, or holds no sound. The callback names its call or conference as well,
// so it is looked for first.
func recordingStatus(r twilioRequest) (id, kind string) {
	recording, status := r.sid("RecordingSid", "RE"), r.form.Get("RecordingStatus")
	if recording == "" || status == "" {
		return "", ""
	}
	return recording + ":" + status, "recording." + status
}

// conferenceEvent: something happened in a conference. Old ones without a number are told apart by their content.
func conferenceEvent(r twilioRequest) (id, kind string) {
	conference, what := r.sid("ConferenceSid", "CF"), r.form.Get("StatusCallbackEvent")
	if conference == "" || what == "" {
		return "", ""
	}
	number := r.form.Get(sequenceNumber)
	if number == "" {
		number = "sha256-" + r.digest
	}
	return conference + ":" + number, "conference." + what
}

// call returns the call and its status, if the request is about a call alone. One that names a message as well may have
// been cut out of the message's text.
func (r twilioRequest) call() (sid, status string) {
	sid, status = r.sid("CallSid", "CA"), r.form.Get("CallStatus")
	if status == "" || r.hasAny("MessageSid", "SmsSid", "TranscriptionSid") {
		return "", ""
	}
	return sid, status
}

// callStatus: a status callback, known by what no request for instructions carries.
func callStatus(r twilioRequest) (id, kind string) {
	call, status := r.call()
	if call == "" || !r.hasAny(sequenceNumber, "CallbackSource", "CallDuration", "Timestamp") {
		return "", ""
	}
	which := r.form.Get(sequenceNumber)
	if which == "" {
		which = status
	}
	return call + ":" + which, "call." + status
}

// callInstructions: Twilio wants TwiML, for an inbound call that rings or goes on (each <Gather>, <Dial> and <Redirect>
// asks again, so the id is made of the content) or for a call that we placed and that was answered.
func callInstructions(r twilioRequest) (id, kind string) {
	call, status := r.call()
	direction := r.form.Get("Direction")
	switch {
	case call == "":
		return "", ""
	case direction == "inbound" && (status == "ringing" || status == "in-progress"):
		kind = twilioCallIncoming
	case strings.HasPrefix(direction, "outbound") && status == "in-progress":
		kind = twilioCallOutgoing
	default:
		return "", ""
	}
	id = call + ":" + r.digest[:16]
	if r.token != "" {
		id += ":" + r.token
	}
	return id, kind
}

// plainCallStatus: a status and nothing else. The results of a verb that arrive after the call has ended carry the same
// status each, so they are left to "unknown", where the content tells them apart.
func plainCallStatus(r twilioRequest) (id, kind string) {
	call, status := r.call()
	if call == "" || r.hasAny("Digits", "SpeechResult", "DialCallStatus", "RecordingUrl", "QueueResult") {
		return "", ""
	}
	return call + ":" + status, "call." + status
}

// message returns the message that the request is about, if it is not about a call as well. SmsSid is the older name of
// MessageSid; where both are sent they are equal.
func (r twilioRequest) message() string {
	if r.hasAny("CallSid") {
		return ""
	}
	return cmp.Or(r.sid("MessageSid", "SM", "MM"), r.sid("SmsSid", "SM", "MM"))
}

// messageStatus: a message that we sent has got further.
func messageStatus(r twilioRequest) (id, kind string) {
	message, status := r.message(), r.form.Get("MessageStatus")
	if message == "" || status == "" {
		return "", ""
	}
	return message + ":" + status, "message." + status
}

// incomingMessage: somebody sent a message. SmsStatus says "received"; without it a Body says as much.
func incomingMessage(r twilioRequest) (id, kind string) {
	status := r.form.Get("SmsStatus")
	if status != "received" && (status != "" || !r.form.Has("Body")) {
		return "", ""
	}
	return r.message(), twilioMessageReceived
}

// idempotencyToken returns the token if it came once and is up to 128 bytes of printable ASCII (Twilio sends a UUID).
// Anything else is passed over: the header is not signed, so it must not be able to spoil a genuine request.
func idempotencyToken(h http.Header) string {
	values := h.Values(twilioToken)
	if len(values) != 1 || len(values[0]) > 128 {
		return ""
	}
	if strings.ContainsFunc(values[0], func(c rune) bool { return c <= ' ' || c > '~' }) {
		return ""
	}
	return values[0]
}

// twilioTime reads the Timestamp of status callbacks, RFC 2822 with a numeric zone. Other forms are left unknown.
func twilioTime(s string) time.Time {
	at, err := time.Parse("Mon, 2 Jan 2006 15:04:05 -0700", s)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
