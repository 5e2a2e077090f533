package intake

import (
	"context"
	"errors"

	"hookflow/event"
)

const (
	// maxDirectStarts bounds the starts in flight while the ledger is away.
	maxDirectStarts = 200
	// maxPackedBody keeps a workflow's input below Temporal's 2 MiB for one payload, with room for the reference.
	maxPackedBody = 1_300 << 10
)

// acceptDirectly makes e durable in Temporal: its run is started with the packed body inside the input, and Begin writes
// the rows once the ledger answers. Copies that arrive together share one start.
func (in *Intake) acceptDirectly(ctx context.Context, e *event.Event) (event.Outcome, error) {
	leader := false
	_, err, _ := in.flights.Do(e.ID, func() (any, error) {
		leader = true
		return nil, in.startDirectly(ctx, e)
	})
	switch {
	case err != nil && !errors.Is(err, errAlreadyStarted):
		return "", err
	case err == nil && leader && in.answered.first(e.ID):
		return event.Accepted, nil
	}
	in.duplicates.add(e.ID)
	return event.Duplicate, nil
}

func (in *Intake) startDirectly(ctx context.Context, e *event.Event) error {
	select {
	case in.direct <- struct{}{}:
		defer func() { <-in.direct }()
	default:
		return event.ErrUnavailable
	}
	packed := event.Pack(e.Body)
	if len(packed) > maxPackedBody {
		return event.ErrTooLargeNow
	}
	if !in.temporal.allow() {
		return event.ErrUnavailable
	}
	// The sender hanging up must not leave the copies that share this start without an answer.
	err := in.start(context.WithoutCancel(ctx), e, packed, false)
	switch {
	case err == nil, errors.Is(err, errAlreadyStarted):
		in.temporal.report(true)
		return err
	case errors.Is(err, errRefused):
		in.Log.Error("Temporal refused a run", "key", e.Key(), "error", err)
		return event.ErrUnavailable
	}
	in.temporal.report(false)
	in.Log.Warn("an event could not be kept anywhere", "key", e.Key(), "error", err)
	return event.ErrUnavailable
}
