package workflows

import (
	"hookflow/event"

	"go.temporal.io/sdk/workflow"
)

// StripeWebhook handles one Stripe event. Stripe promises no order and may send two events for one fact, so its
// handlers move an object forward only (docs.stripe.com/webhooks).
//
// e is a reference when the ledger holds the event, and whole when body is not nil: the packed body then travels inside
// the input, because the ledger was away. It returns an error when a step of the plan failed for good.
func StripeWebhook(ctx workflow.Context, e event.Event, body []byte) error {
	return process(ctx, e, body)
}
