package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"hookflow/config"
	"hookflow/internal/devstack"
	"hookflow/internal/folder"
	"hookflow/internal/ports"
	"hookflow/internal/progress"
	"hookflow/migrations"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// newDevCommand returns "hookflow dev": everything on this machine, in the foreground, with no Docker.
func newDevCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{
		Use: "dev", Short: "Run everything on this machine: Postgres, Temporal with its UI, API and worker", Args: exactly(0),
	})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(signals)
		again := watchHangups(cmd.Context(), func() { signals <- syscall.SIGTERM })
		return dev(cmd.Context(), env, signals, again)
	}
	return cmd
}

// dev runs until the first signal, then drains and stops the stores; a second signal stops at once.
func dev(ctx context.Context, env environment, signals <-chan os.Signal, again <-chan struct{}) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d := &devRun{environment: env, again: again}
	finished := make(chan error, 1)
	go func() { finished <- d.run(ctx) }()
	select {
	case err := <-finished:
		return err
	case <-signals:
		d.say("Draining; Ctrl-C again stops at once.")
		stop()
	}
	select {
	case err := <-finished:
		if err == nil {
			d.say("Stopped. Events in flight go on at the next start.")
		}
		return err
	case <-signals:
		d.killStores()
		return &exitError{code: 130, message: "Stopped at once. Events in flight go on at the next start."}
	}
}

// devRun is one hookflow dev.
type devRun struct {
	environment
	config   config.Config
	postgres *devstack.Postgres // nil with DATABASE_URL
	temporal *devstack.Temporal // nil with TEMPORAL_ADDRESS
	again    <-chan struct{}    // says when to read the routes again
	report   progress.Func      // what takes long before hookflow is ready

	borrowedDatabase bool // DATABASE_URL is the environment's, not .env's
}

func (d *devRun) say(format string, args ...any) { fmt.Fprintf(d.stdout, format+"\n", args...) }

// run starts the stores, then the app, and stops them in the opposite order.
func (d *devRun) run(ctx context.Context) error {
	generated, err := d.configure()
	if err != nil {
		return failure("hookflow dev cannot start:\n%v", err)
	}
	d.report = progress.New(d.stdout, "", isTerminal(d.stdout), d.now)
	lock, err := devstack.Lock(ctx, d.config.DataDir, d.report)
	if err != nil {
		return failure("hookflow dev cannot start: %v", err)
	}
	defer func() { _ = lock.Release() }()
	// After the lock, which takes down what a killed start left on them.
	if err := d.checkPorts(); err != nil {
		return failure("hookflow dev cannot start:\n%v", err)
	}
	at, err := listen(d.config, true)
	if err != nil {
		return failure("hookflow dev cannot start: %v", err)
	}
	if d.config.PublicURL == "" {
		d.config.PublicURL = config.AddressURL(at.http.Addr().String())
	}
	defer d.stopStores()
	if err := d.startStores(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return failure("hookflow dev cannot start: %v", err)
	}
	a, err := d.assemble(ctx)
	if err != nil {
		return failure("hookflow dev cannot start:\n%v", err)
	}
	if err := d.remember(at, generated); err != nil {
		return failure("hookflow dev cannot start: %v", err)
	}
	if err := a.checkAlone(ctx); err != nil {
		return failure("hookflow dev cannot start: %v", err)
	}
	d.welcome(at, generated)
	serving, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go d.watchStores(serving, stop)
	err = a.serve(serving, at)
	if cause := context.Cause(serving); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return failure("%v", cause)
	}
	return err
}

// configure reads .env and the generated secrets under the environment, and generates what is missing.
func (d *devRun) configure() ([]string, error) {
	fromFile, err := readDotEnv()
	if err != nil {
		return nil, err
	}
	if err := d.checkBorrowed(); err != nil {
		return nil, err
	}
	d.borrowedDatabase = d.getenv("DATABASE_URL") != ""
	d.getenv = config.Over(d.getenv, fromFile)
	if err := folder.CheckData(d.dataFolder()); err != nil {
		return nil, err
	}
	secrets, generated, err := ensureSecrets(d.environment)
	if err != nil {
		return nil, err
	}
	d.getenv = config.Over(d.getenv, secrets)
	d.config, err = loadConfig(config.Dev, d.getenv, "")
	return generated, err
}

// checkPorts looks at all ports before anything is fetched or built, and reports every one that is taken.
func (d *devRun) checkPorts() error {
	errs := []error{ports.CheckAddress(d.config.HTTPAddr, "hookflow", "HOOKFLOW_HTTP_ADDR")}
	if !d.config.OneListener() {
		errs = append(errs, ports.CheckAddress(d.config.OpsAddr, "/v1", "HOOKFLOW_OPS_ADDR"))
	}
	if d.config.TemporalAddress == "" {
		errs = append(errs, ports.Check(d.config.TemporalPort, "Temporal", "HOOKFLOW_TEMPORAL_PORT"),
			ports.Check(d.config.TemporalUIPort, "Temporal's UI", "HOOKFLOW_TEMPORAL_UI_PORT"))
	}
	if d.config.DatabaseURL == "" {
		errs = append(errs, ports.Check(d.config.PostgresPort, "Postgres", "HOOKFLOW_POSTGRES_PORT"))
	}
	return errors.Join(errs...)
}

// startStores starts Postgres and Temporal side by side, unless the environment names others, and migrates.
func (d *devRun) startStores(ctx context.Context) error {
	// What one has to say must not wait for the other, which may be building Temporal for minutes.
	starting, startingCtx := errgroup.WithContext(ctx)
	starting.Go(func() error { return d.startPostgres(startingCtx) })
	starting.Go(func() error { return d.startTemporal(startingCtx) })
	if err := starting.Wait(); err != nil {
		return err
	}
	_, err := migrations.Up(ctx, d.config.DatabaseURL)
	return err
}

func (d *devRun) startPostgres(ctx context.Context) (err error) {
	if d.config.DatabaseURL != "" {
		if err := d.mayUseDatabase(ctx); err != nil {
			return err
		}
		d.say("USING THE DATABASE OF DATABASE_URL, NOT A PRIVATE ONE.")
		return nil
	}
	d.postgres, err = devstack.StartPostgres(ctx, devstack.PostgresOptions{
		Dir: d.config.DataDir, Port: d.config.PostgresPort, PortVariable: "HOOKFLOW_POSTGRES_PORT",
		Password: d.config.PostgresPassword, Progress: d.report,
	})
	if err == nil {
		d.config.DatabaseURL = d.postgres.URL()
	}
	return err
}

func (d *devRun) startTemporal(ctx context.Context) (err error) {
	if d.config.TemporalAddress != "" {
		d.say("USING THE TEMPORAL OF TEMPORAL_ADDRESS (%s), NOT A PRIVATE ONE.", d.config.TemporalAddress)
		return nil
	}
	d.temporal, err = devstack.StartTemporal(ctx, devstack.TemporalOptions{
		Dir: d.config.DataDir, Port: d.config.TemporalPort, PortVariable: "HOOKFLOW_TEMPORAL_PORT",
		UI: true, UIPort: d.config.TemporalUIPort, UIPortVariable: "HOOKFLOW_TEMPORAL_UI_PORT", Progress: d.report,
	})
	return err
}

func (d *devRun) assemble(ctx context.Context) (*app, error) {
	tel, err := newTelemetry(d.config, d.environment)
	if err != nil {
		return nil, err
	}
	getenv, ui := d.getenv, d.config.TemporalUIURL
	if d.temporal != nil {
		getenv = func(name string) string {
			switch {
			case name == "TEMPORAL_ADDRESS":
				return d.temporal.Address()
			case strings.HasPrefix(name, "TEMPORAL_"):
				return "" // the private server has one namespace and no TLS
			}
			return d.getenv(name)
		}
		ui = d.temporal.UIURL()
	}
	options, err := temporalOptions(config.Dev, getenv, tel.Log)
	if err != nil {
		return nil, err
	}
	if sentence, news := addAttribute(ctx, options); news {
		d.say("%s", sentence)
	}
	return assemble(ctx, plan{
		config: d.config, temporal: options, temporalUI: ui, api: true, worker: true, telemetry: tel, variable: d.getenv, now: d.now, again: d.again,
	})
}

// watchStores ends the run when a store that belongs to it does.
func (d *devRun) watchStores(ctx context.Context, stop context.CancelCauseFunc) {
	var postgres, temporal <-chan struct{}
	if d.postgres != nil {
		postgres = d.postgres.Done()
	}
	if d.temporal != nil {
		temporal = d.temporal.Done()
	}
	select {
	case <-ctx.Done():
	case <-postgres:
		stop(errors.New("the private Postgres has ended by itself; its log is postgres.log beside its data"))
	case <-temporal:
		stop(fmt.Errorf("the private Temporal has ended by itself; its log is %s/temporal/temporal.log", d.config.DataDir))
	}
}

func (d *devRun) stopStores() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if d.temporal != nil {
		_ = d.temporal.Stop(ctx)
	}
	if d.postgres != nil {
		_ = d.postgres.Stop(ctx)
	}
}

func (d *devRun) killStores() {
	if d.temporal != nil {
		d.temporal.Kill()
	}
	if d.postgres != nil {
		d.postgres.Kill()
	}
}
