// Package activities does the work of the steps: one struct per provider, Begin and Finish, and Once for effects in the
// ledger's own database.
package activities

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"time"

	"hookflow/event"
	"hookflow/routing"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.temporal.io/sdk/temporal"
)

// InvalidPayload is the error type of an event that does not hold what its type promises. No attempt can mend it.
const InvalidPayload = "InvalidPayload"

// Once makes database effects happen once per step, however often the step is attempted: Temporal repeats an attempt
// whose answer was lost, with its effect already done.
type Once struct {
	Store *store.Store
	Now   func() time.Time
}

// Batch runs the statements of effects and records the step as completed with result, in one transaction and one round
// trip. When an earlier attempt did so, nothing is changed and the earlier result is returned. While the ledger is away
// it fails with LedgerUnavailable, which spends no declared attempt; what Postgres refuses as data (a number or a key too
// large for its column) is an InvalidPayload, since every attempt brings the same data.
func (o Once) Batch(ctx context.Context, e *event.Event, effects *pgx.Batch, result any) (json.RawMessage, error) {
	raw, err := json.Marshal(result)
	if err != nil {
		return nil, err
	}
	ctx, cancel := InTime(ctx)
	defer cancel()
	stored, err := o.Store.CompleteStep(ctx, e, effects, raw, o.Now())
	if store.Refused(err) {
		return nil, invalidPayload("Postgres refuses what the event holds") // its own message would quote it
	}
	return stored, ledgerError(err)
}

// Tx runs effect and records the step as completed with what effect returns, in one transaction. When an earlier attempt
// did so, effect is not called and the earlier result is returned. An error of effect undoes everything and is returned
// as it is; while the ledger is away it fails as Batch does. A ledger that hangs is given up in time to say so, in the
// statements of effect too; what effect does beside them may take as long as the attempt.
func (o Once) Tx(ctx context.Context, e *event.Event, effect func(pgx.Tx) (any, error)) (json.RawMessage, error) {
	stored, err := o.Store.CompleteStepTx(ctx, e, o.Now(), SpeakBy(ctx), func(tx pgx.Tx) (json.RawMessage, error) {
		result, err := effect(tx)
		if err != nil {
			return nil, err
		}
		return json.Marshal(result)
	})
	return stored, ledgerError(err)
}

// ledgerError keeps an outage of the ledger from being counted as a failure of the handler.
func ledgerError(err error) error {
	var own *store.EffectError
	if errors.As(err, &own) {
		return effectError(own.Err)
	}
	if store.Unavailable(err) {
		return LedgerUnavailable(err)
	}
	return err
}

// effectError is an effect's own error, unless Postgres itself said in it that it cannot go on.
func effectError(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && store.Unavailable(err) {
		return LedgerUnavailable(err)
	}
	return err
}

// LedgerUnavailable is the error of an attempt for which the ledger did not answer. The worker's interceptor decides what
// becomes of the attempt.
func LedgerUnavailable(cause error) error {
	return temporal.NewNonRetryableApplicationError("the ledger does not answer", routing.LedgerUnavailable, cause)
}

func invalidPayload(what string) error {
	return temporal.NewNonRetryableApplicationError(what, InvalidPayload, nil)
}

// IsLedgerUnavailable reports whether an attempt ended because the ledger did not answer.
func IsLedgerUnavailable(err error) bool {
	var application *temporal.ApplicationError
	return errors.As(err, &application) && application.Type() == routing.LedgerUnavailable
}

// plainError is the type of errors.New, which the SDK leaves without a name.
var plainError = reflect.TypeOf(errors.New("")).Elem()

// maxMessage bounds what is kept of a handler's error, in bytes.
const maxMessage = 2 << 10

// said is a handler's message as the ledger keeps it.
func said(message string) string { return storable(message[:min(len(message), maxMessage)]) }

// Describe returns what the ledger keeps of a handler's error: its message, cut to 2 KiB, and its type.
func Describe(err error) (message, errorType string) {
	var application *temporal.ApplicationError
	if errors.As(err, &application) {
		message, errorType = application.Message(), application.Type()
	} else {
		// As the SDK names it in the failure that the workflow sees.
		kind := reflect.TypeOf(err)
		for kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		if message = err.Error(); kind != plainError {
			errorType = kind.Name()
		}
	}
	return said(message), storable(errorType)
}
