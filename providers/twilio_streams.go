package providers

import (
	"bytes"

	"hookflow/event"
)

var _ Batcher = (*Twilio)(nil)

// IdentifyAll reads a batch of Event Streams: a JSON array of CloudEvents 1.0, which Twilio delivers at least once and in
// any order. Each has an id (EZ…) and a type (com.twilio.messaging.message.delivered) of its own; the account is the one
// that its data names. A batch that names another account than the configured one is refused whole.
// https://www.twilio.com/docs/events/webhook-quickstart
func (t *Twilio) IdentifyAll(r *Request) (events []event.Event, batch bool, err error) {
	if !isJSON(r) || !bytes.HasPrefix(bytes.TrimLeft(r.Body, " \t\r\n"), []byte("[")) {
		return nil, false, nil
	}
	list, err := parseList(r.Body)
	if err != nil {
		return nil, true, err
	}
	for _, item := range list.elements() {
		e := event.Event{Body: item.bytes()}
		e.EventID, _ = item.member("id").text("id")
		e.Type, _ = item.member("type").text("type")
		occurred, _ := item.member("time").text("time")
		e.OccurredAt = rfc3339Time(occurred)
		if e.Account = streamAccount(item.member("data")); e.Account != "" && t.accountSID != "" && e.Account != t.accountSID {
			return nil, true, noEvent("an event of the batch is not of the configured account")
		}
		events = append(events, e)
	}
	return events, true, nil
}

// streamAccount returns the account that an event's data names; the products write its name in two ways.
func streamAccount(data jsonValue) string {
	for _, name := range []string{"accountSid", "AccountSid", "account_sid"} {
		if account, err := data.member(name).text(name); err == nil && isSID(account, "AC") {
			return account
		}
	}
	return ""
}
