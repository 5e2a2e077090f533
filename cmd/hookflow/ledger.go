package main

import (
	"context"
	"log/slog"

	"hookflow/event"
	"hookflow/intake"
	"hookflow/store"
)

// ledger answers the API from the store; a replay goes through the intake, which starts it.
type ledger struct {
	store  *store.Store
	intake *intake.Intake
	log    *slog.Logger
}

// List returns a page of events, or event.ErrUnavailable while Postgres is away.
func (l ledger) List(ctx context.Context, f event.Filter) (event.Page, error) {
	page, err := l.store.List(ctx, f)
	return page, away(err)
}

// Find returns one event, event.ErrNotFound, or event.ErrUnavailable.
func (l ledger) Find(ctx context.Context, id string) (event.Detail, error) {
	d, err := l.store.Find(ctx, id)
	return d, away(err)
}

// Replay asks for another generation and returns the row as it stands then.
func (l ledger) Replay(ctx context.Context, id, author string) (event.Record, error) {
	ref, err := l.intake.Replay(ctx, id)
	if err != nil {
		return event.Record{}, away(err)
	}
	l.log.Info("an event is replayed", "key", ref.Key(), "generation", ref.Generation, "author", author)
	d, err := l.store.Find(ctx, id)
	return d.Record, away(err)
}

func away(err error) error {
	if store.Unavailable(err) {
		return event.ErrUnavailable
	}
	return err
}
