package main

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"hookflow/activities"
	"hookflow/api"
	"hookflow/config"
	"hookflow/delivery"
	"hookflow/event"
	"hookflow/intake"
	"hookflow/providers"
	"hookflow/store"
	"hookflow/telemetry"
	"hookflow/worker"
	"hookflow/workflows"

	"github.com/jackc/pgx/v5"
	"github.com/stripe/stripe-go/v79/checkout/session"
	"go.temporal.io/sdk/client"
)

// drainTime is how long a stopping server answers the requests that it has begun.
const drainTime = 15 * time.Second

// app is one process: the API, the worker, or both.
type app struct {
	config    config.Config
	log       *slog.Logger
	telemetry *telemetry.Telemetry
	store     *store.Store
	temporal  client.Client
	intake    *intake.Intake
	routes    *liveRoutes
	again     <-chan struct{} // says when to read the routes again
	worker    *worker.Config  // nil in an API process
	eager     eager           // allowed in a process that has a worker only
	door      *api.API        // nil in a worker process
	ops       *api.API
}

// plan says what a process is made of.
type plan struct {
	config     config.Config
	temporal   client.Options
	temporalUI string // "" where there is none
	api        bool
	worker     bool
	variable   func(name string) string // of the environment, for what routes name
	telemetry  *telemetry.Telemetry
	tracer     pgx.QueryTracer // for tests that count
	handlers   worker.Handlers // beside the built-in ones; for tests
	now        func() time.Time
	again      <-chan struct{} // says when to read the routes again; nil for never
}

// assemble wires the rooms. It connects to nothing: Postgres and Temporal may be away.
func assemble(ctx context.Context, p plan) (*app, error) {
	a := &app{config: p.config, again: p.again, log: p.telemetry.Log, telemetry: p.telemetry}
	made, on, err := sources(p.config)
	if err != nil {
		return nil, err
	}
	if p.api {
		warnOfShortSecrets(made, a.log)
	}
	if a.store, err = store.Open(ctx, p.config.DatabaseURL, store.Options{Tracer: p.tracer}); err != nil {
		return nil, err
	}
	var stripeAPI *session.Client
	if p.config.Stripe.APIKey != "" {
		stripeAPI = activities.NewStripeAPI(p.config.Stripe.APIKey, p.config.Stripe.APIURL, p.telemetry.Transport(nil))
	}
	handlers := worker.BuiltIn(a.store, stripeAPI, p.now)
	forward := &activities.Forward{Client: delivery.New(p.now, p.telemetry.Transport), Secret: p.secret}
	handlers["forward"] = forward
	maps.Copy(handlers, p.handlers)
	if a.routes, err = newLiveRoutes(p, on, handlers.Names(), a.log); err != nil {
		return nil, err
	}
	forward.Destination = a.routes.Destination
	p.temporal.MetricsHandler = sdkMetrics{a.telemetry.Temporal}
	if err = traceRuns(&p.temporal, a.telemetry); err != nil {
		return nil, err
	}
	if a.temporal, err = client.NewLazyClient(p.temporal); err != nil {
		return nil, err
	}
	a.intake = intake.New(intake.Config{
		Store: a.store, Temporal: a.temporal, Namespace: p.temporal.Namespace, TaskQueue: p.config.TaskQueue, Queue: event.OnQueue(p.config.TaskQueue).Queue, WorkflowType: workflows.TypeOf,
		Routed: a.routes.Routed, ReplyUpdate: workflows.Reply, EagerStart: a.eager.allowed.Load, EventsURL: eventsURL(p.config), Now: p.now, Log: a.log, Metrics: a.telemetry.Intake,
	})
	if p.worker {
		a.worker = a.work(p, handlers)
	}
	options := a.doorOptions(p, made)
	if p.api {
		a.door = api.New(options)
		a.ops = a.door
	} else {
		options.Sources = nil
		a.ops = api.New(options)
	}
	return a, nil
}

// work is what the process's worker works with.
func (a *app) work(p plan, handlers worker.Handlers) *worker.Config {
	return &worker.Config{
		Temporal: a.temporal, Queue: p.config.TaskQueue, Store: a.store, Handlers: handlers, Now: p.now, Log: a.log, Steps: a.telemetry.Steps.Attempted, Answer: providers.ReplyOf,
		Panicked: a.telemetry.CaptureWorkPanic,
		Mirror: &activities.Mirror{
			Store: a.store, Plan: a.routes.Plan, Now: p.now, Log: a.log, Begun: a.intake.Begun, Failed: a.telemetry.CaptureFinalFailure,
			Metrics: a.telemetry.Steps,
		},
		Housekeeping: &activities.Housekeeping{
			Store: a.store, Temporal: a.temporal, Namespace: p.temporal.Namespace, WorkflowTypes: workflows.Names(), Now: p.now, Log: a.log,
			Retention: p.config.PayloadRetention, Failed: a.telemetry.CaptureFinalFailure,
			Installation: event.OnQueue(p.config.TaskQueue),
			Ended:        worker.Ended(a.temporal, p.temporal.Logger),
		},
	}
}

// doorOptions is what the process's doors are built from.
func (a *app) doorOptions(p plan, made map[string]providers.Source) api.Options {
	return api.Options{
		Accepter: a.intake, Ask: a.routes.Ask, Replier: a.intake, Sources: made, PublicURL: p.config.PublicURL, OpsHost: opsHost(p.config),
		Ledger: ledger{a.store}, Repairs: repairs{a.store, a.intake, a.log, p.now}, Replays: replays{a.store, a.log, p.now},
		Destinations: destinations{a.store, a.temporal, p.temporal.Namespace, p.config.TaskQueue, a.routes.Destinations, p.secret, a.log, p.now},
		Tokens:       apiTokens(p.config), Ready: a.ready, TemporalURL: runURL(p.temporalUI, p.temporal.Namespace),
		Scrape: a.telemetry.Metrics(), Metrics: a.telemetry.Door, Log: a.log, Now: p.now,
		OnError: a.telemetry.CaptureError, Middleware: a.telemetry.Gin(),
		OnPanic: func(ctx context.Context, value any, _ []byte) { a.telemetry.CapturePanic(ctx, value) },
	}
}

// eventsURL is where the operators' half answers for events, as far as that can be told before it listens.
func eventsURL(c config.Config) string {
	ops := config.AddressURL(c.OpsAddr)
	if ops == "" {
		return ""
	}
	return ops + "/v1/events"
}

// ready looks at both durable places.
func (a *app) ready(ctx context.Context) api.Readiness {
	var places [2]api.Place
	var looking sync.WaitGroup
	look := func(i int, name string, ask func(context.Context) error) {
		looking.Go(func() {
			err := ask(ctx)
			places[i] = api.Place{Name: name, Reachable: err == nil}
			if err != nil {
				places[i].Detail = err.Error()
			}
		})
	}
	look(0, "postgres", a.store.Ping)
	look(1, "temporal", func(ctx context.Context) error {
		_, err := a.temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	})
	looking.Wait()
	return api.Readiness{Places: places[:]}
}

// listeners are where an app is reached. ops is nil when both halves share one listener; http is nil in a worker.
type listeners struct{ http, ops net.Listener }

// serve works until ctx ends, then drains: the requests under way first, then the starts, then the attempts.
func (a *app) serve(ctx context.Context, at listeners) error {
	background := context.WithoutCancel(ctx)
	intakeCtx, stopIntake := context.WithCancel(background)
	workerCtx, stopWorker := context.WithCancel(background)
	defer stopIntake()
	defer stopWorker()
	var dispatching, working sync.WaitGroup
	working.Go(func() { a.readLedger(workerCtx, time.Hour) })
	if a.worker != nil && !a.eager.meet(ctx, a.temporal) {
		working.Go(func() { a.eager.meetLater(workerCtx, a.temporal) })
	}
	dispatching.Go(func() { a.intake.Run(intakeCtx) })
	if a.worker != nil {
		working.Go(func() { worker.Run(workerCtx, *a.worker) })
		destinations := &worker.Destinations{Config: *a.worker, Configured: a.routes.Destinations, Stands: a.telemetry.Destinations.Stands}
		working.Go(func() { destinations.Run(workerCtx) })
		working.Go(func() { worker.KeepSchedules(workerCtx, a.temporal, a.config.TaskQueue, a.log) })
	}
	go a.routes.follow(ctx, a.again)
	servers, failed := a.listen(at)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	if err == nil {
		a.leave()
	}
	a.log.Info("draining")
	draining, cancel := context.WithTimeout(background, drainTime)
	defer cancel()
	for _, s := range servers {
		if stopErr := s.Stop(draining); stopErr != nil {
			a.log.Warn("some requests did not end in time", "error", stopErr)
			_ = s.Close() // their senders come again
		}
	}
	stopIntake()
	dispatching.Wait()
	stopWorker()
	working.Wait()
	a.telemetry.Flush(2 * time.Second)
	a.temporal.Close()
	a.store.Close()
	return err
}

// leave tells load balancers and senders to turn to another process, and gives them time to.
func (a *app) leave() {
	if a.door == nil || a.config.DrainDelay == 0 {
		return
	}
	a.door.Leave()
	a.log.Info("leaving", "for", a.config.DrainDelay.String())
	<-time.After(a.config.DrainDelay)
}

// listen serves the door and the operators' half. A server that ends by itself is reported on the channel.
func (a *app) listen(at listeners) ([]*api.Server, <-chan error) {
	var servers []*api.Server
	failed := make(chan error, 2)
	start := func(l net.Listener, handler http.Handler) {
		s := api.NewServer(handler, a.log)
		s.IdleTimeout = a.config.IdleTimeout
		servers = append(servers, s)
		go func() {
			if err := s.ServeOn(l); err != nil {
				failed <- err
			}
		}()
	}
	switch {
	case a.door != nil && at.ops == nil:
		start(at.http, a.door.Both())
	case a.door != nil:
		start(at.http, a.door.Webhooks())
		start(at.ops, a.ops.Ops())
	default:
		start(at.ops, a.ops.Ops())
	}
	return servers, failed
}
