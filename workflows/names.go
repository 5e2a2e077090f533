// Package workflows tells the story of a webhook, deterministically: begin, the steps of the plan, finish.
//
// It names activities by string and knows nothing of what they do.
package workflows

import (
	"maps"
	"slices"

	"hookflow/event"
)

// TaskQueue is where the runs of every provider wait for a worker, unless HOOKFLOW_TASK_QUEUE names another. Fairness between
// providers is the key's work.
const TaskQueue = event.DefaultQueue

// The workflow types, as the Temporal UI shows them.
const (
	Stripe  = "StripeWebhook"
	Twilio  = "TwilioWebhook"
	Vapi    = "VapiWebhook"
	Generic = "GenericWebhook"
)

// ByName holds every workflow type of an event, for registration.
var ByName = map[string]any{
	Stripe:  StripeWebhook,
	Twilio:  TwilioWebhook,
	Vapi:    VapiWebhook,
	Generic: GenericWebhook,
}

// TypeOf returns the workflow type that handles events of a scheme.
func TypeOf(scheme string) string {
	switch scheme {
	case "stripe":
		return Stripe
	case "twilio":
		return Twilio
	case "vapi":
		return Vapi
	}
	return Generic
}

// Reply is the update by which a run is asked for the answer that its sender waits for. Its id is the event's.
const Reply = "reply"

// The activities that every run relies on. Handlers are named by the plan.
const (
	Begin  = "mirror.Begin"
	Finish = "mirror.Finish"
	// AwaitLedger ends when the ledger answers. Its retries add no history, so that it may take as long as it takes.
	AwaitLedger = "mirror.AwaitLedger"
)

// Names returns every workflow type of an event, sorted.
func Names() []string { return slices.Sorted(maps.Keys(ByName)) }
