package main

import (
	"context"

	"hookflow/event"
	"hookflow/store"
)

// ledger answers the API from the store.
type ledger struct{ store *store.Store }

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

// Count counts events, or returns event.ErrUnavailable.
func (l ledger) Count(ctx context.Context, c event.Counting) ([]event.Bucket, error) {
	buckets, err := l.store.Count(ctx, c)
	return buckets, away(err)
}

func away(err error) error {
	if store.Unavailable(err) {
		return event.ErrUnavailable
	}
	return err
}
