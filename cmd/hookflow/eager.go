package main

import (
	"context"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
)

const (
	// meetTime is how long a starting process waits for Temporal; one that is away must not keep it from serving.
	meetTime = time.Second
	// firstCallTime is the SDK's time-out of what meeting waits for (internal_workflow_client.go, GetSystemInfo), and a
	// second more.
	firstCallTime = 6 * time.Second
)

// eager says when runs may be started eagerly. The first call of a client asks the server what it can do; an eager start
// reads the answer without the lock under which another first call may be writing it (SDK 1.50.0,
// internal_workflow_client.go:2209). So the first call is made alone, and where Temporal is away by then, eager starts
// wait until every first call has ended.
type eager struct{ allowed atomic.Bool }

// meet makes the first call before anything else uses c. It returns whether Temporal answered.
func (e *eager) meet(ctx context.Context, c client.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, meetTime)
	defer cancel()
	_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
	e.allowed.Store(err == nil)
	return err == nil
}

// meetLater waits until Temporal answers, and for the first calls that are under way then.
func (e *eager) meetLater(ctx context.Context, c client.Client) {
	answered := false
	for pause := time.Second; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if answered {
			e.allowed.Store(true)
			return
		}
		if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err == nil {
			answered, pause = true, firstCallTime
		}
	}
}
