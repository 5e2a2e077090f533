package config_test

import (
	"regexp"
	"testing"
	"time"

	"hookflow/config"
	"hookflow/event"
	"hookflow/routing"

	"github.com/stretchr/testify/require"
)

func defaultTable(t *testing.T) *routing.Table {
	t.Helper()
	table, err := routing.Parse("default.yaml", config.DefaultYAML)
	require.NoError(t, err)
	return table
}

func TestDefaultYAML_routes(t *testing.T) {
	t.Parallel()
	table := defaultTable(t)
	require.Len(t, planOf(table, "stripe", "checkout.session.completed").Steps, 2)
	table = table.Without("stripe.RetrieveCheckout") // as without STRIPE_API_KEY
	for _, test := range []struct{ provider, eventType, activity string }{
		{"stripe", "checkout.session.completed", "stripe.RecordCheckout"},
		{"stripe", "checkout.session.async_payment_failed", "stripe.RecordCheckout"},
		{"stripe", "invoice.paid", ""},
		{"twilio", "call.incoming", "twilio.RecordCall"},
		{"twilio", "call.no-answer", "twilio.RecordCall"},
		{"twilio", "message.delivered", "twilio.RecordMessage"},
		{"twilio", "recording.completed", ""},
		{"vapi", "status-update", "vapi.RecordCall"},
		{"vapi", "end-of-call-report", "vapi.RecordCall"},
		{"vapi", "hang", "vapi.RecordCall"},
		{"vapi", "conversation-update", ""}, // chatty: not stored unless routed
		{"vapi", "transcript", ""},
		{"github", "call.incoming", ""},
	} {
		plan := planOf(table, test.provider, test.eventType)
		require.Equal(t, test.activity != "", table.Routed(test.provider, test.eventType), test.eventType)
		if test.activity == "" {
			require.Empty(t, plan, test.eventType)
			continue
		}
		require.Len(t, plan.Steps, 1, test.eventType)
		step := plan.Steps[0]
		require.Equal(t, test.activity, step.Activity)
		require.Equal(t, test.activity, step.Name)
		require.True(t, step.Inline)
		require.Equal(t, routing.Options{
			StartToCloseTimeout:    routing.Duration(2 * time.Second),
			ScheduleToCloseTimeout: routing.Duration(72 * time.Hour),
			RetryPolicy: routing.RetryPolicy{
				InitialInterval: routing.Duration(time.Second), BackoffCoefficient: 2, MaximumInterval: routing.Duration(time.Minute),
				NonRetryableErrorTypes: []string{"InvalidPayload"},
			},
		}, step.Options)
	}
}

// The defaults that the file spells out are the ones that hold without the file.
func TestDefaultYAML_defaultsAreTheBuiltInOnes(t *testing.T) {
	t.Parallel()
	require.Contains(t, string(config.DefaultYAML), "start_to_close_timeout: 30s")
	require.Contains(t, string(config.DefaultYAML), "schedule_to_close_timeout: 72h")
	require.Equal(t, 30*time.Second, routing.DefaultStartToClose)
	require.Equal(t, 72*time.Hour, routing.DefaultScheduleToClose)
}

// A sentence stands above each key the first time it is used.
func TestDefaultYAML_saysWhatEachKeyDoes(t *testing.T) {
	t.Parallel()
	all := []string{"twilio", "voice_twiml"}
	for _, keys := range routing.Keys() {
		all = append(all, keys...)
	}
	for _, key := range all {
		require.Regexp(t, regexp.MustCompile(`(?m)^ *#.*\n *(# *)?(- )?`+key+`:`), string(config.DefaultYAML),
			"%s: write it into config/default.yaml, with a line of comment above it that says what it does", key)
	}
}

func TestDefaultYAML_loads(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Dev, func(string) string { return "" }, nil)
	require.NoError(t, err)
}

// planOf is the plan of an event of which nothing else is known.
func planOf(t *routing.Table, provider, eventType string) routing.Plan {
	return t.Plan(&event.Event{Provider: provider, Type: eventType}, nil)
}
