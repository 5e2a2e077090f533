package telemetry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/getsentry/sentry-go"
)

// failureContext is the name under which Sentry shows a failed event's facts at full length.
const failureContext = "webhook"

// Failure is an event that failed for good. It holds no content, but for what a handler put into Message.
type Failure struct {
	// EventID is Sentry's id of the report, 32 hexadecimal digits: a report that is sent twice is one. See FailureID.
	EventID string
	// Provider and Type are those of the webhook, Step is the one that failed.
	Provider, Type, Step string
	// ErrorType is the machine's word; Message the text of the handler's error, which may hold anything: it is cut to
	// 1 KiB, and known secrets in it are replaced. Handlers keep content out of their errors.
	ErrorType, Message string
	WorkflowID         string
}

// panicType is the ErrorType of a step whose last attempt panicked.
const panicType = "panic"

// FailureID makes the id of a report from the run and its generation: every attempt to report a failure makes the same.
func FailureID(runID string, generation int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", runID, generation))
	return hex.EncodeToString(sum[:16])
}

// CaptureFinalFailure reports an event that failed for good. Failures of one step on one type of event are one issue.
func (t *Telemetry) CaptureFinalFailure(f Failure) {
	if t.hub == nil {
		return
	}
	e := sentry.NewEvent()
	e.EventID = sentry.EventID(f.EventID)
	e.Level = sentry.LevelError
	e.Transaction = f.Provider + " " + f.Step
	e.Exception = []sentry.Exception{{Type: f.ErrorType, Value: f.Message}}
	if f.ErrorType == panicType && !strings.HasPrefix(f.Message, "runtime error: ") {
		e.Exception[0].Value = "" // as for the panic itself: see hidePanic
	}
	e.Fingerprint = []string{"event failed", f.Provider, f.Type, f.Step}
	e.Tags = map[string]string{
		"provider": f.Provider, "event_type": f.Type, "step": f.Step, "error_type": f.ErrorType, "workflow_id": f.WorkflowID,
	}
	// A tag is cut at 200 bytes; a workflow ID may be longer.
	e.Contexts[failureContext] = sentry.Context{"event_type": f.Type, "workflow_id": f.WorkflowID}
	t.hub.CaptureEvent(e)
}

// CapturePanic reports a recovered panic, with the stack of the goroutine it is called on; call it while the panic
// unwinds. One that the middleware of Gin has reported already is left.
func (t *Telemetry) CapturePanic(ctx context.Context, value any) {
	if t.hub == nil || value == nil {
		return
	}
	if p, ok := ctx.Value(panicked{}).(*atomic.Bool); ok && p.Load() {
		return
	}
	t.hubOf(ctx).RecoverWithContext(ctx, value)
}

// CaptureWorkPanic reports a panic in a handler or in a workflow, with the stack of the goroutine it is called on; call it
// while the panic unwinds. Of f, Provider, Type, Step and WorkflowID are told.
func (t *Telemetry) CaptureWorkPanic(f Failure, value any) {
	if t.hub == nil || value == nil {
		return
	}
	hub := t.hub.Clone()
	hub.Scope().SetTags(map[string]string{
		"provider": f.Provider, "event_type": f.Type, "step": f.Step, "workflow_id": f.WorkflowID,
	})
	hub.Scope().SetFingerprint([]string{"panic", f.Provider, f.Type, f.Step})
	hub.RecoverWithContext(context.Background(), value)
}

// CaptureError reports an error that should not happen.
func (t *Telemetry) CaptureError(ctx context.Context, err error) {
	if t.hub == nil || err == nil {
		return
	}
	t.hubOf(ctx).CaptureException(err)
}

// hubOf returns the hub of a request where ctx has one, which knows the route.
func (t *Telemetry) hubOf(ctx context.Context) *sentry.Hub {
	if hub := sentry.GetHubFromContext(ctx); hub != nil {
		return hub
	}
	return t.hub
}
