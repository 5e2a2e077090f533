package workflows

import (
	"hookflow/event"

	"go.temporal.io/sdk/workflow"
)

// GenericWebhook handles an event of any provider without a workflow type of its own. Arguments and errors are
// StripeWebhook's.
func GenericWebhook(ctx workflow.Context, e event.Event, body []byte) error {
	return process(ctx, e, body)
}
