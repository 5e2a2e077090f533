package main

import (
	"log/slog"

	sdklog "go.temporal.io/sdk/log"
)

// withoutResults is the SDK's log without what handlers returned: the SDK writes the result of an attempt that ended after
// its time-out, and a result may hold content.
type withoutResults struct{ log sdklog.Logger }

func newSDKLog(log *slog.Logger) sdklog.Logger {
	return withoutResults{sdklog.NewStructuredLogger(log)}
}

// Debug writes a line.
func (w withoutResults) Debug(msg string, keyvals ...any) {
	w.log.Debug(msg, withoutResult(keyvals)...)
}

// Info writes a line.
func (w withoutResults) Info(msg string, keyvals ...any) { w.log.Info(msg, withoutResult(keyvals)...) }

// Warn writes a line.
func (w withoutResults) Warn(msg string, keyvals ...any) { w.log.Warn(msg, withoutResult(keyvals)...) }

// Error writes a line.
func (w withoutResults) Error(msg string, keyvals ...any) {
	w.log.Error(msg, withoutResult(keyvals)...)
}

func withoutResult(keyvals []any) []any {
	kept := make([]any, 0, len(keyvals))
	for i := 0; i+1 < len(keyvals); i += 2 {
		if keyvals[i] != "Result" {
			kept = append(kept, keyvals[i], keyvals[i+1])
		}
	}
	return kept
}
