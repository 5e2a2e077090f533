package worker

import (
	"context"
	"encoding/json"
	"net/url"
	"sync"
	"time"

	"hookflow/event"
	"hookflow/routing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
)

// leastShare is how many attempts each receiver may have at a time, however full it is.
const leastShare = 4

// shares bounds the attempts that a process makes at a time for one receiver of plain forwards. Those share the places of the
// main queue with everything else: a receiver that accepts and never answers would hold all of them, for its whole time-out
// each. It gets half of the places that are free at most, so that there is always room for the next one.
type shares struct {
	places int

	mu    sync.Mutex
	taken int
	of    map[string]int // by host
}

func newShares(places int) *shares { return &shares{places: places, of: map[string]int{}} }

// take reports whether the receiver may have another attempt. Each that is taken must be given back.
func (s *shares) take(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[host] >= max((s.places-s.taken)/2, leastShare) {
		return false
	}
	s.of[host]++
	s.taken++
	return true
}

// giveBack ends an attempt.
func (s *shares) giveBack(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.of[host]--; s.of[host] == 0 {
		delete(s.of, host)
	}
}

// receiverOf returns the host that an attempt sends to without a destination, which has places of its own; "" for other attempts.
func receiverOf(in *interceptor.ExecuteActivityInput) string {
	if len(in.Args) < 2 {
		return ""
	}
	var to routing.Forward
	switch declared := in.Args[1].(type) {
	case routing.Forward:
		to = declared
	case json.RawMessage: // of a question
		if json.Unmarshal(declared, &to) != nil {
			return ""
		}
	}
	if to.URLEnv != "" {
		return to.URLEnv // its host may be secret, as the rest is
	}
	u, err := url.Parse(to.URL)
	if err != nil || to.Destination != "" {
		return ""
	}
	return u.Host
}

// ReceiverBusy is the error type of a question to a receiver that has as many attempts under way as it may. Its sender waits, so
// that it cannot be put off.
const ReceiverBusy = "ReceiverBusy"

// An attempt for which the receiver has no place is made again after as many seconds as it has had attempts, within this.
const longestBusyPause = 15 * time.Second

// place takes a place for an attempt's receiver, where it has one. The error says what becomes of an attempt that got none: none
// of the step's declared attempts is spent.
func (a *attempts) place(ctx context.Context, in *interceptor.ExecuteActivityInput, ref event.Event) (giveBack func(), err error) {
	host := receiverOf(in)
	if host == "" {
		return func() {}, nil
	}
	of, message := a.forwards, host+" has as many attempts under way as it may; this one waits for a place"
	if ref.Reply {
		of = a.questions
	}
	if of.take(host) {
		return func() { of.giveBack(host) }, nil
	}
	if ref.Reply {
		return nil, temporal.NewApplicationError(host+" has as many questions to answer as it may", ReceiverBusy)
	}
	return nil, a.putOff(ctx, ref, message, min(time.Duration(activity.GetInfo(ctx).Attempt)*time.Second, longestBusyPause))
}
