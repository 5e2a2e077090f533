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
func checkEndpoint(secret func(name string) (string, error), sends bool) func(routing.Endpoint) (what, write string) {
	return func(e routing.Endpoint) (what, write string) {
		if what, write := checkHeaders(e, secret, sends); what != "" {
			return what, write
		}
		switch {
		case e.URL == "" && e.URLEnv == "":
			return "", "" // its destination is looked at
		case sends:
			return checkSends(e, secret)
		case e.URLEnv != "":
			return "", ""
		}
		return checkHost(e, e.URL)
	}
}

// checkSends returns what keeps a process that sends from sending to an endpoint as things are.
func checkSends(e routing.Endpoint, secret func(string) (string, error)) (what, write string) {
	url, err := activities.ForwardURL(e, secret)
	if err != nil {
		return wrongIn(err, "where to, such as https://billing.example.com/webhooks, into it")
	}
	if what, write := checkHost(e, url); what != "" {
		return what, write
	}
	reach, err := activities.ReachOf(e, secret)
	if err != nil {
		return wrongIn(err, "the proxy's URL into it, such as http://name:password@proxy.internal:3128")
	}
	if err := reach.Check(); err != nil {
		return err.Error(), "the path of a file in PEM that this process may read"
	}
	if _, err := activities.ForwardSigner(e, secret); err != nil {
		return wrongIn(err, `whsec_ and 32 random bytes as base64 into it (echo "whsec_$(openssl rand -base64 32)"), `+
			"with commas between several while they are rotated")
	}
	return "", ""
}

// wrongIn parts an error into what is wrong and what to write, which is write where the error does not say.
func wrongIn(err error, write string) (string, string) {
	if unread := (*config.Problem)(nil); errors.As(err, &unread) {
		return unread.Where + " " + unread.What, unread.Write
	}
	return err.Error(), write
}

func checkHost(e routing.Endpoint, text string) (what, write string) {
	u, err := url.Parse(text)
	if err != nil {
		return "url cannot be read", "where to"
	}
	if what := delivery.CheckHost(u.Hostname(), activities.AllowedOf(e)); what != "" {
		return u.Hostname() + " " + what, "a host on the internet, or allow_private: true where the address is private"
	}
	return "", ""
}

// secret returns what Forward asks of a secret: the variable's, else its file's, read anew each time. What was read is kept
// out of logs and Sentry from then on, since a file may have changed since the start, and the routes, too.
func (p *plan) secret(name string) (string, error) {
	text, err := config.SecretText(name, p.variable, os.ReadFile)
	if p.telemetry != nil { // there is none while the configuration is only looked at
		for _, secret := range strings.SplitN(text, ",", 2*config.MaxSecrets) {
			p.telemetry.Redact(strings.TrimSpace(secret))
		}
	}
	return text, err
}

// readSecrets reads those of the routes, so that a process that sends nothing shows none either.
func (p *plan) readSecrets(table *routing.Table) {
	for _, name := range append(table.Variables(), activities.ForwardSecret) {
		_, _ = p.secret(name) // what is wrong with it is reported where the routes are checked
	}
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
