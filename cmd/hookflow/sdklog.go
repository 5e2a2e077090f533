package main

import (
	"log/slog"
	"strings"
	"unicode"

	"hookflow/event"
	"hookflow/worker"

	sdklog "go.temporal.io/sdk/log"
)

// ourLog is the SDK's log in the words of ours: its names in snake_case, the event beside the run. What handlers returned
// and said stays out of it, since it may hold content: the SDK writes the result of an attempt that ended after its
// time-out, and the texts of errors and panics. Those are in the ledger; the line names their type.
type ourLog struct{ log sdklog.Logger }

func newSDKLog(log *slog.Logger) sdklog.Logger { return ourLog{sdklog.NewStructuredLogger(log)} }

// Debug writes a line.
func (l ourLog) Debug(msg string, keyvals ...any) { l.log.Debug(msg, inOurWords(keyvals)...) }

// Info writes a line.
func (l ourLog) Info(msg string, keyvals ...any) { l.log.Info(msg, inOurWords(keyvals)...) }

// Warn writes a line.
func (l ourLog) Warn(msg string, keyvals ...any) { l.log.Warn(msg, inOurWords(keyvals)...) }

// Error writes a line, but not of a task that was given back on purpose: the worker notes those, once a minute.
func (l ourLog) Error(msg string, keyvals ...any) {
	for i := 0; i+1 < len(keyvals); i += 2 {
		if err, ok := keyvals[i+1].(error); ok && strings.HasPrefix(err.Error(), worker.ForeignTask) {
			return
		}
	}
	l.log.Error(msg, inOurWords(keyvals)...)
}

// With returns a logger that adds attributes to each line.
func (l ourLog) With(keyvals ...any) sdklog.Logger {
	return ourLog{sdklog.With(l.log, inOurWords(keyvals)...)}
}

// inOurWords translates the attributes of a line.
func inOurWords(keyvals []any) []any {
	kept := make([]any, 0, len(keyvals)+2)
	for i := 0; i+1 < len(keyvals); i += 2 {
		name, _ := keyvals[i].(string)
		value := keyvals[i+1]
		switch name {
		case "Result":
			continue
		case "PanicError":
			if ofHandler(keyvals) {
				continue
			}
		case "Error":
			if err, ok := value.(error); ok && ofHandler(keyvals) {
				kept = append(kept, "error_type", errorType(err))
				continue
			}
		case "WorkflowID":
			if key, ok := value.(string); ok && strings.Contains(key, ":") && !strings.Contains(key, ":sha256-") {
				kept = append(kept, "event_id", event.ID(event.WithoutQueue(key)))
			}
		}
		kept = append(kept, snake(name), value)
	}
	return kept
}

// ofHandler reports whether a line is about an activity other than those that come with every run: what they say is about
// the ledger, and holds no content.
func ofHandler(keyvals []any) bool {
	for i := 0; i+1 < len(keyvals); i += 2 {
		if keyvals[i] == "ActivityType" || keyvals[i] == "LocalActivityType" {
			name, _ := keyvals[i+1].(string)
			return !strings.HasPrefix(name, "mirror.") && !strings.HasPrefix(name, "housekeeping.")
		}
	}
	return false
}

// snake turns WorkflowID into workflow_id.
func snake(name string) string {
	var b strings.Builder
	letters := []rune(name)
	for i, r := range letters {
		begins := unicode.IsUpper(r) && i > 0 && (unicode.IsLower(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1]))
		if begins && letters[i-1] != '_' {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
