package intake

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStartsStepBackWhileRequestsWait(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	p := newPressure(func() time.Time { return time.Unix(100, clock.Load()) })
	p.batch(crowd - 1)
	p.enter(t.Context())()
	p.enter(t.Context())() // a small batch means nothing

	p.batch(crowd)
	leave := p.enter(t.Context())
	entered := make(chan func())
	go func() { entered <- p.enter(t.Context()) }()
	select {
	case <-entered:
		require.Fail(t, "two starts at a time")
	case <-time.After(20 * time.Millisecond):
	}
	clock.Store(int64(crowdFor)) // nobody waits any more
	leave()
	(<-entered)()
	p.enter(t.Context())()

	// A stopping process waits for nothing.
	p.batch(crowd)
	held := p.enter(t.Context())
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	p.enter(gone)()
	clock.Add(int64(crowdFor))
	held()
}
