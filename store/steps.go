package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"hookflow/event"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// codeStepCompleted is what complete_step raises when a step was completed before.
const codeStepCompleted = "HF409"

const completeStep = `SELECT complete_step($1, $2, $3, $4, $5::jsonb)`

// CompleteStep sends the statements of batch, and the completion of e's step with result, in one implicit transaction
// and one round trip: all take effect, or none. When the step was completed before, nothing takes effect and the result
// stored then is returned.
func (s *Store) CompleteStep(ctx context.Context, e *event.Event, effects *pgx.Batch, result json.RawMessage, now time.Time) (json.RawMessage, error) {
	all := &pgx.Batch{}
	all.Queue(completeStep, e.ID, e.Step, e.Epoch, now, jsonText(result))
	all.QueuedQueries = append(all.QueuedQueries, effects.QueuedQueries...)
	err := s.runs.SendBatch(ctx, all).Close()
	if stepCompleted(err) {
		return s.stepResult(ctx, e)
	}
	return result, err
}

// CompleteStepTx runs effect and the completion of e's step in one transaction. When the step was completed before,
// effect is not called and the result stored then is returned. An error of effect rolls everything back and is returned
// as an *EffectError.
func (s *Store) CompleteStepTx(ctx context.Context, e *event.Event, now time.Time, effect func(pgx.Tx) (json.RawMessage, error)) (json.RawMessage, error) {
	var result json.RawMessage
	err := pgx.BeginFunc(ctx, s.runs, func(tx pgx.Tx) error {
		// Completed first, so that a second attempt at the same time waits here and not behind the effect.
		if _, err := tx.Exec(ctx, completeStep, e.ID, e.Step, e.Epoch, now, nil); err != nil {
			return err
		}
		var err error
		if result, err = effect(tx); err != nil {
			if tx.Conn().IsClosed() && ctx.Err() == nil {
				return err // the ledger's connection broke, whatever the effect made of it
			}
			return &EffectError{err}
		}
		if result == nil {
			return nil
		}
		_, err = tx.Exec(ctx, `UPDATE event_steps SET result = $4::jsonb WHERE event = $1 AND step = $2 AND epoch = $3`,
			e.ID, e.Step, e.Epoch, jsonText(result))
		return err
	})
	if stepCompleted(err) {
		return s.stepResult(ctx, e)
	}
	return result, err
}

// EffectError is what an effect returned, told apart from what the ledger said: a handler's own network may be away while
// the ledger is not.
type EffectError struct{ Err error }

// Error returns the effect's own words.
func (e *EffectError) Error() string { return e.Err.Error() }

// Unwrap returns the effect's error.
func (e *EffectError) Unwrap() error { return e.Err }

func (s *Store) stepResult(ctx context.Context, e *event.Event) (json.RawMessage, error) {
	var result []byte
	err := s.runs.QueryRow(ctx, `SELECT result FROM event_steps WHERE event = $1 AND step = $2 AND epoch = $3`,
		e.ID, e.Step, e.Epoch).Scan(&result)
	return result, err
}

func stepCompleted(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == codeStepCompleted
}

func jsonText(raw json.RawMessage) *string { return text(string(raw)) }
