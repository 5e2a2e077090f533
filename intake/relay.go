package intake

import (
	"context"
	"time"

	"hookflow/store"
)

// relayEvery is how often the relay looks for rows that nobody started, unless it is nudged.
const relayEvery = time.Second

// measureEvery is how often the backlog is counted.
const measureEvery = 5 * time.Second

// measureBacklog tells how much waits in the ledger, and for how long.
func (in *Intake) measureBacklog(ctx context.Context) {
	every(ctx, measureEvery, func() {
		if !in.ledger.closed() {
			return
		}
		asked, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		open, err := in.Store.CountOpen(asked)
		if err != nil {
			return // the relay says so
		}
		in.Metrics.Backlog(open.Waiting, in.since(open.WaitingSince))
		in.Metrics.Running(open.Running, in.since(open.RunningSince))
	})
}

// since is how long ago t was, 0 for no time.
func (in *Intake) since(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(in.Now().Sub(t), 0)
}

// relay leases rows that wait for a start, in turn by provider and as many as there is room for, and queues them.
func (in *Intake) relay(ctx context.Context) {
	tick := time.NewTicker(relayEvery)
	defer tick.Stop()
	failing := complaint{log: in.Log, now: in.Now, sentence: "the relay could not read the ledger"}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-in.queues.wake:
		}
		// While Temporal is away, what is queued already serves as the probe.
		if !in.ledger.closed() || !in.temporal.closed() && !in.queues.empty() {
			continue
		}
		if err := in.relayOnce(ctx); ctx.Err() == nil {
			failing.about(err)
		}
	}
}

func (in *Intake) relayOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	waiting, err := in.Store.WaitingProviders(ctx)
	if err != nil {
		return err
	}
	for _, provider := range waiting {
		if err := in.relayProvider(ctx, provider); err != nil {
			return err
		}
	}
	return nil
}

func (in *Intake) relayProvider(ctx context.Context, provider string) error {
	reserved := 0
	for in.queues.reserve(provider) {
		reserved++
	}
	var claimed []store.Claimed
	var err error
	now := in.Now()
	if reserved > 0 {
		claimed, err = in.Store.ClaimPending(ctx, provider, reserved, now, now.Add(leaseFor))
	}
	for range reserved - len(claimed) {
		in.queues.release(provider)
	}
	for _, c := range claimed {
		c.Installation = in.installation()
		in.queues.push(queued{Event: c.Ref(), leaseUntil: now.Add(leaseFor), attempts: c.Attempts, refusedSince: c.RefusedSince})
	}
	return err
}
