package worker

import (
	"context"
	"sync"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/routing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// How long an attempt waits for a ledger that is away: a quarter of the time that it has been away, within these. With
// 2,000 runs in flight that makes 133 attempts a second for Temporal at first, about what two cores carry, and 44 after
// three minutes; all are back within 45 s.
const (
	shortestPause = 15 * time.Second
	longestPause  = 45 * time.Second
)

// outageOver is how long after the last attempt that missed the ledger the next one begins a new outage.
const outageOver = longestPause + 15*time.Second

// away is an outage of the ledger as the attempts of this process see it.
type away struct {
	shortest, longest time.Duration // of its pauses

	mu           sync.Mutex
	since, until time.Time
}

// pause returns how long an attempt that missed the ledger now waits for it.
func (a *away) pause(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.until) > outageOver {
		a.since = now
	}
	a.until = now
	return min(max(now.Sub(a.since)/4, a.shortest), a.longest)
}

// back ends the outage: an attempt reached the ledger.
func (a *away) back() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until = time.Time{}
}

// outage decides what becomes of an attempt that ended because the ledger did not answer.
func (a *attempts) outage(ctx context.Context, ref event.Event, err error) error {
	if !activities.IsLedgerUnavailable(err) || activity.GetInfo(ctx).IsLocalActivity && ref.Waiting == nil {
		return err
	}
	return a.putOff(ctx, ref, "the ledger does not answer", a.away.pause(a.now()))
}

// putOff ends an attempt that could not be made, and spends none of the step's. Where attempts are without limit Temporal
// repeats it after pause, which adds no history. Where they are limited it ends the activity with the number of attempts that
// the handler has had, and with true where the run then lets the step wait: the workflow schedules it again. The error type is
// the one that runs know, whatever the reason.
func (a *attempts) putOff(ctx context.Context, ref event.Event, why string, pause time.Duration) error {
	info := activity.GetInfo(ctx)
	options := temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{info.Attempt - 1}}
	switch unlimited := info.RetryPolicy != nil && info.RetryPolicy.MaximumAttempts == 0; {
	case unlimited && !info.IsLocalActivity:
		options = temporal.ApplicationErrorOptions{NextRetryDelay: pause}
	case ref.Waiting != nil:
		options.Details = append(options.Details, true)
	}
	return temporal.NewApplicationErrorWithOptions(why, routing.LedgerUnavailable, options)
}
