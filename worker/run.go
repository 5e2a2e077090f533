package worker

import (
	"context"
	"time"

	"go.temporal.io/sdk/worker"
)

// Run keeps a worker running until ctx ends, then lets its attempts finish. A worker cannot start while Temporal is away,
// and stops by itself when its namespace is gone; Run tries again every few seconds.
func Run(ctx context.Context, c Config) {
	worker.SetStickyWorkflowCacheSize(CachedRuns) // of the whole process
	for {
		failed := make(chan error, 1)
		w := newWorker(c, func(err error) {
			select {
			case failed <- err:
			default:
			}
		})
		err := w.Start()
		if err == nil {
			select {
			case <-ctx.Done():
				w.Stop()
				return
			case err = <-failed:
			}
		}
		w.Stop()
		c.Log.Warn("the worker does not run", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Second):
		}
	}
}
