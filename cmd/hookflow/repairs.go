package main

import (
	"context"
	"log/slog"
	"time"

	"hookflow/event"
	"hookflow/intake"
	"hookflow/store"
)

// repairs does what operators ask for through the intake, which speaks to both the ledger and Temporal, and answers with
// the row as it stands then.
type repairs struct {
	store  *store.Store
	intake *intake.Intake
	log    *slog.Logger
	now    func() time.Time
}

// Replay asks for another generation.
func (r repairs) Replay(ctx context.Context, id string, from event.From, author string) (event.Record, error) {
	_, err := r.intake.Replay(ctx, id, from, author)
	return r.done(ctx, id, author, "replayed", err)
}

// Retry makes a waiting step go on now.
func (r repairs) Retry(ctx context.Context, id, author string) (event.Record, error) {
	return r.done(ctx, id, author, "retried", r.intake.Retry(ctx, id, author))
}

// Cancel ends an event.
func (r repairs) Cancel(ctx context.Context, id, author string) (event.Record, error) {
	return r.done(ctx, id, author, "cancelled", r.intake.Cancel(ctx, id, author))
}

// Erase deletes the content of an event from the ledger, then what Temporal holds of it.
func (r repairs) Erase(ctx context.Context, id, author string) (event.Erasure, error) {
	erased, err := r.store.Erase(ctx, id, author, r.now())
	if err != nil {
		return erased, away(err)
	}
	erased.Histories, err = r.intake.DeleteHistories(ctx, erased.WorkflowID, erased.RunIDs)
	r.log.Info("the content of an event is erased", "key", erased.Key, "histories", erased.Histories, "author", author)
	if err != nil {
		r.log.Warn("histories of an erased event are left", "key", erased.Key, "error", err)
	}
	return erased, err
}

func (r repairs) done(ctx context.Context, id, author, what string, err error) (event.Record, error) {
	if err != nil {
		return event.Record{}, away(err)
	}
	d, err := r.store.Find(ctx, id)
	if err == nil {
		r.log.InfoContext(ctx, "an event is "+what, "event_id", d.ID, "key", event.Key(d.Provider, d.EventID), "workflow_id", d.WorkflowID, "generation", d.Generation, "author", author)
	}
	return d.Record, away(err)
}

// replays answers for the bulk replays; the intake of every process moves them on.
type replays struct {
	store *store.Store
	log   *slog.Logger
	now   func() time.Time
}

// PreviewReplay returns what a replay would take.
func (r replays) PreviewReplay(ctx context.Context, f event.Filter) (event.ReplayPreview, error) {
	p, err := r.store.PreviewReplay(ctx, f)
	return p, away(err)
}

// CreateReplay fixes the set of a bulk replay; the next look of an intake begins with it.
func (r replays) CreateReplay(ctx context.Context, request event.ReplayRequest) (event.Replay, error) {
	created, err := r.store.CreateReplay(ctx, request, r.now())
	if err == nil {
		r.log.Info("a replay of many events begins", "replay", created.ID, "events", created.Matched, "author", request.Author)
	}
	return created, away(err)
}

// ListReplays returns the newest bulk replays.
func (r replays) ListReplays(ctx context.Context, limit int) ([]event.Replay, error) {
	found, err := r.store.ListReplays(ctx, limit)
	return found, away(err)
}

// FindReplay returns a bulk replay.
func (r replays) FindReplay(ctx context.Context, id string) (event.Replay, error) {
	found, err := r.store.FindReplay(ctx, id)
	return found, away(err)
}

// SteerReplay pauses, resumes or stops a bulk replay.
func (r replays) SteerReplay(ctx context.Context, id string, to event.ReplayState, author string) (event.Replay, error) {
	steered, err := r.store.SteerReplay(ctx, id, to, r.now())
	if err == nil {
		r.log.Info("a replay is steered", "replay", id, "state", to, "author", author)
	}
	return steered, away(err)
}
