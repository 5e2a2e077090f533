package intake

import (
	"context"
	"errors"
	"maps"
	"time"
)

const (
	// replayEvery is how often bulk replays go on.
	replayEvery = 500 * time.Millisecond
	// replayWaiting bounds the events of one bulk replay that wait for a start: enough to keep the relay busy between two
	// looks, few enough that events which arrive meanwhile, and those of other replays, wait seconds behind them at most.
	replayWaiting = 500
	// replayRest times what a step of a replay took is how long the replay rests after it: a hundred thousand events that
	// retry for days are counted every few seconds instead of twice a second.
	replayRest = 10
	// advanceTime bounds one step of one replay.
	advanceTime = 5 * time.Second
)

// advanceReplays moves bulk replays on: it gives the next events of each to the relay, at its rate. Every process does so;
// the lock on a replay's row keeps them apart.
func (in *Intake) advanceReplays(ctx context.Context) {
	resting := map[string]time.Time{}
	failing := complaint{log: in.Log, now: in.Now, sentence: "a replay could not go on"}
	every(ctx, replayEvery, func() {
		if !in.ledger.closed() {
			return
		}
		if err := in.advanceReplaysOnce(ctx, resting); ctx.Err() == nil {
			failing.about(err)
		}
	})
}

func (in *Intake) advanceReplaysOnce(ctx context.Context, resting map[string]time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, advanceTime)
	defer cancel()
	ids, err := in.Store.ReplaysAtWork(ctx)
	if err != nil {
		return err
	}
	maps.DeleteFunc(resting, func(_ string, until time.Time) bool { return time.Now().After(until) })
	var failures error // of one replay must not hold up the others
	for _, id := range ids {
		if _, rests := resting[id]; rests {
			continue
		}
		began := time.Now()
		moved, err := in.Store.AdvanceReplay(ctx, id, replayWaiting, in.Now())
		resting[id] = time.Now().Add(replayRest * time.Since(began))
		failures = errors.Join(failures, err)
		if moved > 0 {
			in.queues.nudge()
		}
	}
	return failures
}
