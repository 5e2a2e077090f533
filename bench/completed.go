package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// completedRounds is how often each program runs; the medians are printed.
const completedRounds = 2

// warmEvents go through each program first: connections, prepared statements, the worker's pollers.
const warmEvents = 20

// completedWithin bounds one measurement.
const completedWithin = 2 * time.Minute

// story is one program whose events are counted from POST to completed.
type story struct {
	name    string
	bare    bool
	inline  bool
	split   bool
	seconds []float64
}

// ordinaryRoute is the built-in route with its step as an ordinary activity.
const ordinaryRoute = `
routes:
  - provider: stripe
    type: checkout.session.*
    steps:
      - activity: stripe.RecordCheckout
`

// completed measures whole events against the least that Temporal can do: one workflow with one activity.
func (b *bench) completed(ctx context.Context) error {
	if slices.Contains(b.options.temporal, "dev") {
		if err := b.completedOn(ctx, "the dev server", b.temporal.Address()); err != nil {
			return err
		}
	}
	if !slices.Contains(b.options.temporal, "postgres") {
		return nil
	}
	server, err := b.startTemporalOnPostgres(ctx)
	if err != nil {
		return err
	}
	defer server.kill()
	return b.completedOn(ctx, "a Temporal server on Postgres", server.address)
}

func (b *bench) completedOn(ctx context.Context, place, address string) error {
	stories := []*story{
		{name: "a bare workflow with one activity", bare: true},
		{name: "inline step, one process", inline: true},
		{name: "ordinary step, one process"},
		{name: "inline step, API and worker", inline: true, split: true},
		{name: "ordinary step, API and worker", split: true},
	}
	for range completedRounds {
		for _, s := range stories {
			took, err := b.tell(ctx, s, address)
			if err != nil {
				return fmt.Errorf("%s on %s: %w", s.name, place, err)
			}
			b.say(fmt.Sprintf("%-34s on %s: %d events in %s", s.name, place, b.events, short(took)))
			s.seconds = append(s.seconds, took.Seconds())
		}
	}
	b.printStories(place, stories)
	return b.empty(ctx)
}

func (b *bench) printStories(place string, stories []*story) {
	t := table{head: []string{"completed events on " + place, "events/s", "of the bare program"}}
	for _, s := range stories {
		rate := float64(b.events) / median(s.seconds, same)
		var each []float64
		for i := range s.seconds {
			each = append(each, stories[0].seconds[i]/s.seconds[i])
		}
		relative := median(each, same)
		t.add(s.name, fmt.Sprintf("%.1f", rate), times(relative))
		switch {
		case s.bare:
		case s.inline:
			b.atLeast(s.name+" on "+place+", of the bare program", relative, 1.3)
		default:
			b.atLeast(s.name+" on "+place+", of the bare program", relative, 0.8)
		}
	}
	b.print("\n## Completed events, %s\n\n%s", place, t)
}

func same(f float64) float64 { return f }

// tell runs one program in a namespace of its own and returns the time from the first POST to the last completion.
func (b *bench) tell(ctx context.Context, s *story, address string) (time.Duration, error) {
	if err := b.empty(ctx); err != nil {
		return 0, err
	}
	name, err := namespace(ctx, address)
	if err != nil {
		return 0, err
	}
	if s.bare {
		var answer bareAnswer
		err := b.ask(ctx, "bare", bareOrder{Address: address, Namespace: name, Events: b.events}, &answer, nil)
		return answer.Took, err
	}
	env := []string{"TEMPORAL_ADDRESS=" + address, "TEMPORAL_NAMESPACE=" + name}
	if !s.inline {
		file := filepath.Join(b.dir, "ordinary.yaml")
		if err := os.WriteFile(file, []byte(ordinaryRoute), 0o600); err != nil {
			return 0, err
		}
		env = append(env, "HOOKFLOW_CONFIG="+file)
	}
	only := ""
	if s.split {
		only = "api"
		if _, err := b.startHookflow(ctx, "worker", env...); err != nil {
			return 0, err
		}
	}
	p, err := b.startHookflow(ctx, only, env...)
	if err != nil {
		return 0, err
	}
	defer b.stopPrograms()
	return b.postAndWait(ctx, p)
}

// postAndWait posts the events at full speed and waits until the last is completed.
func (b *bench) postAndWait(ctx context.Context, p *process) (time.Duration, error) {
	if _, err := b.postAll(ctx, p, "w", warmEvents); err != nil {
		return 0, err
	}
	if err := b.allCompleted(ctx, warmEvents); err != nil {
		return 0, err
	}
	r, err := b.postAll(ctx, p, "e", b.events)
	if err != nil {
		return 0, err
	}
	if err := b.allCompleted(ctx, warmEvents+b.events); err != nil {
		return 0, err
	}
	// One event that waits for a time-out somewhere decides the whole figure, so it is told.
	var most, last time.Time
	err = b.ledger.QueryRow(ctx, "SELECT percentile_disc(0.98) WITHIN GROUP (ORDER BY finished_at), max(finished_at) FROM webhook_events").Scan(&most, &last)
	if tail := last.Sub(most); tail > 5*time.Second {
		b.say(fmt.Sprintf("98 %% were completed after %s; the last took %s more", short(most.Sub(r.Began)), short(tail)))
	}
	return last.Sub(r.Began), err
}

// postAll posts n events over 64 connections; each must be accepted.
func (b *bench) postAll(ctx context.Context, p *process, prefix string, n int) (loadResult, error) {
	r, err := b.load(ctx, loadOrder{Address: p.address, Connections: 64, Prefix: prefix, Count: int64(n)})
	if err == nil && r.Acknowledged != n {
		err = fmt.Errorf("%d of %d were acknowledged: %s", r.Acknowledged, n, errorsOf(r.Errors))
	}
	return r, err
}

func (b *bench) allCompleted(ctx context.Context, n int) error {
	done := 0
	err := until(ctx, completedWithin, "not all events are completed", func() (bool, error) {
		err := b.ledger.QueryRow(ctx, "SELECT count(*) FROM webhook_events WHERE status = 'completed'").Scan(&done)
		return done >= n, err
	})
	if err != nil {
		return fmt.Errorf("%w (%d of %d)", err, done, n)
	}
	return nil
}
