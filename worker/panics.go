package worker

import (
	"sync"

	"hookflow/telemetry"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// panics reports the panics of handlers and workflows, once per step or run: Temporal repeats an attempt that panicked,
// and a workflow task, for as long as it takes until a fixed binary comes.
type panics struct {
	report func(telemetry.Failure, any)

	mu   sync.Mutex
	seen map[string]bool
}

// maxSeen bounds what is remembered; beyond it a panic may be reported again.
const maxSeen = 10_000

// unwinding is deferred around code that may panic. It leaves the panic to the SDK.
func (p *panics) unwinding(where string, f telemetry.Failure, also func(value any)) {
	value := recover()
	if value == nil {
		return
	}
	if p.report != nil && p.first(where) {
		p.report(f, value)
	}
	also(value)
	panic(value)
}

func (p *panics) first(where string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[where] {
		return false
	}
	if len(p.seen) >= maxSeen || p.seen == nil {
		p.seen = map[string]bool{}
	}
	p.seen[where] = true
	return true
}

// watched is the part of a run that the watch sees.
type watched struct {
	interceptor.WorkflowInboundInterceptorBase
	panics  *panics
	foreign *foreign
}

// ExecuteWorkflow runs a workflow under the watch, unless it is another installation's.
func (w *watched) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	w.foreign.leave(in)
	info := workflow.GetInfo(ctx)
	defer w.panics.unwinding(info.WorkflowExecution.RunID, telemetry.Failure{
		Step: info.WorkflowType.Name, WorkflowID: info.WorkflowExecution.ID,
	}, func(any) {})
	return w.Next.ExecuteWorkflow(ctx, in)
}
