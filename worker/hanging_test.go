package worker

import (
	"context"
	"testing"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/routing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
)

// hangTime is how long an attempt may take that meets a ledger which hangs.
const hangTime = 2 * time.Second

// asksLedger are the ways in which an attempt asks the ledger.
func (r *room) asksLedger() map[string]func(ctx context.Context, e *event.Event) error {
	once := activities.Once{Store: r.store, Now: time.Now}
	return map[string]func(ctx context.Context, e *event.Event) error{
		"Batch": func(ctx context.Context, e *event.Event) error {
			_, err := once.Batch(ctx, e, &pgx.Batch{}, "done")
			return err
		},
		"Tx": func(ctx context.Context, e *event.Event) error {
			_, err := once.Tx(ctx, e, func(tx pgx.Tx) (any, error) {
				r.proxy.Silence()
				_, err := tx.Exec(ctx, "SELECT 1")
				return "done", err
			})
			return err
		},
	}
}

// A ledger that hangs, in place of one that refuses, takes no attempt of a waiting step either.
func TestWaitingStep_ledgerHangs(t *testing.T) {
	t.Parallel()
	for name := range (&room{}).asksLedger() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			e, asks := r.kept("evt_1"), r.asksLedger()
			e.Step = "a"
			run := r.start(e, hangTime, 0, event.Waiting{Attempts: 1}, func(ctx context.Context, attempt int) error {
				if attempt == 1 {
					if name == "Batch" {
						r.proxy.Silence()
					}
					return asks[name](ctx, &e)
				}
				return asks["Batch"](ctx, &e)
			})
			testkit.Eventually(t, func() bool {
				d, err := r.temporal.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
				require.NoError(t, err)
				return len(d.PendingActivities) == 1 && d.PendingActivities[0].Attempt > 2
			}, "the step is repeated")
			r.proxy.Heal()
			require.NoError(t, run.Get(t.Context(), nil))
			require.Equal(t, 2, r.made("evt_1"))
		})
	}
}

// The first attempt of a step with a limit says in time that it met a ledger which hangs.
func TestLimitedStep_ledgerHangs(t *testing.T) {
	t.Parallel()
	for name, remembered := range map[string]bool{"in the handler": true, "before it": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			e := r.kept("evt_1")
			e.Step = "a"
			if remembered {
				r.store.Remember(e)
			}
			r.proxy.Silence()
			err := r.start(e, hangTime, 1, event.Waiting{}, func(ctx context.Context, _ int) error {
				return r.asksLedger()["Batch"](ctx, &e)
			}).Get(t.Context(), nil)
			var application *temporal.ApplicationError
			require.ErrorAs(t, err, &application)
			require.Equal(t, routing.LedgerUnavailable, application.Type())
			var attempts int32
			var waits bool
			require.NoError(t, application.Details(&attempts, &waits))
			require.Zero(t, attempts)
			require.True(t, waits)
		})
	}
}

// A handler's last word is heard although it cannot be noted.
func TestLimitedStep_ledgerHangsUnderANote(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	err := r.start(r.kept("evt_1"), hangTime, 2, event.Waiting{}, func(context.Context, int) error {
		r.proxy.Silence()
		return temporal.NewNonRetryableApplicationError("gone", "Gone", nil)
	}).Get(t.Context(), nil)
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Equal(t, "Gone", application.Type())
	require.Equal(t, 1, r.made("evt_1"))
}

// An attempt that cannot be counted is none: the handler is not called.
func TestWaitingStep_countIsLost(t *testing.T) {
	t.Parallel()
	r := newRoom(t, &deaf{})
	err := r.begin("evt_1", event.Waiting{Attempts: 1}, func(ctx context.Context, _ int) error { return ctx.Err() }).Get(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, 1, r.made("evt_1"))
}

// deaf takes no heartbeat of a first attempt, and ends its context, as the SDK does where Temporal knows no such attempt.
type deaf struct {
	interceptor.WorkerInterceptorBase
}

func (*deaf) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	d := &deafAttempt{}
	d.Next = next
	return d
}

type deafAttempt struct {
	interceptor.ActivityInboundInterceptorBase
	out deafHeartbeats
}

func (d *deafAttempt) Init(out interceptor.ActivityOutboundInterceptor) error {
	d.out.Next = out
	return d.Next.Init(&d.out)
}

func (d *deafAttempt) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	if activity.GetInfo(ctx).Attempt == 1 {
		ctx, d.out.end = context.WithCancel(ctx)
	}
	return d.Next.ExecuteActivity(ctx, in)
}

type deafHeartbeats struct {
	interceptor.ActivityOutboundInterceptorBase
	end context.CancelFunc
}

func (d *deafHeartbeats) RecordHeartbeat(ctx context.Context, details ...any) {
	if d.end != nil {
		d.end()
		return
	}
	d.Next.RecordHeartbeat(ctx, details...)
}

// What is wrong with the ledger beside that it is away is no outage: it spends the attempts, with growing pauses.
func TestWaitingStep_ledgerRefusesTheStatement(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	e := r.kept("evt_1")
	testkit.Exec(t, r.url, "ALTER TABLE webhook_bodies RENAME COLUMN content_type TO kind")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := r.start(e, attemptTime, 0, event.Waiting{Attempts: 3}, func(context.Context, int) error { return nil }).Get(ctx, nil)
	require.ErrorContains(t, err, "content_type")
	var failed *temporal.ActivityError
	require.ErrorAs(t, err, &failed)
	require.Zero(t, r.made("evt_1"))
}

// Who resets the activity in Temporal begins it anew: its numbers begin at 1 again while its heartbeat stays.
func TestProgress_resetActivity(t *testing.T) {
	t.Parallel()
	kept := &keptHeartbeat{tally: tally{Made: 1, Since: 4}}
	for number, want := range map[int32]int32{1: 0, 3: 0, 4: 1, 6: 3} {
		p := &progress{}
		p.Next = kept
		require.Equal(t, want, p.resume(t.Context(), number).made(number))
	}
}

type keptHeartbeat struct {
	interceptor.ActivityOutboundInterceptorBase
	tally tally
}

func (k *keptHeartbeat) GetHeartbeatDetails(_ context.Context, into ...any) error {
	*into[0].(*tally) = k.tally
	return nil
}
