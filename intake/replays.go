package intake

import (
	"context"
	"errors"
	"time"
)

const (
	// replayEvery is how often bulk replays go on.
	replayEvery = 500 * time.Millisecond
	// replayWaiting bounds the events of one bulk replay that wait for a start: enough to keep the relay busy between two
	// looks, few enough that events which arrive meanwhile, and those of other replays, wait seconds behind them at most.
	replayWaiting = 500
	// advanceTime bounds one step of one replay.
	advanceTime = 5 * time.Second
)

// advanceReplays moves bulk replays on: it gives the next events of each to the relay, at its rate. Every process does so;
// the lock on a replay's row keeps them apart.
func (in *Intake) advanceReplays(ctx context.Context) {
	every(ctx, replayEvery, func() {
		if !in.ledger.closed() {
			return
		}
		if err := in.advanceReplaysOnce(ctx); err != nil && ctx.Err() == nil {
			in.Log.Warn("a replay could not go on", "error", err)
		}
	})
}

func (in *Intake) advanceReplaysOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, advanceTime)
	defer cancel()
	ids, err := in.Store.ReplaysAtWork(ctx)
	if err != nil {
		return err
	}
	var failures error // of one replay must not hold up the others
	for _, id := range ids {
		moved, err := in.Store.AdvanceReplay(ctx, id, replayWaiting, in.Now())
		failures = errors.Join(failures, err)
		if moved > 0 {
			in.queues.nudge()
		}
	}
	return failures
}
