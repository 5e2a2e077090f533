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
// as an *EffectError. By a time, unless it is zero, a ledger that does not answer is given up, in the statements of effect
// too, whatever context they have; what effect does beside them may take as long as ctx.
func (s *Store) CompleteStepTx(ctx context.Context, e *event.Event, now, by time.Time, effect func(pgx.Tx) (json.RawMessage, error)) (json.RawMessage, error) {
	bounded, cancel := until(ctx, by)
	defer cancel()
	result, err := s.completeStepTx(ctx, bounded, e, now, effect)
	if stepCompleted(err) {
		return s.stepResult(bounded, e)
	}
	return result, err
}

func (s *Store) completeStepTx(ctx, bounded context.Context, e *event.Event, now time.Time, effect func(pgx.Tx) (json.RawMessage, error)) (json.RawMessage, error) {
	tx, err := s.runs.Begin(bounded)
	if err != nil {
		return nil, err
	}
	ending := func() context.Context {
		if bounded.Err() != nil {
			return ctx // effect took longer by itself
		}
		return bounded
	}
	defer func() { _ = tx.Rollback(ending()) }() // after a commit it does nothing
	// Completed first, so that a second attempt at the same time waits here and not behind the effect.
	if _, err := tx.Exec(bounded, completeStep, e.ID, e.Step, e.Epoch, now, nil); err != nil {
		return nil, err
	}
	result, err := giveUp(bounded, tx, effect)
	if err != nil {
		if tx.Conn().IsClosed() && ctx.Err() == nil {
			return nil, err // the ledger's connection broke, whatever the effect made of it
		}
		return nil, &EffectError{err}
	}
	if result != nil {
		_, err = tx.Exec(ending(), `UPDATE event_steps SET result = $4::jsonb WHERE event = $1 AND step = $2 AND epoch = $3`,
			e.ID, e.Step, e.Epoch, jsonText(result))
		if err != nil {
			return nil, err
		}
	}
	return result, tx.Commit(ending())
}

// giveUp calls effect, whose statements fail once bounded has ended and Postgres has not answered them.
func giveUp(bounded context.Context, tx pgx.Tx, effect func(pgx.Tx) (json.RawMessage, error)) (json.RawMessage, error) {
	by, _ := bounded.Deadline()
	connection := tx.Conn().PgConn().Conn()
	if err := connection.SetDeadline(by); err != nil {
		return nil, err
	}
	defer func() { _ = connection.SetDeadline(time.Time{}) }() // the next who gets the connection has times of its own
	return effect(tx)
}

// until is ctx until a time, unless that is zero.
func until(ctx context.Context, by time.Time) (context.Context, context.CancelFunc) {
	if by.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, by)
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
