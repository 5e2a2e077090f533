package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"

	"hookflow/config"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

// variables is a getenv as envconfig asks for it.
type variables func(string) string

// Environ returns nothing: TEMPORAL_GRPC_META_*, the only variables without a fixed name, are not supported.
func (v variables) Environ() []string { return nil }

// LookupEnv takes an empty variable for one that is not set.
func (v variables) LookupEnv(name string) (string, bool) {
	value := v(name)
	return value, value != ""
}

// temporalOptions reads Temporal's own variables (address, namespace, API key, TLS). Dev reads no Temporal config file,
// so that what somebody set up for another server is never reached by accident.
func temporalOptions(mode config.Mode, getenv func(string) string, log *slog.Logger) (client.Options, error) {
	o, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{DisableFile: mode == config.Dev, EnvLookup: variables(getenv)})
	if err != nil {
		return o, temporalProblem(err, getenv)
	}
	if o.Namespace == "" {
		o.Namespace = client.DefaultNamespace
	}
	o.Logger = newSDKLog(log)
	return o, nil
}

// temporalProblem names the variable of a file that cannot be read, instead of the file: a key is easily put there itself.
func temporalProblem(err error, getenv func(string) string) error {
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		for _, name := range []string{"TEMPORAL_TLS_CLIENT_KEY_PATH", "TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_SERVER_CA_CERT_PATH"} {
			if getenv(name) == at.Path {
				return config.Unread(name, err, "the path of a PEM file; the same name with _DATA in place of _PATH takes its text")
			}
		}
	}
	return fmt.Errorf("the variables of Temporal cannot be read: %w", err)
}

// runURL returns a function that writes the address of a run in a Temporal UI, nil without one.
func runURL(ui, namespace string) func(workflowID, runID string) string {
	if ui == "" {
		return nil
	}
	return func(workflowID, runID string) string {
		u := ui + "/namespaces/" + url.PathEscape(namespace) + "/workflows/" + url.PathEscape(workflowID)
		if runID != "" {
			u += "/" + url.PathEscape(runID) + "/history"
		}
		return u
	}
}
