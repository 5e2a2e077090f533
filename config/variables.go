package config

import (
	"cmp"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Problem is one thing that is wrong. Where is a variable's name or "file:line". It never holds a secret.
type Problem struct{ Where, What, Write string }

// Error returns one line.
func (p *Problem) Error() string { return fmt.Sprintf("%s: %s; write: %s", p.Where, p.What, p.Write) }

// variables reads the environment and collects what is wrong in it.
type variables struct {
	getenv   func(string) string
	problems []error
}

func (v *variables) report(name, what, write string) {
	v.problems = append(v.problems, &Problem{Where: name, What: what, Write: write})
}

// text returns a value, or what it is when it is not set. An empty variable is not set.
func (v *variables) text(name, otherwise string) string {
	if s := v.getenv(name); s != "" {
		return s
	}
	return otherwise
}

// secret reads one secret. White space inside comes from a careless paste; no provider issues it.
func (v *variables) secret(name string) string {
	s := strings.TrimSpace(v.getenv(name))
	if strings.ContainsFunc(s, unfit) {
		v.report(name, "holds white space or a control character", "the secret as it was issued, without quotes or line ends")
		return ""
	}
	return s
}

func unfit(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }

// list splits a comma-separated variable. An empty element is a mistake: an empty secret would let anybody in.
func (v *variables) list(name, write string) []string {
	value := v.getenv(name)
	if value == "" {
		return nil
	}
	items := strings.Split(value, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
	}
	if slices.Contains(items, "") {
		v.report(name, "has an empty element", write)
		return nil
	}
	return items
}

func (v *variables) secrets(name string) []string {
	const write = "one secret, or up to 5 with commas between them while they are rotated"
	items := v.list(name, write)
	if len(items) > MaxSecrets {
		v.report(name, fmt.Sprintf("has %d elements", len(items)), write)
		return nil
	}
	if slices.ContainsFunc(items, func(s string) bool { return strings.ContainsFunc(s, unfit) }) {
		v.report(name, "holds white space or a control character inside an element", write)
		return nil
	}
	return items
}

// minToken is the least length of a token in bytes: 16 random ones cannot be guessed.
const minToken = 16

func (v *variables) tokens(name string) []Token {
	const write = "token or name:token, each token 16 bytes or more, with commas between several"
	var tokens []Token
	for i, item := range v.list(name, write) {
		author, secret, named := strings.Cut(item, ":")
		if !named {
			author, secret = "", item
		}
		t := Token{Name: strings.TrimSpace(author), Secret: strings.TrimSpace(secret)}
		switch {
		case named && t.Name == "":
			v.report(name, fmt.Sprintf("element %d has an empty name", i+1), write)
		case len(t.Secret) < minToken:
			v.report(name, fmt.Sprintf("the token of element %d is shorter than %d bytes", i+1, minToken), write)
		case strings.ContainsFunc(t.Secret, unfit) || strings.ContainsFunc(t.Name, unicode.IsControl):
			v.report(name, fmt.Sprintf("element %d holds white space or a control character", i+1), write)
		case slices.ContainsFunc(tokens, func(o Token) bool { return o.Secret == t.Secret }):
			v.report(name, fmt.Sprintf("element %d repeats the token of another", i+1), "a token of its own for each")
		default:
			tokens = append(tokens, t)
		}
	}
	return tokens
}

func (v *variables) dsn(name string) string {
	s := strings.TrimSpace(v.getenv(name))
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User.Username() == "" || u.Hostname() == "" ||
		strings.Trim(u.Path, "/") == "" {
		v.report(name, "is not a DSN", "https://KEY@HOST/PROJECT, from the project's settings in Sentry")
		return ""
	}
	return s
}

// share reads a number from 0 to 1.
func (v *variables) share(name string) float64 {
	s := v.getenv(name)
	if s == "" {
		return 0
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1 {
		v.report(name, fmt.Sprintf("is %q", s), "a number from 0 to 1, such as 0.1")
		return 0
	}
	return f
}

func (v *variables) databaseURL(name string, mode Mode) string {
	const write = "postgres://USER:PASSWORD@HOST:5432/DATABASE, special characters in the password as %XX"
	s := strings.TrimSpace(v.getenv(name))
	if s == "" {
		if mode == Serve {
			v.report(name, "is not set, and the ledger lives there", write)
		}
		return ""
	}
	if !strings.Contains(s, "://") && strings.Contains(s, "=") {
		return s // libpq's other form, "host=… user=…"
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		v.report(name, "is not the URL of a Postgres database", write)
		return ""
	}
	return s
}

func (v *variables) address(name, otherwise string) string {
	s := v.text(name, otherwise)
	host, port, err := net.SplitHostPort(s)
	_, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || strings.ContainsFunc(host, unfit) || strings.Contains(host, "/") {
		v.report(name, fmt.Sprintf("is %q, not an address to listen on", s),
			"host:port, such as 127.0.0.1:8080, or :8080 for every interface")
		return otherwise
	}
	return s
}

const writePublicURL = "scheme and host, such as https://hooks.example.com, with the prefix that a proxy strips, if any"

// publicURL is checked and returned byte for byte: senders sign it. It is not shown, since it may hold a password.
func (v *variables) publicURL(name string) string {
	s := v.getenv(name)
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	what := ""
	switch {
	case err != nil:
		what = "is not a URL"
	case u.Scheme != "https" && u.Scheme != "http":
		what = "does not begin with https:// or http://"
	case u.Hostname() == "" || strings.ContainsFunc(s, unfit):
		what = "has no host, or white space"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		what = "has a query or a fragment"
	case strings.HasSuffix(s, "/"):
		what = "ends with a slash"
	default:
		return s
	}
	v.report(name, what, writePublicURL)
	return s // it is set, so that nobody reports that it is not
}

const day = 24 * time.Hour

// maxDays keeps a retention below what a time.Duration holds (292 years).
const maxDays = 36500

// days reads a duration as Go writes it, or a number of days as "90d".
func (v *variables) days(name string, otherwise time.Duration) time.Duration {
	s := v.getenv(name)
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if number, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		n, err = strconv.Atoi(number)
		d = time.Duration(min(n, maxDays)) * day
	}
	if err != nil || d <= 0 {
		v.report(name, fmt.Sprintf("is %q", s), "a number of days such as 90d, or a duration such as 2160h")
		return otherwise
	}
	return d
}

// The default is short for a person and long enough for a load balancer that asks every second. The most leaves the
// requests under way, and the attempts after them, their share of the time that a scheduler gives a process to stop.
const (
	defaultDrainDelay = 2 * time.Second
	maxDrainDelay     = time.Minute
)

func (v *variables) drainDelay(name string, mode Mode) time.Duration {
	otherwise := time.Duration(defaultDrainDelay)
	if mode == Dev {
		otherwise = 0
	}
	s := v.getenv(name)
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > maxDrainDelay {
		v.report(name, fmt.Sprintf("is %q", s), "a duration from 0s to 60s, such as 2s")
		return otherwise
	}
	return d
}

// taskQueueName is what a task queue may be called: it is part of workflow IDs and of the ids of schedules.
var taskQueueName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$`)

func (v *variables) taskQueue(name string) string {
	const otherwise = "hookflow" // event.DefaultQueue
	s := cmp.Or(v.getenv(name), otherwise)
	if !taskQueueName.MatchString(s) {
		v.report(name, fmt.Sprintf("is %q", s), "a name of lower-case letters, digits, dots, hyphens and underscores, at most 64, such as hookflow-staging")
		return otherwise
	}
	return s
}

// The default is longer than the balancers in front of a server keep a connection (AWS' 60 s, Google's 600 s): a server that
// closes first loses the request that is on its way.
const (
	defaultIdleTimeout = 620 * time.Second
	maxIdleTimeout     = time.Hour
)

func (v *variables) idleTimeout(name string) time.Duration {
	s := v.getenv(name)
	if s == "" {
		return defaultIdleTimeout
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second || d > maxIdleTimeout {
		v.report(name, fmt.Sprintf("is %q", s), "a duration from 1s to 1h, such as 620s")
		return defaultIdleTimeout
	}
	return d
}

// hosts reads names or IP addresses, comma-separated, without ports.
func (v *variables) hosts(name string) []string {
	var all []string
	for host := range strings.SplitSeq(v.getenv(name), ",") {
		if host = strings.ToLower(strings.Trim(strings.TrimSpace(host), "[]")); host == "" {
			continue
		}
		if ip, err := netip.ParseAddr(host); err == nil {
			host = ip.String()
		} else if strings.ContainsAny(host, ":/?#@*\\ \t") {
			v.report(name, fmt.Sprintf("has %q in it", host), "hosts without scheme and port, comma-separated, such as ops.example.com")
			continue
		}
		all = append(all, strings.TrimSuffix(host, "."))
	}
	return all
}

func (v *variables) port(name string, otherwise int) int {
	s := v.getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		v.report(name, fmt.Sprintf("is %q", s), "a port from 1 to 65535, or 0 for a free one")
		return otherwise
	}
	return int(n)
}

// AddressURL returns the URL that reaches a listen address from this machine, "" where the port is not known yet.
func AddressURL(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" {
		return ""
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
