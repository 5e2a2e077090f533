package worker

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"hookflow/event"
	"hookflow/routing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
)

// How often a process looks at the table of destinations, and how long it says nothing about those that it has in its
// configuration.
const (
	lookEvery  = time.Second
	tellEvery  = 15 * time.Second
	idleEvery  = 30 * time.Second // where no destination is configured
	probeLease = 10 * time.Second
	// removedAfter is how long a destination must be in no process's configuration before what waits for it is ended: longer
	// than a deploy in which old and new configurations work side by side.
	removedAfter = 5 * time.Minute
)

// Destinations keeps a worker for each destination in this process, on the destination's own queue, and stops it while the
// destination is paused or its circuit open. The table of destinations is where all processes agree.
type Destinations struct {
	Config
	// Configured returns the destinations as they are configured now.
	Configured func() map[string]routing.Destination
	// Stands hears whenever a configured destination stands differently, and with an empty state that one is not configured
	// any more; nil to tell nobody.
	Stands func(name, state string)

	process string // a name of this process, of this run
	tallies tallies
	served  map[string]*served
	states  map[string]event.DestinationState // as last read
	stands  map[string]event.DestinationState // as last reported
	told    time.Time                         // when what is configured here was noted
	working sync.WaitGroup
}

// service is how a destination is served. A change of it means another worker.
type service struct {
	probing     bool // one attempt decides
	concurrency int
	rate        float64
}

// served is a destination with a worker.
type served struct {
	service
	stop context.CancelFunc
}

// Run serves the destinations until ctx ends, then lets their attempts finish. What it knows stands while the ledger is
// away; before it was first read nobody is sent anything.
func (d *Destinations) Run(ctx context.Context) {
	d.process, d.served, d.states = rand.Text(), map[string]*served{}, map[string]event.DestinationState{}
	d.stands = map[string]event.DestinationState{}
	d.tallies.kick = make(chan struct{}, 1)
	for ctx.Err() == nil {
		pause := lookEvery
		if err := d.look(ctx); err != nil && ctx.Err() == nil {
			d.Log.Warn("the destinations could not be read; they are served as before", "error", err)
		}
		if len(d.served) == 0 && len(d.Configured()) == 0 {
			pause = idleEvery
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-d.tallies.kick:
		}
	}
	for name := range d.served {
		d.serve(ctx, name, nil)
	}
	d.working.Wait()
}

// look tells what was seen, reads how the destinations stand, and serves them accordingly.
func (d *Destinations) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	configured, now := d.Configured(), d.Now()
	if err := d.tell(ctx, configured, now); err != nil {
		return err
	}
	rows, err := d.Store.Destinations(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		_, ok := configured[row.Name]
		d.report(row.Name, ok, row.StateAt(now))
		d.say(row, now)
		if !ok {
			d.serve(ctx, row.Name, removed(row, now))
			continue
		}
		wanted, err := d.wanted(ctx, row, configured[row.Name], now)
		if err != nil {
			return err
		}
		d.serve(ctx, row.Name, wanted)
	}
	return nil
}

// report tells the metrics of a change.
func (d *Destinations) report(name string, configured bool, state event.DestinationState) {
	if !configured {
		state = ""
	}
	if d.Stands == nil || d.stands[name] == state {
		return
	}
	if d.stands[name] = state; state == "" {
		delete(d.stands, name)
	}
	d.Stands(name, string(state))
}

// say logs how a destination stands, when that is news.
func (d *Destinations) say(row event.Destination, now time.Time) {
	state := row.StateAt(now)
	if before, known := d.states[row.Name]; !known && state == event.Running || before == state {
		d.states[row.Name] = state
		return
	}
	d.states[row.Name] = state
	level, about := slog.LevelWarn, []any{"destination", row.Name, "state", string(state)}
	switch {
	case state == event.Running:
		level = slog.LevelInfo
	case row.LastFailure != nil && state != event.Paused:
		about = append(about, "failures", row.Failures, "last_failure", *row.LastFailure)
	}
	d.Log.Log(context.Background(), level, "a destination stands differently", about...)
}

// tell notes which destinations are configured here, and what was seen of them. What could not be told is told next time.
func (d *Destinations) tell(ctx context.Context, configured map[string]routing.Destination, now time.Time) error {
	var names []string
	for name := range configured {
		names = append(names, name)
		if _, known := d.states[name]; !known {
			d.told = time.Time{} // a new one
		}
	}
	if len(names) > 0 && now.Sub(d.told) >= tellEvery {
		if err := d.Store.KnowDestinations(ctx, names, now); err != nil {
			return err
		}
		d.told = now
	}
	for name, verdict := range d.tallies.take() {
		circuit := configured[name].Circuit
		if err := d.Store.NoteVerdict(ctx, name, d.process, verdict, circuit.Failures, now.Add(circuit.Pause), now); err != nil {
			d.tallies.putBack(name, verdict)
			return err
		}
	}
	return nil
}

// wanted is how a destination should be served by this process, nil for not at all.
func (d *Destinations) wanted(ctx context.Context, row event.Destination, c routing.Destination, now time.Time) (*service, error) {
	d.tallies.watch(row.Name, c.Circuit.Failures, row.Failures > 0 || row.OpenedAt != nil)
	switch row.StateAt(now) {
	case event.Running:
		return &service{concurrency: c.Concurrency, rate: c.RateLimit}, nil
	case event.Probing:
		taken, err := d.Store.TakeProbe(ctx, row.Name, d.process, now.Add(probeLease), now)
		if err != nil || !taken {
			return nil, err
		}
		return &service{probing: true, concurrency: 1, rate: c.RateLimit}, nil
	}
	return nil, nil
}

// removed is how a destination is served that nobody has configured any more: its attempts end their steps.
func removed(row event.Destination, now time.Time) *service {
	if row.PausedAt != nil || now.Sub(row.ConfiguredAt) < removedAfter {
		return nil
	}
	return &service{concurrency: 1}
}

// serve changes how a destination is served, if it is to be changed.
func (d *Destinations) serve(ctx context.Context, name string, wanted *service) {
	current := d.served[name]
	if current == nil && wanted == nil || current != nil && wanted != nil && current.service == *wanted {
		return
	}
	if current != nil {
		current.stop()
		delete(d.served, name)
	}
	if wanted == nil {
		return
	}
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.served[name] = &served{*wanted, stop}
	d.working.Go(func() {
		for working.Err() == nil {
			d.work(working, name, *wanted)
		}
	})
}

// work runs a worker until ctx ends, it cannot go on, or its only attempt was made.
func (d *Destinations) work(ctx context.Context, name string, how service) {
	failed := make(chan error, 1)
	only := newOnly()
	w, err := d.newWorker(name, how, only, func(err error) {
		select {
		case failed <- err:
		default:
		}
	})
	if err == nil {
		err = w.Start()
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case <-only.made: // the next look knows what came of it, unless nothing did
		case err = <-failed:
		}
		w.Stop()
	}
	if err != nil {
		d.Log.Warn("the worker of a destination does not run", "destination", name, "error", err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(2 * time.Second):
	}
}

// newWorker returns a worker on the queue of a destination, which can do nothing but forward.
func (d *Destinations) newWorker(name string, how service, only *only, onFatal func(error)) (worker.Worker, error) {
	options := worker.Options{
		DisableWorkflowWorker:        true,
		DisableRegistrationAliasing:  true,
		Identity:                     identity(d.Store.Ledger()),
		WorkerStopTimeout:            stopTimeout,
		OnFatalError:                 onFatal,
		TaskQueueActivitiesPerSecond: how.rate,
		Interceptors:                 []interceptor.WorkerInterceptor{&verdicts{destination: name, to: &d.tallies}, d.Config.attempts()},
	}
	if how.probing {
		tuner, err := only.tuner()
		if err != nil {
			return nil, err
		}
		options.Tuner = tuner
	} else {
		options.MaxConcurrentActivityExecutionSize = how.concurrency
	}
	w := worker.New(d.Temporal, routing.DestinationQueue(d.Config.queue(), name), options)
	w.RegisterActivityWithOptions(d.Handlers["forward"], activity.RegisterOptions{Name: "forward."})
	return w, nil
}
