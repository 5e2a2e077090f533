package activities

import (
	"context"
	"time"

	"hookflow/store"

	"go.temporal.io/sdk/activity"
)

const (
	// eraseBatch keeps each statement, and the locks that it holds, to some tens of milliseconds.
	eraseBatch = 1000
	// erasePause leaves the disk to the events that arrive.
	erasePause = 50 * time.Millisecond
)

// EraseExpired deletes the content of events that ended before the retention, in small batches, and the bulk replays that
// ended before it. It returns how many bodies it deleted. An attempt goes on where the one before it got to. Without a retention it deletes nothing.
func (h *Housekeeping) EraseExpired(ctx context.Context) (int, error) {
	if h.Retention <= 0 {
		return 0, nil
	}
	before := h.Now().Add(-h.Retention)
	var at store.Place
	if activity.HasHeartbeatDetails(ctx) {
		// Without readable details the walk begins anew: what is gone already costs a look.
		_ = activity.GetHeartbeatDetails(ctx, &at)
	}
	if replays, err := h.Store.DeleteReplays(ctx, before); err != nil {
		return 0, err
	} else if replays > 0 {
		h.Log.Info("old bulk replays were deleted", "replays", replays, "before", before)
	}
	total := 0
	for {
		looked, erased, next, err := h.Store.EraseExpired(ctx, at, before, eraseBatch)
		if err != nil {
			return total, err
		}
		total, at = total+erased, next
		activity.RecordHeartbeat(ctx, at)
		if looked < eraseBatch {
			if total > 0 {
				h.Log.Info("the content of old events was deleted", "events", total, "before", before)
			}
			return total, nil
		}
		if erased == 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return total, ctx.Err()
		case <-time.After(erasePause):
		}
	}
}
