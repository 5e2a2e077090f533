package telemetry

import (
	"cmp"
	"log/slog"
)

// attr is slog's ReplaceAttr: times in UTC, and no secret in a text or an error.
func (r *redactor) attr(groups []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindTime:
		if len(groups) == 0 && a.Key == slog.TimeKey {
			a.Value = slog.TimeValue(a.Value.Time().UTC())
		}
	case slog.KindString:
		a.Value = slog.StringValue(r.text(a.Value.String()))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(r.text(err.Error()))
		}
	}
	return a
}

func newLog(o Options, secrets *redactor) *slog.Logger {
	options := &slog.HandlerOptions{Level: cmp.Or(o.Level, slog.Leveler(slog.LevelInfo)), ReplaceAttr: secrets.attr}
	if o.Text {
		return slog.New(traced{slog.NewTextHandler(o.Log, options)})
	}
	return slog.New(traced{slog.NewJSONHandler(o.Log, options)})
}
