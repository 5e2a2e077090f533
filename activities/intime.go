package activities

import (
	"context"
	"time"
)

// lastWords is what an attempt keeps of its time for saying what became of it: the SDK drops what is said after the
// deadline, and Temporal, which counts from a little earlier, takes the attempt for one that timed out.
const lastWords = time.Second

// InTime is ctx, cut so that the attempt can still say what happened: a second before its deadline, or after three quarters
// of what is left where that is less than four. For what asks the ledger, which may hang.
func InTime(ctx context.Context) (context.Context, context.CancelFunc) {
	by := SpeakBy(ctx)
	if by.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, by)
}

// SpeakBy is when an attempt has to know what to say, a second or a quarter before its deadline; zero where it has no deadline.
func SpeakBy(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Time{}
	}
	return deadline.Add(-min(lastWords, time.Until(deadline)/4))
}
