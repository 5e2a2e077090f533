package activities

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"hookflow/event"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
)

// Twilio handles Twilio's callbacks. Its methods are registered as twilio.<Method>.
type Twilio struct {
	Once Once
	Now  func() time.Time
}

// StatusResult is what a handler that follows a status leaves on the step.
type StatusResult struct {
	Sid    string `json:"sid"`
	Status string `json:"status"`
}

// callRank orders the statuses of a call; of two different ends the first stays
// (twilio.com/docs/voice/api/call-resource#call-status-values).
var callRank = map[string]int{
	"queued": 0, "initiated": 1, "ringing": 2, "in-progress": 3,
	"completed": 4, "busy": 4, "failed": 4, "no-answer": 4, "canceled": 4,
}

// RecordCall keeps twilio_calls, one row per call, moved forward only: callbacks arrive in any order. The row holds
// content: the two phone numbers. It fails with InvalidPayload when there is no call in the event.
func (t *Twilio) RecordCall(ctx context.Context, e event.Event) (json.RawMessage, error) {
	form, err := event.ReadForm(e.ContentType, e.Body)
	if err != nil || form.Get("CallSid") == "" || form.Get("CallStatus") == "" {
		return nil, invalidPayload("the callback holds no call")
	}
	row := store.Call{
		CallSid: form.Get("CallSid"), AccountSid: form.Get("AccountSid"), ParentCallSid: form.Get("ParentCallSid"),
		Direction: form.Get("Direction"), From: form.Get("From"), To: form.Get("To"),
		Status: form.Get("CallStatus"), Rank: callRank[form.Get("CallStatus")],
		Duration: number(form.Get("CallDuration")), SipResponse: form.Get("SipResponseCode"), Event: e.ID,
	}
	effects := &pgx.Batch{}
	row.Queue(effects, t.Now())
	return t.Once.Batch(ctx, &e, effects, StatusResult{row.CallSid, row.Status})
}

// messageRank orders the statuses of a message. delivered may come before sent; read follows delivered
// (twilio.com/docs/messaging/api/message-resource#message-status-values).
var messageRank = map[string]int{
	"accepted": 0, "scheduled": 0, "queued": 1, "receiving": 1, "sending": 2, "sent": 3,
	"delivered": 4, "undelivered": 4, "failed": 4, "canceled": 4, "received": 4, "read": 5,
}

// RecordMessage keeps twilio_messages, one row per message, moved forward only. The row holds content: the two
// addresses, not the text. It fails with InvalidPayload when there is no message in the event.
func (t *Twilio) RecordMessage(ctx context.Context, e event.Event) (json.RawMessage, error) {
	form, err := event.ReadForm(e.ContentType, e.Body)
	status := form.Get("MessageStatus")
	if status == "" {
		status = form.Get("SmsStatus")
	}
	if err != nil || form.Get("MessageSid") == "" || status == "" {
		return nil, invalidPayload("the callback holds no message")
	}
	row := store.Message{
		MessageSid: form.Get("MessageSid"), AccountSid: form.Get("AccountSid"), From: form.Get("From"), To: form.Get("To"),
		Status: status, Rank: messageRank[status], ErrorCode: form.Get("ErrorCode"), NumMedia: number(form.Get("NumMedia")), Event: e.ID,
	}
	effects := &pgx.Batch{}
	row.Queue(effects, t.Now())
	return t.Once.Batch(ctx, &e, effects, StatusResult{row.MessageSid, row.Status})
}

// number is nil for anything but a number that fits a Postgres integer.
func number(s string) *int {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return nil
	}
	small := int(n)
	return &small
}
