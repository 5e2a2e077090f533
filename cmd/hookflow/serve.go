package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"hookflow/config"
	"hookflow/migrations"
	"hookflow/telemetry"

	"github.com/spf13/cobra"
)

// newServeCommand returns "hookflow serve": API and worker in one process, against a Postgres and a Temporal that run
// elsewhere. --only splits it.
func newServeCommand(env environment) *cobra.Command {
	var only string
	cmd := quiet(&cobra.Command{
		Use: "serve", Short: "Receive and handle webhooks", Args: exactly(0),
		Long: "Receive and handle webhooks, with the Postgres of DATABASE_URL and the Temporal of TEMPORAL_ADDRESS.\n" +
			"The schema must be up to date: hookflow migrate up. SIGHUP makes it read its routes again.",
	})
	cmd.Flags().StringVar(&only, "only", "", "run one half of it: api or worker")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if only != "" && only != "api" && only != "worker" {
			return usageError("--only %s: write api or worker", only)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return serve(ctx, env, only, watchHangups(ctx, stop))
	}
	return cmd
}

func serve(ctx context.Context, env environment, only string, again <-chan struct{}) error {
	c, err := loadConfig(config.Serve, env.getenv, only)
	if err != nil {
		return failure("hookflow cannot start:\n%v", err)
	}
	tel, err := newTelemetry(c, env)
	if err != nil {
		return failure("hookflow cannot start:\n%v", err)
	}
	temporal, err := temporalOptions(config.Serve, env.getenv, tel.Log)
	if err != nil {
		return failure("hookflow cannot start:\n%v", err)
	}
	a, err := assemble(ctx, plan{
		config: c, temporal: temporal, temporalUI: c.TemporalUIURL,
		api: only != "worker", worker: only != "api", telemetry: tel, variable: env.getenv, now: env.now, again: again,
	})
	if err != nil {
		return failure("hookflow cannot start:\n%v", err)
	}
	at, err := listen(c, only != "worker")
	if err != nil {
		return failure("hookflow cannot start:\n%v", err)
	}
	if err := a.checkAlone(ctx); err != nil {
		return failure("hookflow cannot start: %v", err)
	}
	a.announce(at)
	go warnOfSchema(ctx, c.DatabaseURL, tel.Log)
	return a.serve(ctx, at)
}

// warnOfSchema says what to do about a database whose migrations have not been applied. A process serves without them:
// Temporal takes the webhooks until they are.
func warnOfSchema(ctx context.Context, url string, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	state, err := migrations.Look(ctx, url)
	switch {
	case errors.Is(err, migrations.ErrForeign):
		log.Error("the database holds tables of another program", "error", err)
	case err == nil && len(state.Missing) > 0:
		log.Error("the schema is behind; run hookflow migrate up", "missing", state.Missing)
	}
}

func (a *app) announce(at listeners) {
	var addresses []any
	if at.http != nil {
		addresses = append(addresses, "webhooks", at.http.Addr().String())
	}
	if at.ops != nil {
		addresses = append(addresses, "ops", at.ops.Addr().String())
	}
	a.log.Info("hookflow serves", append(addresses, "worker", a.worker != nil)...)
}

// listen opens the listeners of a process.
func listen(c config.Config, door bool) (at listeners, err error) {
	if door {
		if at.http, err = net.Listen("tcp", c.HTTPAddr); err != nil {
			return at, taken(err, "HOOKFLOW_HTTP_ADDR")
		}
		if c.OneListener() {
			return at, nil
		}
	}
	if at.ops, err = net.Listen("tcp", c.OpsAddr); err != nil {
		return at, taken(err, "HOOKFLOW_OPS_ADDR")
	}
	return at, nil
}

func taken(err error, variable string) error {
	return fmt.Errorf("%w; %s moves it", err, variable)
}

func newTelemetry(c config.Config, env environment) (*telemetry.Telemetry, error) {
	return telemetry.Init(telemetry.Options{
		Log: env.stderr, Text: c.Mode == config.Dev, SentryDSN: c.Sentry.DSN, TracesSampleRate: c.Sentry.TracesSampleRate,
		Environment: cmp.Or(c.Sentry.Environment, environmentName(c.Mode)), Release: cmp.Or(c.Sentry.Release, release()),
		Secrets: c.Secrets(), Traces: telemetry.Traces(c.Traces),
	})
}

// environmentName is what Sentry calls where this runs.
func environmentName(mode config.Mode) string {
	if mode == config.Serve {
		return "production"
	}
	return string(mode)
}

// release is the version control revision that the binary was built from, where the build knew it.
func release() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return "hookflow@" + s.Value[:min(len(s.Value), 12)]
			}
		}
	}
	return "hookflow"
}
