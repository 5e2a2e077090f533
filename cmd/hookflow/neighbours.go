package main

import (
	"context"
	"fmt"
	"time"

	"hookflow/worker"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
)

const (
	// firstLook is how long a start waits to read which ledger it has: without, it takes the runs of every installation for its own.
	firstLook = 2 * time.Second
	// pollerFresh is how long ago a poller that is there may have begun its poll, which lasts a minute.
	pollerFresh = 90 * time.Second
)

// readLedger reads which ledger this is, for as long as it takes within most.
func (a *app) readLedger(ctx context.Context, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for a.store.Ledger() == "" && a.store.ReadLedger(ctx) != nil && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// checkAlone fails when workers of another installation serve the task queue at this moment. Where a store is away, or nobody
// polls, that cannot be told, and a start goes on: a worker leaves the tasks of others alone.
func (a *app) checkAlone(ctx context.Context) error {
	a.readLedger(ctx, firstLook)
	other, err := otherLedger(ctx, a.temporal, a.config.TaskQueue, a.store.Ledger(), time.Now())
	if err != nil || other == "" {
		return nil
	}
	return fmt.Errorf("workers of another installation (ledger %s; this one's is %s) poll the task queue %s of this Temporal namespace; "+
		"write: HOOKFLOW_TASK_QUEUE=a-name-of-its-own for one of the two, or another TEMPORAL_NAMESPACE. "+
		"If this database replaces one whose workers have just stopped, start again in two minutes", other, a.store.Ledger(), a.config.TaskQueue)
}

// otherLedger returns the ledger of a worker on queue whose ledger is not ours, "" where there is none or ours is not known.
func otherLedger(ctx context.Context, c client.Client, queue, ours string, now time.Time) (string, error) {
	if ours == "" {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	found, err := c.DescribeTaskQueue(ctx, queue, enums.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return "", err
	}
	for _, poller := range found.GetPollers() {
		theirs := worker.LedgerOf(poller.GetIdentity())
		if theirs != "" && theirs != ours && now.Sub(poller.GetLastAccessTime().AsTime()) < pollerFresh {
			return theirs, nil
		}
	}
	return "", nil
}
