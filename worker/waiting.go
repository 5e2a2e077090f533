package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/store"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
)

// wait makes an attempt of a step that waits for the ledger. Temporal repeats such a step without limit, so what is left of
// its declared attempts is counted here, and the step ended when nothing is. The count outlives the attempt and its worker
// in the details of a heartbeat, which is sent when the step stops waiting and when it begins again: a time-out or a killed
// worker in between has been counted by then, as an attempt of the handler.
func (a *attempt) wait(ctx context.Context, in *interceptor.ExecuteActivityInput, ref event.Event) (result any, err error) {
	number := activity.GetInfo(ctx).Attempt
	count := a.progress.resume(ctx, number)
	made := count.made(number)
	if err := timedOut(made, *ref.Waiting, a.now()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && activities.IsLedgerUnavailable(err) && count.Since > 0 {
			a.progress.count(ctx, tally{Made: made})
		}
	}()
	if a.foreign.is(ref.Installation) {
		return nil, a.putOff(ctx, ref, ForeignTask, foreignPause)
	}
	if err := a.ping(ctx); err != nil { // memory may hold the event, and the handler would ask in vain
		return nil, a.outage(ctx, ref, activities.LedgerUnavailable(err))
	}
	defer func() {
		if value := recover(); value != nil { // reported and noted already
			err = a.judge(ctx, *ref.Waiting, made+1, temporal.NewApplicationError(fmt.Sprint(value), panicType))
		}
	}()
	result, err = a.make(ctx, in, ref, func() error {
		if count.Since > 0 {
			return nil
		}
		begun := tally{Made: made, Since: number}
		a.progress.count(ctx, begun)
		if ctx.Err() == nil { // else Temporal did not take the count: the SDK ends the context and says nothing
			count = begun
		}
		return ctx.Err()
	})
	switch {
	case err == nil:
		return result, nil
	case activities.IsLedgerUnavailable(err), count.Since == 0 && ctx.Err() != nil:
		return nil, err
	case count.Since == 0: // the handler was not called, but the attempt failed for a reason that may stay
		a.progress.count(ctx, tally{Made: made + 1})
	}
	return nil, a.judge(ctx, *ref.Waiting, made+1, err)
}

// panicType is the type that the SDK gives a panic.
const panicType = "PanicError"

// ping asks whether the ledger answers, and returns an error only where it is away: what else is wrong with it an attempt
// will meet, and that one counts.
func (a *attempt) ping(ctx context.Context) error {
	ctx, stop := activities.InTime(ctx)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	err := a.store.Ping(ctx)
	if store.Unavailable(err) {
		return err
	}
	if err == nil {
		a.away.back()
	}
	return nil
}

// timedOut ends a step whose last attempt ended without a word when no other is left, by number or by time.
func timedOut(made int32, left event.Waiting, now time.Time) error {
	kind := enums.TIMEOUT_TYPE_START_TO_CLOSE
	switch {
	case made >= left.Attempts:
	case made > 0 && !left.Until.IsZero() && now.After(left.Until):
		kind = enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
	default:
		return nil
	}
	return temporal.NewNonRetryableApplicationError(
		"the last attempt took longer than it may, or its worker was gone", kind.String()+"Timeout", nil)
}

// judge ends or repeats a waiting step, of whose handler failure is the attempt made, as Temporal would under the declared
// policy. Temporal itself would count, and pause for, the attempts that waited.
func (a *attempt) judge(ctx context.Context, left event.Waiting, made int32, failure error) error {
	var application *temporal.ApplicationError
	said := errors.As(failure, &application)
	if said && application.NonRetryable() || temporal.IsCanceledError(failure) || errors.Is(failure, activity.ErrResultPending) {
		return failure
	}
	pause := backoff(activity.GetInfo(ctx).RetryPolicy, made)
	if said {
		pause = cmp.Or(application.NextRetryDelay(), pause)
	}
	message, errorType := activities.Describe(failure)
	return temporal.NewApplicationErrorWithOptions(message, errorType, temporal.ApplicationErrorOptions{
		NonRetryable:   made >= left.Attempts || !left.Until.IsZero() && a.now().Add(pause).After(left.Until),
		NextRetryDelay: pause, Cause: failure,
	})
}

// backoff returns the pause after the attempt made, with Temporal's own defaults
// (docs.temporal.io/encyclopedia/retry-policies).
func backoff(p *temporal.RetryPolicy, made int32) time.Duration {
	if p == nil {
		p = &temporal.RetryPolicy{}
	}
	first := cmp.Or(p.InitialInterval, time.Second)
	longest := cmp.Or(p.MaximumInterval, 100*first)
	return time.Duration(min(float64(first)*math.Pow(cmp.Or(p.BackoffCoefficient, 2), float64(max(made-1, 0))), float64(longest)))
}

// tally is what a heartbeat keeps of a waiting step.
type tally struct {
	Made  int32 `json:"made"`  // attempts of the handler, before Temporal's attempt Since
	Since int32 `json:"since"` // each attempt from this one on is the handler's; 0 while the step waits
	Own   int   `json:"own"`   // how many details of the handler's own follow
}

// made returns how many attempts the handler has made before Temporal's attempt of a number.
func (t tally) made(number int32) int32 {
	if t.Since == 0 {
		return t.Made
	}
	return t.Made + number - t.Since
}

// progress stands between a handler and its heartbeats. Those of a waiting step carry the tally in front of what the
// handler says; the handler sees its own.
type progress struct {
	interceptor.ActivityOutboundInterceptorBase

	mu      sync.Mutex
	waiting bool
	tally   tally
	own     []any // what the handler said last
	left    int   // how many details of its own the handler left in an earlier attempt
}

// resume reads what attempts of a waiting step before the one of a number left. A number before the first that counts means
// that somebody reset the activity, which is to begin anew.
func (p *progress) resume(ctx context.Context, number int32) tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = true
	if p.Next.GetHeartbeatDetails(ctx, &p.tally) != nil {
		p.tally = tally{} // nothing is there, or of a binary that keeps no tally
		return p.tally
	}
	own := make([]converter.RawValue, p.tally.Own)
	into := []any{new(tally)}
	for i := range own {
		into = append(into, &own[i])
	}
	if p.Next.GetHeartbeatDetails(ctx, into...) == nil {
		for _, detail := range own {
			p.own = append(p.own, detail)
		}
	}
	p.left = len(p.own)
	if number < p.tally.Since {
		p.tally = tally{}
	}
	return p.tally
}

// count keeps a tally, with what the handler said last.
func (p *progress) count(ctx context.Context, t tally) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally = t
	p.send(ctx)
}

func (p *progress) send(ctx context.Context) {
	p.tally.Own = len(p.own)
	p.Next.RecordHeartbeat(ctx, append([]any{p.tally}, p.own...)...)
}

// RecordHeartbeat keeps what the handler says beside the tally.
func (p *progress) RecordHeartbeat(ctx context.Context, details ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.waiting {
		p.Next.RecordHeartbeat(ctx, details...)
		return
	}
	p.own = details
	p.send(ctx)
}

// HasHeartbeatDetails reports whether the handler left any of its own.
func (p *progress) HasHeartbeatDetails(ctx context.Context) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.waiting {
		return p.Next.HasHeartbeatDetails(ctx)
	}
	return p.left > 0
}

// GetHeartbeatDetails reads what the handler left.
func (p *progress) GetHeartbeatDetails(ctx context.Context, d ...any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.waiting:
		return p.Next.GetHeartbeatDetails(ctx, d...)
	case p.left == 0:
		return temporal.ErrNoData
	}
	return p.Next.GetHeartbeatDetails(ctx, append([]any{new(tally)}, d...)...)
}
