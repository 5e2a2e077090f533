package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"

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
	if err := checkTemporal(getenv); err != nil {
		return client.Options{}, err
	}
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

// checkTemporal judges Temporal's variables in words of ours: envconfig drops some values in silence, and of others the client
// fails later, in words that quote them. The error joins a *config.Problem for each.
func checkTemporal(getenv func(string) string) error {
	var problems []error
	report := func(name, what, write string) {
		problems = append(problems, &config.Problem{Where: name, What: what, Write: write})
	}
	if address := getenv("TEMPORAL_ADDRESS"); address != "" {
		host, port, err := net.SplitHostPort(address)
		_, portErr := strconv.ParseUint(port, 10, 16)
		if strings.Contains(address, "://") || err != nil || portErr != nil || host == "" || strings.ContainsFunc(address, isSpaceOrControl) {
			report("TEMPORAL_ADDRESS", fmt.Sprintf("is %q, not host and port", address), "host:port, such as localhost:7233, without https://")
		}
	}
	for _, name := range []string{"TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_TLS_SERVER_NAME"} {
		if strings.ContainsFunc(getenv(name), isSpaceOrControl) {
			report(name, "holds white space or a control character", "the value as it was issued, without quotes or line ends")
		}
	}
	for _, name := range []string{"TEMPORAL_TLS", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"} {
		if value := getenv(name); value != "" && value != "true" && value != "false" && value != "1" && value != "0" {
			report(name, fmt.Sprintf("is %q", value), "true or false")
		}
	}
	return errors.Join(problems...)
}

func isSpaceOrControl(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

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
