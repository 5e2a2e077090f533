package workflows

import (
	"hookflow/event"

	"go.temporal.io/sdk/workflow"
)

// TwilioWebhook handles one Twilio callback: a call's or a message's status, a recording, a conference. Statuses arrive
// in any order; the handlers rank them. Arguments and errors are StripeWebhook's.
func TwilioWebhook(ctx workflow.Context, e event.Event, body []byte) error {
	return process(ctx, e, body)
}
