package worker

import (
	"context"

	"hookflow/routing"
	"hookflow/workflows"

	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Ended returns a function that reads from a closed run's history what the run told Finish, nil when it had nothing to
// tell. A history does not hold the arguments of local activities: the run is replayed, and asked.
func Ended(c client.Client, logger log.Logger) func(context.Context, *commonpb.WorkflowExecution) (*routing.FinishInput, error) {
	return func(ctx context.Context, run *commonpb.WorkflowExecution) (*routing.FinishInput, error) {
		listening := &lastWords{}
		replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
			Interceptors: []interceptor.WorkerInterceptor{listening}, DisableRegistrationAliasing: true,
		})
		if err != nil {
			return nil, err
		}
		for name, w := range workflows.ByName {
			replayer.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: name})
		}
		history := &historypb.History{}
		events := c.GetWorkflowHistory(ctx, run.WorkflowId, run.RunId, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			if err != nil {
				return nil, err
			}
			history.Events = append(history.Events, e)
		}
		err = replayer.ReplayWorkflowHistory(logger, history)
		return listening.said, err
	}
}

// lastWords keeps what a run tells Finish.
type lastWords struct {
	interceptor.WorkerInterceptorBase
	said *routing.FinishInput
}

// InterceptWorkflow is called once, for the run that is replayed.
func (l *lastWords) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &wordsInbound{words: l}
	in.Next = next
	return in
}

type wordsInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	words *lastWords
}

// Init puts the ear on the run's calls.
func (i *wordsInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &wordsOutbound{words: i.words}
	out.Next = next
	return i.Next.Init(out)
}

type wordsOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	words *lastWords
}

// ExecuteLocalActivity hears Finish, which is called as a local activity first.
func (o *wordsOutbound) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	if name == workflows.Finish && len(args) == 1 {
		if said, ok := args[0].(routing.FinishInput); ok {
			o.words.said = &said
		}
	}
	return o.Next.ExecuteLocalActivity(ctx, name, args...)
}
