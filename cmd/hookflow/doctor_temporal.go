package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hookflow/config"
	"hookflow/event"
	"hookflow/migrations"
	"hookflow/store"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// wantedRetention is how long closed runs should be kept: as long as people resend events by hand and ask why.
const wantedRetention = 30 * 24 * time.Hour

// examineTemporal looks at the server, the namespace and who works there.
func (p *patient) examineTemporal(ctx context.Context) []finding {
	const check = "temporal"
	advice := "start it, or mend TEMPORAL_ADDRESS and TEMPORAL_API_KEY"
	if p.mode == config.Dev {
		advice = "make dev starts it; HOOKFLOW_TEMPORAL_PORT says where"
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	c, err := client.NewLazyClient(p.temporal)
	if err != nil {
		return []finding{failed(check, oneLine(err), advice)}
	}
	defer c.Close()
	info, err := c.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		return []finding{failed(check, oneLine(err), advice)}
	}
	address := p.temporal.HostPort
	if address == "" {
		address = client.DefaultHostPort
	}
	found := []finding{fine(check, "version %s at %s", info.GetServerVersion(), address)}
	namespace, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: p.temporal.Namespace})
	if err != nil {
		return append(found, p.noNamespace(err))
	}
	return append(found, p.retention(namespace.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()),
		p.attribute(ctx, c), p.pollers(ctx, c), p.temporalClock(ctx, c))
}

func (p *patient) noNamespace(err error) finding {
	var unknown *serviceerror.NamespaceNotFound
	if errors.As(err, &unknown) {
		return failed("namespace", p.temporal.Namespace+" does not exist",
			"temporal operator namespace create -n "+p.temporal.Namespace+" --retention 720h, or mend TEMPORAL_NAMESPACE")
	}
	return failed("namespace", oneLine(err), "mend TEMPORAL_NAMESPACE, or the rights of TEMPORAL_API_KEY")
}

func (p *patient) retention(kept time.Duration) finding {
	const check = "namespace"
	detail := fmt.Sprintf("%s keeps closed runs for %s", p.temporal.Namespace, days(kept))
	meaning := "; older runs cannot be looked at in the Temporal UI, while the ledger still knows and can replay them"
	switch {
	case kept >= wantedRetention:
		return fine(check, "%s", detail)
	case p.mode == config.Dev:
		return fine(check, "%s", detail+meaning)
	}
	return warning(check, detail+meaning, "temporal operator namespace update -n "+p.temporal.Namespace+" --retention 720h")
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 && d > 24*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return fmt.Sprintf("%g hours", d.Hours())
}

func (p *patient) attribute(ctx context.Context, c client.Client) finding {
	const check = "search attribute"
	has, err := migrations.HasAttribute(ctx, c, p.temporal.Namespace)
	switch {
	case err != nil:
		return warning(check, oneLine(err), "runs start without "+event.TypeAttribute+"; only the search by type in the Temporal UI is missing")
	case !has:
		return warning(check, event.TypeAttribute+" is missing; runs start without it", "hookflow migrate up, or: temporal operator search-attribute create -n "+
			p.temporal.Namespace+" --name "+event.TypeAttribute+" --type Keyword")
	}
	return fine(check, "%s", event.TypeAttribute)
}

// pollers says whether a worker is there for runs and for steps.
func (p *patient) pollers(ctx context.Context, c client.Client) finding {
	const check = "workers"
	var counts [2]int
	for i, kind := range []enums.TaskQueueType{enums.TASK_QUEUE_TYPE_WORKFLOW, enums.TASK_QUEUE_TYPE_ACTIVITY} {
		queue, err := c.DescribeTaskQueue(ctx, p.config.TaskQueue, kind)
		if err != nil {
			return failed(check, oneLine(err), "the rights of TEMPORAL_API_KEY must cover it")
		}
		workers := map[string]bool{}
		for _, poller := range queue.GetPollers() {
			workers[poller.GetIdentity()] = true
		}
		counts[i] = len(workers)
	}
	if other := p.otherLedger(ctx, c); other != "" {
		return failed(check, "workers of another installation (ledger "+other+") poll the task queue "+p.config.TaskQueue+" too",
			"give one of the two a HOOKFLOW_TASK_QUEUE or a TEMPORAL_NAMESPACE of its own")
	}
	if counts[0] == 0 || counts[1] == 0 {
		return failed(check, "nobody polls the task queue "+p.config.TaskQueue+": accepted events wait", "start one: hookflow serve, or hookflow serve --only worker")
	}
	return fine(check, "%d on the task queue %s in the last five minutes", max(counts[0], counts[1]), p.config.TaskQueue)
}

// otherLedger is the ledger of a worker that has not the one of DATABASE_URL, "" where there is none or it cannot be told.
func (p *patient) otherLedger(ctx context.Context, c client.Client) string {
	ledger, err := store.Open(ctx, p.config.DatabaseURL, store.Options{})
	if err != nil {
		return ""
	}
	defer ledger.Close()
	if ledger.ReadLedger(ctx) != nil {
		return ""
	}
	other, _ := otherLedger(ctx, c, p.config.TaskQueue, ledger.Ledger(), time.Now()) // what is wrong with Temporal was found before
	return other
}

// clockQueue is a task queue of doctor's own: the server notes by its own clock when it was polled last.
const clockQueue = "hookflow.doctor"

// temporalClock compares the server's clock with ours. No call tells the time, so it polls a queue that nothing is ever
// put on and asks when that was.
func (p *patient) temporalClock(ctx context.Context, c client.Client) finding {
	const check = "temporal clock"
	polling, stop := context.WithCancel(ctx)
	defer stop()
	identity := fmt.Sprintf("doctor-%d", time.Now().UnixNano())
	asked := time.Now()
	go func() {
		_, _ = c.WorkflowService().PollActivityTaskQueue(polling, &workflowservice.PollActivityTaskQueueRequest{
			Namespace: p.temporal.Namespace, Identity: identity,
			TaskQueue: &taskqueue.TaskQueue{Name: clockQueue, Kind: enums.TASK_QUEUE_KIND_NORMAL},
		}) // ends with the context
	}()
	for ctx.Err() == nil {
		queue, err := c.DescribeTaskQueue(ctx, clockQueue, enums.TASK_QUEUE_TYPE_ACTIVITY)
		for _, poller := range queue.GetPollers() {
			if err == nil && poller.GetIdentity() == identity {
				between := time.Since(asked) / 2
				return skew(check, poller.GetLastAccessTime().AsTime().Sub(asked.Add(between)), between)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return warning(check, "it could not be compared", "look at it on the server: date")
}
