package providers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"hookflow/event"
)

// Adyen verifies and reads the standard webhooks of payments, each item of which carries its own signature.
// https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures
type Adyen struct{ keys [][]byte }

var (
	_ Signer  = (*Adyen)(nil)
	_ Batcher = (*Adyen)(nil)
)

// NewAdyen takes the current HMAC keys, hex as the Customer Area shows them. It refuses none, more than MaxSecrets, and
// what is no hex.
func NewAdyen(hmacKeys []string) (*Adyen, error) {
	texts, err := currentSecrets(hmacKeys)
	if err != nil {
		return nil, err
	}
	a := &Adyen{}
	for i, text := range texts {
		key, err := hex.DecodeString(text)
		if err != nil || len(key) == 0 {
			return nil, fmt.Errorf("HMAC key %d is not hex", i+1)
		}
		a.keys = append(a.keys, key)
	}
	return a, nil
}

// adyenItems returns the items of a webhook: notificationItems[].NotificationRequestItem.
func adyenItems(text []byte) ([]jsonValue, error) {
	body, err := parseObject(text)
	if err != nil {
		return nil, err
	}
	var items []jsonValue
	for _, wrapped := range body.member("notificationItems").elements() {
		item := wrapped.member("NotificationRequestItem")
		if item.kind() != '{' {
			return nil, noEvent("notificationItems holds something that is no NotificationRequestItem")
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return nil, noEvent("the body has no notificationItems")
	}
	return items, nil
}

// adyenSigned are the fields that are signed, joined by colons, in this order.
var adyenSigned = [...]string{
	"pspReference", "originalReference", "merchantAccountCode", "merchantReference", "amount.value", "amount.currency",
	"eventCode", "success",
}

const adyenFree = "merchantReference" // the only one that may hold a colon

// signedText joins the signed fields of an item; a missing one is empty. Only the merchant's own reference may hold a
// colon: with another one in it, the fields could be cut anew. ok is false for such an item and for a field of another kind.
func (a *Adyen) signedText(item jsonValue) (text string, ok bool) {
	var fields [len(adyenSigned)]string
	for i, name := range adyenSigned {
		value := item
		for part := range strings.SplitSeq(name, ".") {
			value = value.member(part)
		}
		var err error
		if fields[i], err = adyenField(value); err != nil || name != adyenFree && strings.Contains(fields[i], ":") {
			return "", false
		}
	}
	return strings.Join(fields[:], ":"), true
}

// adyenField reads a field as it is signed. success is a string in the documentation, a boolean in some libraries.
func adyenField(v jsonValue) (string, error) {
	if truth := v.truth(); truth != nil {
		return string(v.bytes()), nil
	}
	if k := v.kind(); k == '{' || k == '[' {
		return "", errors.New("not a scalar")
	}
	return v.scalar("")
}

// Verify implements Provider: every item must be signed. There is no signed time: only the ids make a replay a duplicate.
func (a *Adyen) Verify(r *Request, _ time.Time) error {
	items, err := adyenItems(r.Body)
	if err != nil {
		return unverified(ReasonMalformed)
	}
	for _, item := range items {
		if err := a.verifyItem(item); err != nil {
			return err
		}
	}
	return nil
}

func (a *Adyen) verifyItem(item jsonValue) error {
	text, err := item.member("additionalData").member("hmacSignature").text("hmacSignature")
	if err == nil && text == "" {
		return unverified(ReasonMissing)
	}
	var given [sha256.Size]byte
	if err != nil || !decodeDigest(given[:], text, encodingBase64) {
		return unverified(ReasonMalformed)
	}
	signed, ok := a.signedText(item)
	if !ok {
		return unverified(ReasonMalformed)
	}
	found := false
	for _, key := range a.keys {
		found = hmac.Equal(adyenSum(key, signed), given[:]) || found
	}
	if !found {
		return unverified(ReasonMismatch)
	}
	return nil
}

func adyenSum(key []byte, signed string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return mac.Sum(nil)
}

// Identify refuses what is no batch; IdentifyAll reads those.
func (a *Adyen) Identify(r *Request) (event.Event, error) {
	_, err := adyenItems(r.Body)
	if err == nil {
		err = noEvent("the body is a batch")
	}
	return event.Event{}, err
}

// IdentifyAll reads each item: pspReference:eventCode:success, which Adyen names as what tells copies apart. The account is
// the merchant account.
func (a *Adyen) IdentifyAll(r *Request) (events []event.Event, batch bool, err error) {
	items, err := adyenItems(r.Body)
	if err != nil {
		return nil, false, nil
	}
	live := (*bool)(nil)
	if body, err := parseObject(r.Body); err == nil {
		live = adyenTruth(body.member("live"))
	}
	for _, item := range items {
		e := event.Event{Body: item.bytes(), Livemode: live}
		reference, _ := item.member("pspReference").text("pspReference")
		success, _ := adyenField(item.member("success"))
		e.Type, _ = item.member("eventCode").text("eventCode")
		e.Account, _ = item.member("merchantAccountCode").text("merchantAccountCode")
		date, _ := item.member("eventDate").scalar("eventDate")
		e.OccurredAt = rfc3339Time(date)
		if reference != "" {
			e.EventID = composeID(reference, e.Type, success)
		}
		events = append(events, e)
	}
	return events, true, nil
}

// adyenTruth reads a boolean that Adyen writes as a string.
func adyenTruth(v jsonValue) *bool {
	if truth := v.truth(); truth != nil {
		return truth
	}
	text, _ := v.text("")
	if text != "true" && text != "false" {
		return nil
	}
	is := text == "true"
	return &is
}

// Answer is the word that Adyen waits for, for the old form of its webhooks; any 2xx does for the new one.
func (a *Adyen) Answer(*event.Event) *Answer {
	return &Answer{ContentType: "text/plain; charset=utf-8", Body: []byte("[accepted]")}
}

// Traits says how the requests look.
func (a *Adyen) Traits() Traits {
	return Traits{Scheme: "adyen", MaxBody: 1 << 20, MediaTypes: []string{jsonType}, Headers: []string{"User-Agent"}}
}

// Sign implements Signer with the first key: it writes a signature into each item. A body without items it leaves as it is.
func (a *Adyen) Sign(r *Request, _ time.Time) {
	items, err := adyenItems(r.Body)
	for i := 0; err == nil && i < len(items); i++ {
		signed, _ := a.signedText(items[i])
		signature := `"` + base64.StdEncoding.EncodeToString(adyenSum(a.keys[0], signed)) + `"`
		if data := items[i].member("additionalData"); data.kind() == '{' {
			r.Body = setMember(data, "hmacSignature", signature)
		} else {
			r.Body = setMember(items[i], "additionalData", `{"hmacSignature":`+signature+`}`)
		}
		items, err = adyenItems(r.Body)
	}
}

var adyenKind = Kind{
	Identity: Identity{Rule: IdentityOwn, Docs: "https://docs.adyen.com/development-resources/webhooks/handle-webhook-events/", Why: "deliveries with the same eventCode and pspReference are called duplicates"},
	Name:     "adyen", Title: "Adyen (standard webhooks)",
	Docs:     "https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures",
	Variable: "ADYEN_HMAC_KEY", Secret: "the HMAC key of the webhook, hex, from Developers → Webhooks",
	Dashboard: []string{
		"Customer Area → Developers → Webhooks → + Webhook → Standard webhook, server URL {url}, method JSON.",
		"Generate an HMAC key under Security and copy it into {variable}. It takes Adyen some minutes to use a new key; list the old one as well until then.",
	},
	Retries: "Three times at once when there is no 2xx within 10 s; then from a queue, for up to 30 days.",
	ID:      "per item `pspReference:eventCode:success`", Type: "`eventCode`",
	Notes: []string{
		"Each item of notificationItems is verified; one false item refuses the request. The answer is `[accepted]`.",
		"Signed are eight fields of an item, no time and not `live`. The webhooks of platforms and of management carry their signature in a header: use the scheme adyen-platform for them.",
	},
	Samples: []Sample{{Name: "AUTHORISATION", Body: `{"live":"false","notificationItems":[{"NotificationRequestItem":{` +
		`"additionalData":{"expiryDate":"12/2030","authCode":"1234","cardSummary":"7777"},"amount":{"currency":"EUR","value":10150},` +
		`"eventCode":"AUTHORISATION","eventDate":"{{.ISO 0}}","merchantAccountCode":"ExampleECOM","merchantReference":"order 1",` +
		`"operations":["CANCEL","CAPTURE","REFUND"],"paymentMethod":"visa","pspReference":"{{.ID}}","reason":"1234:7777:12/2030","success":"true"}}]}`}},
	SecretBytes: inHex,
	Build:       func(s Settings) (Provider, error) { return NewAdyen(s.Secrets) },
}
