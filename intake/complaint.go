package intake

import (
	"log/slog"
	"time"
)

// complainEvery is how often the log hears of something that goes on failing.
const complainEvery = 30 * time.Second

// complaint tells the log about work that is tried each second: when it begins to fail, and then every complainEvery. An
// outage is told once by the breaker too, but the breaker hears of webhooks only.
type complaint struct {
	log      *slog.Logger
	now      func() time.Time
	sentence string
	told     time.Time // zero while the work succeeds
}

// about takes how a try ended: nil when it succeeded.
func (c *complaint) about(err error) {
	if err == nil {
		c.told = time.Time{}
		return
	}
	if now := c.now(); c.told.IsZero() || now.Sub(c.told) >= complainEvery {
		c.told = now
		c.log.Warn(c.sentence, "error", err)
	}
}
