package e2e_test

import (
	"net/http"
	"sync"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// A provider that repeats itself a thousand times at once hears 200 each time, and its event is handled once. No other
// test of the package runs beside this one: a thousand requests that find the machine busy may well be asked to come
// again.
func TestThousandCopiesOfOneEvent(t *testing.T) {
	in := install(t)
	effects := in.watchCheckouts()
	s := in.serve()
	warm := in.sample("stripe", "invoice.paid")
	s.accept(warm)
	s.awaitCompleted(warm.key())
	d := in.checkout()
	const copies = 1000
	outcomes := deliverAtOnce(t, s, d, copies)
	require.Equal(t, map[string]int{"200 accepted": 1, "200 duplicate": copies - 1}, outcomes)

	counted := s.await(d.key(), "counted", func(e event.Detail) bool { return e.Duplicates == copies-1 })
	require.NotNil(t, counted.LastDuplicateAt)
	s.awaitCompleted(d.key())
	effects.recorded(1)
	until(t, "the run is visible", func() bool { return in.runs(d.event.WorkflowID()) == 1 })
	require.Equal(t, 1, in.rows("event_type = 'checkout.session.completed'"))
}

// deliverAtOnce posts n copies of d side by side and counts the answers.
func deliverAtOnce(t *testing.T, s *server, d *delivery, n int) map[string]int {
	t.Helper()
	var posting sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[string]int{}
	start := make(chan struct{})
	for range n {
		posting.Go(func() {
			<-start
			word := "no answer"
			if got, err := d.try(t.Context(), s.webhooks); err == nil {
				word = describe(got)
			}
			mu.Lock()
			defer mu.Unlock()
			outcomes[word]++
		})
	}
	close(start)
	posting.Wait()
	return outcomes
}

func describe(got *reply) string {
	if got.status != http.StatusOK {
		return http.StatusText(got.status)
	}
	return "200 " + got.outcome()
}
