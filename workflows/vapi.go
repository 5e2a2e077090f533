package workflows

import (
	"hookflow/event"

	"go.temporal.io/sdk/workflow"
)

// VapiWebhook handles one Vapi server message: a call's status, its end-of-call report. Arguments and errors are
// StripeWebhook's.
func VapiWebhook(ctx workflow.Context, e event.Event, body []byte) error {
	return process(ctx, e, body)
}
