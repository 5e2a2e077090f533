package intake

import "sync"

// answeredKept is how many ids an answered holds before it forgets the older half: some seconds of the fastest burst, and
// a few MB at most.
const answeredKept = 20_000

// answered remembers which events this process has called accepted lately. While the ledger is slow, both durable places
// may find one event new: its row is committed after the batch was given up and Temporal asked, or before another copy's
// batch is. The sender's copies then hear accepted once all the same.
type answered struct {
	mu         sync.Mutex
	young, old map[string]struct{}
}

func newAnswered() *answered { return &answered{young: map[string]struct{}{}} }

// first reports whether nobody was told yet that the event is accepted, and takes it that the caller now is.
func (a *answered) first(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, young := a.young[id]
	_, old := a.old[id]
	if young || old {
		return false
	}
	if len(a.young) >= answeredKept/2 {
		a.old, a.young = a.young, make(map[string]struct{}, answeredKept/2)
	}
	a.young[id] = struct{}{}
	return true
}
