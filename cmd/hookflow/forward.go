package main

import (
	"errors"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"hookflow/activities"
	"hookflow/config"
	"hookflow/delivery"
	"hookflow/routing"
)

// checkEndpoint returns what routing asks of an endpoint: whether its host can be sent to, whether its headers may be set,
// and, for a process that sends, whether the variables that it names hold what they should. No answer quotes a value.
func checkEndpoint(variable func(string) string, sends bool) func(routing.Endpoint) (what, write string) {
	secret := secretText(variable)
	return func(e routing.Endpoint) (what, write string) {
		if what, write := checkHeaders(e, secret, sends); what != "" {
			return what, write
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
			if _, err := activities.ForwardSigner(e, secret); err != nil {
				if unread := (*config.Problem)(nil); errors.As(err, &unread) {
					return unread.Where + " " + unread.What, unread.Write
				}
				return err.Error(), `whsec_ and 32 random bytes as base64 into it (echo "whsec_$(openssl rand -base64 32)"), ` +
					"with commas between several while they are rotated"
			}
		}
		return "", ""
	}
}

// secretText returns what Forward asks of a secret: the variable's, else its file's, read anew each time.
func secretText(variable func(string) string) func(name string) (string, error) {
	return func(name string) (string, error) { return config.SecretText(name, variable, os.ReadFile) }
}

func checkHeaders(e routing.Endpoint, secret func(string) (string, error), sends bool) (what, write string) {
	const another = "another header, or none"
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		if what := delivery.CheckHeader(name, e.Headers[name]); what != "" {
			return what, another
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.HeadersEnv)) {
		value := ""
		if sends {
			var err error
			value, err = secret(e.HeadersEnv[name])
			if unread := (*config.Problem)(nil); errors.As(err, &unread) {
				return unread.Where + " " + unread.What, unread.Write
			}
			if value == "" {
				return e.HeadersEnv[name] + ", the value of the header " + name + ", is not set", another
			}
		}
		if what := delivery.CheckHeader(name, value); what != "" {
			return what, another
		}
	}
	return "", ""
}

// forwardSecrets are the values of the variables that the routes name for their endpoints, to be kept out of logs.
func forwardSecrets(file string, text []byte, variable func(string) string) []string {
	table, err := routing.Parse(file, text)
	if err != nil {
		return nil // reported where the routes are read
	}
	var secrets []string
	for _, name := range append(table.Variables(), activities.ForwardSecret) {
		text, _ := secretText(variable)(name) // what is wrong with it is reported where the routes are read
		for secret := range strings.SplitSeq(text, ",") {
			if secret = strings.TrimSpace(secret); secret != "" {
				secrets = append(secrets, secret)
			}
		}
	}
	return secrets
}
