package intake

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"hookflow/event"

	"golang.org/x/sync/errgroup"
)

const (
	// maxDirectStarts bounds the starts in flight and waiting while the ledger is away.
	maxDirectStarts = 200
	// directStarters is how many of them Temporal is given at a time: more would only wait there, with the deadline running.
	directStarters = 16
	// directTime bounds the wait for a start and both tries of it: with a batch that the ledger did not answer before, a
	// sender hears 503 within 5 s.
	directTime = 4 * time.Second
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

// acceptAllDirectly is acceptDirectly for the events of one delivery, as many at a time as Temporal is given. The first that
// fails ends it: the sender comes again with all of them.
func (in *Intake) acceptAllDirectly(ctx context.Context, events []event.Event, kept []int, outcomes []event.Outcome) error {
	var starting errgroup.Group
	var failed atomic.Bool
	starting.SetLimit(directStarters)
	for _, place := range kept {
		if failed.Load() || ctx.Err() != nil { // what comes now could not be answered
			break
		}
		starting.Go(func() (err error) {
			if outcomes[place], err = in.acceptDirectly(ctx, &events[place]); err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	err := starting.Wait()
	if err == nil && ctx.Err() != nil {
		err = event.ErrUnavailable
	}
	return err
}

func (in *Intake) startDirectly(ctx context.Context, e *event.Event) error {
	select {
	case in.direct <- struct{}{}:
		defer func() { <-in.direct }()
	default:
		return event.ErrUnavailable
	}
	// The sender hanging up must not leave the copies that share this start without an answer.
	starting, cancel := context.WithTimeout(context.WithoutCancel(ctx), directTime)
	defer cancel()
	select {
	case in.starting <- struct{}{}:
		defer func() { <-in.starting }()
	case <-ctx.Done():
		return event.ErrUnavailable
	case <-starting.Done():
		return event.ErrUnavailable
	}
	if !in.temporal.allow() {
		return event.ErrUnavailable
	}
	packed, fits := event.PackAtMost(e.Body, maxPackedBody)
	if !fits {
		return event.ErrTooLargeNow
	}
	err := in.start(starting, e, packed, false)
	if unclear(err) {
		// The same ID again is safe, and most of what goes wrong once goes right the second time.
		if again := in.start(starting, e, packed, false); !errors.Is(again, errAlreadyStarted) {
			err = again
		} else {
			err = nil // by the first try, or by another copy; answered tells them apart
		}
	}
	switch {
	case err == nil, errors.Is(err, errAlreadyStarted):
		in.temporal.report(nil)
		return err
	case errors.Is(err, errRefused):
		in.temporal.report(nil)
		in.Log.ErrorContext(ctx, "Temporal refused a run", e.Attrs(), "error", err)
		return event.ErrUnavailable
	}
	in.temporal.report(err)
	in.Log.WarnContext(ctx, "an event could not be kept anywhere", e.Attrs(), "error", err)
	return event.ErrUnavailable
}

// unclear reports whether an error of start says nothing about whether the run was started.
func unclear(err error) bool {
	return err != nil && !errors.Is(err, errAlreadyStarted) && !errors.Is(err, errRefused)
}
