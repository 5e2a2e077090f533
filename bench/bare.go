package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"hookflow/event"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// bareOrder is what the bare program works with.
type bareOrder struct {
	Address, Namespace string
	Events             int
}

type bareAnswer struct{ Took time.Duration }

// bareStarters and barePollers are hookflow's own (intake, worker).
const (
	bareStarters = 8
	barePollers  = 4
	bareQueue    = "bare"
)

// bare is the least that a program on Temporal can be: no ledger, no body, an activity that does nothing.
type bare struct {
	client client.Client
	done   atomic.Int64
}

// runBare is the helper process "bare".
func runBare(ctx context.Context, order bareOrder, _ io.Writer) (bareAnswer, error) {
	c, err := client.DialContext(ctx, client.Options{HostPort: order.Address, Namespace: order.Namespace, Logger: quiet{}})
	if err != nil {
		return bareAnswer{}, err
	}
	defer c.Close()
	b := &bare{client: c}
	w := worker.New(c, bareQueue, worker.Options{
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
			InitialNumberOfPollers: barePollers, MinimumNumberOfPollers: barePollers / 2, MaximumNumberOfPollers: 4 * barePollers,
		}),
		MaxConcurrentActivityTaskPollers: barePollers,
	})
	w.RegisterWorkflowWithOptions(b.handle, workflow.RegisterOptions{Name: "Bare"})
	w.RegisterActivity(nothing)
	if err := w.Start(); err != nil {
		return bareAnswer{}, err
	}
	defer w.Stop()
	if _, err := b.start(ctx, "warm", warmEvents); err != nil {
		return bareAnswer{}, err
	}
	took, err := b.start(ctx, "event", order.Events)
	return bareAnswer{took}, err
}

func nothing(context.Context, event.Event) error { return nil }

func (b *bare) handle(ctx workflow.Context, e event.Event) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	err := workflow.ExecuteActivity(ctx, nothing, e).Get(ctx, nil)
	if !workflow.IsReplaying(ctx) {
		b.done.Add(1)
	}
	return err
}

// start starts n runs and waits until the last has returned.
func (b *bare) start(ctx context.Context, name string, n int) (time.Duration, error) {
	b.done.Store(0)
	began := time.Now()
	numbers := make(chan int, n)
	for i := range n {
		numbers <- i
	}
	close(numbers)
	var starting sync.WaitGroup
	var failed atomic.Pointer[error]
	for range bareStarters {
		starting.Go(func() {
			for i := range numbers {
				e := event.Event{ID: fmt.Sprint(name, i), Provider: "stripe", Scheme: "stripe", EventID: fmt.Sprint(name, i), Type: eventType}
				if _, err := b.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: e.Key(), TaskQueue: bareQueue}, "Bare", e); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	starting.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	last := began
	err := until(ctx, completedWithin, "not all runs have ended", func() (bool, error) {
		last = time.Now()
		return b.done.Load() >= int64(n), nil
	})
	return last.Sub(began), err
}
