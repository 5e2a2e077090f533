package e2e_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// A provider that repeats itself a thousand times at once hears 200 each time, and its event is handled once. No other
// test of the package runs beside this one, whose requests would otherwise be asked to come again more often than not.
func TestThousandCopiesOfOneEvent(t *testing.T) {
	in := install(t)
	effects := in.watchCheckouts()
	s := in.serve()
	warm := in.sample("stripe", "invoice.paid")
	s.accept(warm)
	s.awaitCompleted(warm.key())
	d := in.checkout()
	const copies = 1000
	outcomes, again := deliverAtOnce(t, s, d, copies)
	t.Logf("%v, asked to come again: %d", outcomes, again)
	require.Equal(t, copies, outcomes["200 accepted"]+outcomes["200 duplicate"], "%v", outcomes)
	require.LessOrEqual(t, outcomes["200 accepted"], 1)
	if again == 0 { // else the one that was accepted may be one that was told to come again
		require.Equal(t, 1, outcomes["200 accepted"])
	}

	counted := s.await(d.key(), "counted", func(e event.Detail) bool { return e.Duplicates >= copies-1 })
	require.LessOrEqual(t, counted.Duplicates, copies-1+again)
	require.NotNil(t, counted.LastDuplicateAt)
	s.awaitCompleted(d.key())
	effects.recorded(1)
	until(t, "the run is visible", func() bool { return in.runs(d.event.WorkflowID()) == 1 })
	require.Equal(t, 1, in.rows("event_type = 'checkout.session.completed'"))
}

// deliverAtOnce posts n copies of d side by side, each until it is taken, as providers do. It counts the answers that a
// copy ended with, and how often one was asked to come again: how soon a busy machine answers is no promise.
func deliverAtOnce(t *testing.T, s *server, d *delivery, n int) (outcomes map[string]int, again int) {
	t.Helper()
	var posting sync.WaitGroup
	var mu sync.Mutex
	outcomes = map[string]int{}
	start := make(chan struct{})
	for range n {
		posting.Go(func() {
			<-start
			for pause := retryPause; t.Context().Err() == nil; pause = min(2*pause, maxPause) {
				got, err := d.try(t.Context(), s.webhooks)
				mu.Lock()
				if err == nil && got.status != http.StatusServiceUnavailable {
					outcomes[describe(got)]++
					mu.Unlock()
					return
				}
				again++
				mu.Unlock()
				<-time.After(pause)
			}
		})
	}
	close(start)
	posting.Wait()
	return outcomes, again
}

func describe(got *reply) string {
	if got.status != http.StatusOK {
		return http.StatusText(got.status)
	}
	return "200 " + got.outcome()
}
