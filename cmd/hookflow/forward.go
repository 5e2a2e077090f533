package main

import (
	"maps"
	"net/url"
	"slices"

	"hookflow/activities"
	"hookflow/delivery"
	"hookflow/routing"
)

// checkEndpoint returns what routing asks of an endpoint: whether its host can be sent to, whether its headers may be set,
// and, for a process that sends, whether the variables that it names hold what they should. No answer quotes a value.
func checkEndpoint(variable func(string) string, sends bool) func(routing.Endpoint) (what, write string) {
	return func(e routing.Endpoint) (what, write string) {
		if what := checkHeaders(e, variable, sends); what != "" {
			return what, "another header, or none"
		}
		if e.URL == "" {
			return "", ""
		}
		u, err := url.Parse(e.URL)
		if err != nil {
			return "url cannot be read", "where to"
		}
		if what := delivery.CheckHost(u.Hostname(), e.AllowPrivate); what != "" {
			return u.Hostname() + " " + what, "a host on the internet, or allow_private: true where the address is private"
		}
		if sends {
			if _, err := activities.ForwardSigner(e, variable); err != nil {
				return err.Error(), `whsec_ and 32 random bytes as base64 into it (echo "whsec_$(openssl rand -base64 32)"), ` +
					"with commas between several while they are rotated"
			}
		}
		return "", ""
	}
}

func checkHeaders(e routing.Endpoint, variable func(string) string, sends bool) string {
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		if what := delivery.CheckHeader(name, e.Headers[name]); what != "" {
			return what
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.HeadersEnv)) {
		value := ""
		if sends {
			if value = variable(e.HeadersEnv[name]); value == "" {
				return e.HeadersEnv[name] + ", the value of the header " + name + ", is not set"
			}
		}
		if what := delivery.CheckHeader(name, value); what != "" {
			return what
		}
	}
	return ""
}

// forwardSecrets are the values of the variables that the routes name for their endpoints, to be kept out of logs.
func forwardSecrets(file string, text []byte, variable func(string) string) []string {
	table, err := routing.Parse(file, text)
	if err != nil {
		return nil // reported where the routes are read
	}
	var secrets []string
	for _, name := range append(table.Variables(), activities.ForwardSecret) {
		secrets = append(secrets, environment{getenv: variable}.secrets(name)...)
	}
	return secrets
}
