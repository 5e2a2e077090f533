package activities

import (
	"encoding/json"
	"errors"
)

// detailed is an error with what the timeline keeps of the attempt beside its message.
type detailed struct {
	error
	detail json.RawMessage
}

// Unwrap returns the error that the attempt ends with.
func (d *detailed) Unwrap() error { return d.error }

// WithDetail returns err with what the timeline keeps of the attempt beside its message, such as the status and the first
// bytes of an answer. The attempt ends with err as it is: the detail goes to the ledger alone, neither to Temporal nor to
// a log. It is erased with the event's content. A detail that cannot be written as JSON is left out.
func WithDetail(err error, detail any) error {
	raw, failed := json.Marshal(detail)
	if err == nil || failed != nil {
		return err
	}
	return &detailed{err, raw}
}

// TakeDetail parts an error from the detail that a handler gave it, nil where it gave none.
func TakeDetail(err error) (detail json.RawMessage, plain error) {
	var with *detailed
	if !errors.As(err, &with) {
		return nil, err
	}
	return with.detail, with.error
}
