package main

import (
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"

	"hookflow/config"
	"hookflow/providers"
	"hookflow/worker"
)

// loadConfig reads the environment and the file, and reports everything that a start would find wrong in them at once:
// what config reads, the sources, the routes against what there is, Temporal's variables. only is the half of serve that
// starts, empty for both.
func loadConfig(mode config.Mode, getenv func(string) string, only string) (config.Config, error) {
	c, err := readConfig(mode, getenv)
	_, on, wrong := sources(c)
	err = errors.Join(err, wrong)
	if only != "worker" && !slices.Contains(slices.Collect(maps.Values(on)), true) {
		err = errors.Join(err, &config.Problem{Where: "environment", What: "no provider has a secret",
			Write: "STRIPE_WEBHOOK_SECRET, or another that hookflow providers list names"})
	}
	started := plan{config: c, api: only != "worker", worker: only != "api", variable: getenv}
	_, wrong = routes(started, on, worker.BuiltIn(nil, nil, nil).Names())
	err = errors.Join(err, wrong)
	if mode == config.Serve || c.TemporalAddress != "" { // dev's own server has no use for them
		_, wrong = temporalOptions(mode, getenv, slog.New(slog.DiscardHandler))
		err = errors.Join(err, wrong)
	}
	return c, err
}

// readConfig reads the environment and the file, and reports what cannot be read.
func readConfig(mode config.Mode, getenv func(string) string) (config.Config, error) {
	c, err := config.Load(mode, getenv, os.ReadFile)
	return c, errors.Join(err, readWebhooks(&c, getenv))
}

// readWebhooks reads the secrets and settings that the sources of c's file name. What is wrong with their sections of the
// file is for sources to report.
func readWebhooks(c *config.Config, getenv func(string) string) error {
	setups, _ := providers.Setups(c.FileName, c.File)
	var secrets, options []string
	for _, s := range setups {
		variable, more := s.Variables()
		secrets, options = append(secrets, variable), append(options, more...)
	}
	slices.Sort(secrets)
	return c.ReadWebhooks(getenv, os.ReadFile, slices.Compact(secrets), options)
}
