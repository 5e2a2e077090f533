package main

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
)

// The SDK's lines look like ours: the same names, the event beside the run, and nothing that a handler returned or said.
func TestSDKLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keyvals []any
		want    string
	}{
		"a result":           {[]any{"WorkflowID", "stripe:evt_1", "Result", "canary", "Attempt", 2}, `"event_id":"` + event.ID("stripe:evt_1") + `","workflow_id":"stripe:evt_1","attempt":2}`},
		"a handler's error":  {[]any{"ActivityType", "a.B", "Error", temporal.NewApplicationError("canary", "Refused")}, `"activity_type":"a.B","error_type":"Refused"}`},
		"the mirror's error": {[]any{"ActivityType", "mirror.Begin", "Error", errors.New("disk full")}, `"activity_type":"mirror.Begin","error":"disk full"}`},
		"a handler's panic":  {[]any{"LocalActivityType", "a.B", "PanicError", "canary", "PanicStack", "main.go:1"}, `"local_activity_type":"a.B","panic_stack":"main.go:1"}`},
		"the SDK's error":    {[]any{"TaskQueue", "hookflow", "Error", errors.New("no such namespace")}, `"task_queue":"hookflow","error":"no such namespace"}`},
		"a workflow's panic": {[]any{"WorkflowType", "StripeWebhook", "PanicError", "nil map"}, `"workflow_type":"StripeWebhook","panic_error":"nil map"}`},
		"a hashed id":        {[]any{"WorkflowID", "stripe:sha256-00", "RunID", "r", "TraceID", "t"}, `"workflow_id":"stripe:sha256-00","run_id":"r","trace_id":"t"}`},
		"housekeeping":       {[]any{"WorkflowID", "hookflow-reconcile-2026"}, `"msg":"m","workflow_id":"hookflow-reconcile-2026"}`},
	} {
		var out bytes.Buffer
		log := newSDKLog(slog.New(slog.NewJSONHandler(&out, nil)))
		log.Info("m", c.keyvals...)
		require.Contains(t, out.String(), c.want, name)
		require.NotContains(t, out.String(), "canary", name)
		out.Reset()
		sdklog.With(log, c.keyvals...).Warn("m")
		require.Contains(t, out.String(), c.want, name)
	}
}
