package main

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/routing"
	"hookflow/store"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// destinations answers the API: what is configured, how it stands in the ledger, and how much waits for it in Temporal.
type destinations struct {
	store      *store.Store
	temporal   client.Client
	namespace  string
	queue      string // of the installation
	configured func() map[string]routing.Destination
	secret     func(name string) (string, error)
	log        *slog.Logger
	now        func() time.Time
}

// ListDestinations returns those that are configured, and those that once were and for which attempts still wait.
func (d destinations) ListDestinations(ctx context.Context) ([]event.Destination, error) {
	found, err := d.store.Destinations(ctx)
	if err != nil {
		return nil, away(err)
	}
	configured := d.configured()
	for name := range configured { // a worker has not noted it yet
		if !slices.ContainsFunc(found, func(f event.Destination) bool { return f.Name == name }) {
			found = append(found, event.Destination{Name: name})
		}
	}
	slices.SortFunc(found, func(a, b event.Destination) int { return strings.Compare(a.Name, b.Name) })
	shown := found[:0]
	for _, f := range found {
		f = d.whole(ctx, f)
		if f.State == event.Removed && (f.Waiting == nil || *f.Waiting == 0) {
			continue
		}
		shown = append(shown, f)
	}
	return shown, nil
}

// PauseDestination stops the sending, within about a second in every process.
func (d destinations) PauseDestination(ctx context.Context, name, author, reason string) (event.Destination, error) {
	if _, ok := d.configured()[name]; ok { // perhaps no worker has noted it yet
		if err := d.store.KnowDestinations(ctx, []string{name}, d.now()); err != nil {
			return event.Destination{}, away(err)
		}
	}
	paused, err := d.store.PauseDestination(ctx, name, author, reason, d.now())
	if err != nil {
		return paused, away(err)
	}
	d.log.Info("a destination is paused", "destination", name, "author", author)
	return d.whole(ctx, paused), nil
}

// ResumeDestination takes up the sending again.
func (d destinations) ResumeDestination(ctx context.Context, name, author string) (event.Destination, error) {
	resumed, err := d.store.ResumeDestination(ctx, name)
	if err != nil {
		return resumed, away(err)
	}
	d.log.Info("a destination is resumed", "destination", name, "author", author)
	return d.whole(ctx, resumed), nil
}

// whole adds what the ledger does not know.
func (d destinations) whole(ctx context.Context, row event.Destination) event.Destination {
	row.TaskQueue, row.State = routing.DestinationQueue(d.queue, row.Name), row.StateAt(d.now())
	row.Waiting = d.waiting(ctx, row.TaskQueue)
	c, ok := d.configured()[row.Name]
	if !ok {
		row.State = event.Removed
		return row
	}
	row.Concurrency = &c.Concurrency
	if at, err := activities.ForwardURL(c.Endpoint, d.secret); err == nil {
		row.URL = shownURL(at)
	}
	if c.RateLimit > 0 {
		row.RateLimit = &c.RateLimit
	}
	return row
}

// shownURL is a URL without what may be secret in it.
func shownURL(text string) *string {
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	shown := u.Scheme + "://" + u.Host
	return &shown
}

// waitingTime bounds one question to Temporal: a listing without the count is better than none.
const waitingTime = time.Second

// waiting asks Temporal how many attempts wait on a queue, about: nil while it does not answer.
func (d destinations) waiting(ctx context.Context, queue string) *int64 {
	ctx, cancel := context.WithTimeout(ctx, waitingTime)
	defer cancel()
	answer, err := d.temporal.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: d.namespace, TaskQueue: &taskqueue.TaskQueue{Name: queue, Kind: enums.TASK_QUEUE_KIND_NORMAL},
		TaskQueueType: enums.TASK_QUEUE_TYPE_ACTIVITY, ReportStats: true,
	})
	if err != nil || answer.Stats == nil {
		return nil
	}
	return &answer.Stats.ApproximateBacklogCount
}
