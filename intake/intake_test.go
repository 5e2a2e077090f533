package intake_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/intake"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// bench is an intake on a schema and a namespace of its own, with a proxy before each.
type bench struct {
	*intake.Intake
	url           string // of the schema, past the proxy
	temporal      client.Client
	postgresProxy *testkit.Proxy
	temporalProxy *testkit.Proxy
	stop          func()
}

// patient is a time-out of the ledger that a busy machine does not run into by itself.
const patient = 20 * time.Second

func start(t *testing.T) *bench { return startWith(t, patient) }

// startWith takes the time-out of the ledger, 0 for the one of production.
func startWith(t *testing.T, ledgerTimeout time.Duration) *bench {
	return startIn(t, testkit.Namespace(t), ledgerTimeout)
}

func startIn(t *testing.T, namespace string, ledgerTimeout time.Duration) *bench {
	t.Helper()
	b := &bench{url: testkit.Database(t)}
	b.temporal = testkit.Client(t, namespace)
	var proxied string
	b.postgresProxy, proxied = testkit.DatabaseProxy(t, b.url)
	b.temporalProxy = testkit.NewProxy(t, testkit.TemporalAddress(t))
	c, err := client.Dial(client.Options{HostPort: b.temporalProxy.Address(), Namespace: namespace, Logger: testkit.Quiet()})
	require.NoError(t, err)
	b.Intake = intake.New(intake.Config{
		Store: testkit.OpenStore(t, proxied, store.Options{}), Temporal: c, Namespace: namespace, TaskQueue: "hookflow",
		WorkflowType: func(string) string { return "StripeWebhook" },
		Routed:       func(_, eventType string) bool { return eventType != "chatter" },
		Now:          time.Now, Log: slog.New(slog.DiscardHandler), LedgerTimeout: ledgerTimeout,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { b.Run(ctx) })
	b.stop = sync.OnceFunc(func() { cancel(); running.Wait(); c.Close() })
	t.Cleanup(b.stop)
	return b
}

func webhook(id string) *event.Event {
	e := &event.Event{
		Provider: "stripe", Scheme: "stripe", EventID: id, Type: "checkout.session.completed",
		ReceivedAt: time.Now().UTC(), ContentType: "application/json", Body: []byte(`{"id":"` + id + `"}`),
	}
	e.ID = event.ID(e.Key())
	return e
}

func (b *bench) accept(t *testing.T, e *event.Event) event.Outcome {
	t.Helper()
	outcome, err := b.Accept(t.Context(), e)
	require.NoError(t, err)
	return outcome
}

// started reports whether Temporal has a run of the event.
func (b *bench) started(t *testing.T, e *event.Event) bool {
	_, err := b.temporal.DescribeWorkflowExecution(t.Context(), e.WorkflowID(), "")
	return err == nil
}

func (b *bench) rows(t *testing.T, where string) int {
	return testkit.Query[int](t, b.url, `SELECT count(*) FROM webhook_events WHERE `+where)
}

func TestAcceptedIsDurableAndDispatched(t *testing.T) {
	t.Parallel()
	b := start(t)
	e := webhook("evt_1")
	require.Equal(t, event.Accepted, b.accept(t, e))
	require.Equal(t, 1, b.rows(t, "true"), "the row is there before the answer")
	require.Equal(t, event.Duplicate, b.accept(t, webhook("evt_1")))
	chatter := webhook("evt_2")
	chatter.Type, chatter.Chatty = "chatter", true
	require.Equal(t, event.Ignored, b.accept(t, chatter))
	chatter.Type = "routed after all"
	require.Equal(t, event.Accepted, b.accept(t, chatter))

	testkit.Eventually(t, func() bool { return b.started(t, e) }, "no run")
	testkit.Eventually(t, func() bool { return b.rows(t, "dispatched_at IS NOT NULL AND lease_until IS NULL") == 2 }, "not marked")
	testkit.Eventually(t, func() bool { return b.rows(t, "duplicates = 1 AND last_duplicate_at IS NOT NULL") == 1 }, "not counted")
}

// A run is found by its event's type where the namespace knows the attribute, and starts all the same where it does not.
func TestRunsCarryTheTypeWhereTheNamespaceKnowsIt(t *testing.T) {
	t.Parallel()
	for name, namespace := range map[string]func(testing.TB) string{"known": testkit.Namespace, "not known": testkit.BareNamespace} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startIn(t, namespace(t), patient)
			found := map[string]bool{}
			for _, id := range []string{"evt_1", "evt_2"} {
				e := webhook(id)
				require.Equal(t, event.Accepted, b.accept(t, e))
				testkit.Eventually(t, func() bool { return b.started(t, e) }, "no run")
				run, err := b.temporal.DescribeWorkflow(t.Context(), e.WorkflowID(), "")
				require.NoError(t, err)
				kind, _ := run.TypedSearchAttributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(event.TypeAttribute))
				found[kind] = true
			}
			require.Equal(t, map[string]bool{map[string]string{"known": "checkout.session.completed"}[name]: true}, found)
			require.Zero(t, b.rows(t, "last_error IS NOT NULL"))
		})
	}
}

func TestCopiesAtTheSameInstant(t *testing.T) {
	t.Parallel()
	b := start(t)
	const events, copies = 20, 50
	outcomes := make(chan event.Outcome, events*copies)
	var posting sync.WaitGroup
	for i := range events * copies {
		posting.Go(func() {
			outcome, err := b.Accept(t.Context(), webhook(fmt.Sprintf("evt_%d", i%events)))
			if err != nil {
				outcome = event.Outcome(err.Error())
			}
			outcomes <- outcome
		})
	}
	posting.Wait()
	close(outcomes)
	counts := map[event.Outcome]int{}
	for o := range outcomes {
		counts[o]++
	}
	require.Equal(t, map[event.Outcome]int{event.Accepted: events, event.Duplicate: events * (copies - 1)}, counts)
	testkit.Eventually(t, func() bool {
		return testkit.Query[int](t, b.url, `SELECT sum(duplicates)::int FROM webhook_events`) == events*(copies-1)
	}, "duplicates are miscounted")
}

// A row that Postgres refuses fails alone.
func TestRefusedRowFailsAlone(t *testing.T) {
	t.Parallel()
	b := start(t)
	var posting sync.WaitGroup
	var failed, accepted sync.Map
	for i := range 40 {
		posting.Go(func() {
			e := webhook(fmt.Sprintf("evt_%d", i))
			if i%10 == 0 {
				e.Type = "a NUL: \x00" // the providers never let one through
			}
			if _, err := b.Accept(t.Context(), e); err != nil {
				failed.Store(i, err)
			} else {
				accepted.Store(i, true)
			}
		})
	}
	posting.Wait()
	for i := range 40 {
		err, refused := failed.Load(i)
		require.Equal(t, i%10 == 0, refused, i)
		if refused {
			require.True(t, store.Refused(err.(error)))
		}
	}
	require.Equal(t, 36, b.rows(t, "true"))
}

// The relay finds what another process wrote and did not start.
func TestRelay(t *testing.T) {
	t.Parallel()
	b := start(t)
	direct := testkit.OpenStore(t, b.url, store.Options{})
	var left []store.Arrival
	for i := range 30 {
		e := webhook(fmt.Sprintf("evt_%02d", i))
		e.ReceivedAt = e.ReceivedAt.Add(-time.Hour)
		a := store.Arrival{Event: e}
		if i%2 == 0 {
			a.LeaseUntil = time.Now().Add(2 * time.Second) // a process that died just now
		}
		left = append(left, a)
	}
	_, err := direct.InsertEvents(t.Context(), left)
	require.NoError(t, err)
	testkit.Eventually(t, func() bool { return b.rows(t, "dispatched_at IS NOT NULL") == 30 }, "the relay leaves rows")
	for _, a := range left {
		require.True(t, b.started(t, a.Event))
	}
}

// A relay that races the dispatcher finds the run already started; the row is marked all the same.
func TestRelayRacesTheDispatcher(t *testing.T) {
	t.Parallel()
	b := start(t)
	e := webhook("evt_1")
	require.Equal(t, event.Accepted, b.accept(t, e))
	testkit.Eventually(t, func() bool { return b.rows(t, "dispatched_at IS NOT NULL") == 1 }, "not dispatched")
	testkit.Exec(t, b.url, `UPDATE webhook_events SET dispatched_at = NULL, dispatch_attempts = 0`) // the mark was lost
	testkit.Eventually(t, func() bool { return b.rows(t, "dispatched_at IS NOT NULL") == 1 }, "not marked again")
	runs, err := b.temporal.CountWorkflow(t.Context(), countAll)
	require.NoError(t, err)
	require.LessOrEqual(t, runs.Count, int64(1))
}

// With the ledger away Temporal is the second durable place.
func TestLedgerAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*testkit.Proxy){"refused": (*testkit.Proxy).Refuse, "silent": (*testkit.Proxy).Silence} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startWith(t, 0)
			require.Equal(t, event.Accepted, b.accept(t, webhook("evt_before")))
			away(b.postgresProxy)
			for i := range 5 {
				e := webhook(fmt.Sprintf("evt_%d", i))
				require.Equal(t, event.Accepted, b.accept(t, e))
				require.True(t, b.started(t, e), "the run is there before the answer")
				require.Equal(t, event.Duplicate, b.accept(t, webhook(e.EventID)))
			}
			ledger, temporal := b.Available()
			require.False(t, ledger)
			require.True(t, temporal)

			large := webhook("evt_large")
			large.Body = make([]byte, 2<<20)
			_, err := rand.Read(large.Body)
			require.NoError(t, err)
			_, err = b.Accept(t.Context(), large)
			require.ErrorIs(t, err, event.ErrTooLargeNow, "it does not compress")
			large.Body = make([]byte, 8<<20)
			require.Equal(t, event.Accepted, b.accept(t, large), "it compresses")

			b.postgresProxy.Heal()
			testkit.Eventually(t, func() bool { l, _ := b.Available(); return l }, "the breaker stays open")
			require.Equal(t, event.Accepted, b.accept(t, webhook("evt_after")))
			require.Positive(t, b.rows(t, "event_id = 'evt_after'"))
		})
	}
}

// Copies that arrive together while the ledger is away share one start.
func TestCopiesWhileTheLedgerIsAway(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.postgresProxy.Refuse()
	var posting sync.WaitGroup
	outcomes := make(chan event.Outcome, 300)
	for range cap(outcomes) {
		posting.Go(func() {
			outcome, err := b.Accept(t.Context(), webhook("evt_1"))
			if err != nil {
				outcome = event.Outcome(err.Error())
			}
			outcomes <- outcome
		})
	}
	posting.Wait()
	close(outcomes)
	counts := map[event.Outcome]int{}
	for o := range outcomes {
		counts[o]++
	}
	require.Equal(t, map[event.Outcome]int{event.Accepted: 1, event.Duplicate: 299}, counts)
}

// A commit whose answer was lost falls through to Temporal; the relay later finds that ID already started.
func TestLostCommitAnswer(t *testing.T) {
	t.Parallel()
	b := startWith(t, 0)
	require.Equal(t, event.Accepted, b.accept(t, webhook("evt_warm"))) // connections are open
	b.postgresProxy.Silence()
	e := webhook("evt_1")
	require.Equal(t, event.Accepted, b.accept(t, e))
	require.True(t, b.started(t, e))
	testkit.Eventually(t, func() bool { return b.rows(t, "event_id = 'evt_1'") == 1 }, "the statement did not get through")
	b.postgresProxy.Heal()
	testkit.Eventually(t, func() bool { return b.rows(t, "event_id = 'evt_1' AND dispatched_at IS NOT NULL") == 1 }, "the relay does not settle it")
	require.Equal(t, event.Duplicate, b.accept(t, webhook("evt_1")))
}

func TestTemporalAway(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.temporalProxy.Refuse()
	for i := range 20 {
		require.Equal(t, event.Accepted, b.accept(t, webhook(fmt.Sprintf("evt_%d", i))))
	}
	testkit.Eventually(t, func() bool { _, temporal := b.Available(); return !temporal }, "the breaker stays closed")
	require.Equal(t, 20, b.rows(t, "status = 'pending' AND dispatched_at IS NULL"))
	b.temporalProxy.Heal()
	testkit.Eventually(t, func() bool { return b.rows(t, "dispatched_at IS NOT NULL") == 20 }, "the backlog is not handed over")
}

func TestBothAway(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.temporalProxy.Refuse()
	b.postgresProxy.Refuse()
	var asking sync.WaitGroup
	for i := range 40 { // more than Temporal is asked at a time
		asking.Go(func() {
			began := time.Now()
			_, err := b.Accept(t.Context(), webhook(fmt.Sprintf("evt_%d", i)))
			assert.ErrorIs(t, err, event.ErrUnavailable)
			assert.Less(t, time.Since(began), 5*time.Second, "what senders are promised")
		})
	}
	asking.Wait()
	b.postgresProxy.Heal()
	b.temporalProxy.Heal()
	testkit.Eventually(t, func() bool {
		outcome, err := b.Accept(t.Context(), webhook("evt_0"))
		return err == nil && outcome == event.Accepted
	}, "nothing is accepted after both came back")
}

// A stopping process gives back what it had not started, so that the next need not wait for its leases.
func TestStopGivesBack(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.temporalProxy.Refuse()
	for i := range 20 {
		b.accept(t, webhook(fmt.Sprintf("evt_%d", i)))
	}
	b.stop()
	require.Zero(t, b.rows(t, "lease_until > now()"))
}

func TestReplay(t *testing.T) {
	t.Parallel()
	b := start(t)
	e := webhook("evt_1")
	b.accept(t, e)
	_, err := b.Replay(t.Context(), e.ID, event.FromFailure, "ann")
	require.ErrorIs(t, err, event.ErrNotFinal)
	_, err = b.Replay(t.Context(), event.ID("none"), event.FromFailure, "ann")
	require.ErrorIs(t, err, event.ErrNotFound)
	testkit.Eventually(t, func() bool { return b.started(t, e) }, "no run")
	// The run of generation 0 is still open when its row is final: the start of generation 1 must not be taken for it.
	testkit.Exec(t, b.url, `UPDATE webhook_events SET status = 'completed', dispatched_at = now()`)
	ref, err := b.Replay(t.Context(), e.ID, event.FromFailure, "ann")
	require.NoError(t, err)
	require.Equal(t, 1, ref.Generation)
	testkit.Eventually(t, func() bool { return b.rows(t, "dispatch_attempts > 0 AND dispatched_at IS NULL") == 1 }, "not tried")
	require.NoError(t, b.temporal.TerminateWorkflow(t.Context(), e.WorkflowID(), "", "test"))
	testkit.Eventually(t, func() bool { return b.rows(t, "dispatched_at IS NOT NULL") == 1 }, "generation 1 is not started")
	b.postgresProxy.Refuse()
	_, err = b.Replay(t.Context(), e.ID, event.FromFailure, "ann")
	require.True(t, errors.Is(err, event.ErrUnavailable), err)
}

var countAll = &workflowservice.CountWorkflowExecutionsRequest{Query: "WorkflowType = 'StripeWebhook'"}
