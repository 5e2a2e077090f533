package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"hookflow/providers"

	"github.com/spf13/cobra"
)

// captured are the flags of hookflow verify.
type captured struct {
	headers           []string
	body, url, method string
	at                string
	json              bool
}

// newVerifyCommand returns "hookflow verify NAME".
func newVerifyCommand(env environment) *cobra.Command {
	var flags captured
	cmd := quiet(&cobra.Command{
		Use:   "verify NAME --header 'NAME: VALUE' … --body FILE",
		Short: "Say why a captured webhook is refused",
		Long: `Verify a captured webhook as the server would, and say why it is refused: a header that is missing, a time that is
too old, a body that has changed since it was signed, another secret. Nothing is sent or stored, and neither a secret nor
the right signature is shown. --output json prints one line. Exit code: 0 when the request verifies, 1 when it does not.`,
		Example: `  hookflow verify github --header 'X-Hub-Signature-256: sha256=…' --body delivery.json
  hookflow verify twilio --header 'X-Twilio-Signature: …' --body form.txt --url https://hooks.example.com/webhooks/twilio
  hookflow verify stripe --header 'Stripe-Signature: t=…,v1=…' --body event.json --at 2026-01-01T12:00:00Z`,
		Args: exactly(1),
	})
	f := cmd.Flags()
	f.StringArrayVarP(&flags.headers, "header", "H", nil, "a header as 'Name: value'; several times")
	f.StringVar(&flags.body, "body", "", "the file with the body, byte for byte; - for the standard input")
	f.StringVar(&flags.url, "url", "", "the URL that the sender called (default: HOOKFLOW_PUBLIC_URL and /webhooks/NAME)")
	f.StringVar(&flags.method, "method", http.MethodPost, "the method")
	f.StringVar(&flags.at, "at", "", "when it came: RFC 3339, or seconds since 1970 (default: now)")
	asJSON := outputFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) (err error) {
		if flags.json, err = asJSON(); err != nil {
			return err
		}
		setup, err := env.setup(args[0])
		if err != nil {
			return err
		}
		source, err := env.source(setup)
		if err != nil {
			return err
		}
		r, at, err := env.capture(setup, flags)
		if err != nil {
			return err
		}
		return env.explain(setup, source, r, at, flags.json)
	}
	return cmd
}

// capture makes the request of the flags.
func (env environment) capture(setup providers.Setup, flags captured) (*providers.Request, time.Time, error) {
	at, err := parseMoment(flags.at, env.now())
	if err != nil {
		return nil, at, err
	}
	r := &providers.Request{Method: flags.method, URL: flags.url, Header: http.Header{}}
	if r.URL == "" {
		r.URL = strings.TrimRight(env.webhookURL(), "/") + webhooksPath + setup.Name
	}
	for _, h := range flags.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, at, usageError("--header is 'Name: value'; the colon is missing in one")
		}
		r.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	switch flags.body {
	case "":
		return nil, at, usageError("--body names the file that holds the body, - the standard input")
	case "-":
		r.Body, err = io.ReadAll(env.stdin)
	default:
		r.Body, err = os.ReadFile(flags.body)
	}
	if err != nil {
		return nil, at, failure("the body cannot be read: %v", err)
	}
	return r, at, nil
}

func parseMoment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return now, usageError("--at is %q; write RFC 3339, such as 2026-01-01T12:00:00Z, or seconds since 1970", text)
	}
	return time.Unix(seconds, 0), nil
}

// verdict is what verify --output json prints.
type verdict struct {
	Source    string       `json:"source"`
	Verified  bool         `json:"verified"`
	Problem   *string      `json:"problem"` // why it would be refused
	Hints     []string     `json:"hints"`
	Secret    *int         `json:"secret"` // which of several proves it, counted from 1
	Handshake bool         `json:"handshake"`
	Events    []identified `json:"events"`
}

type identified struct {
	Key  string `json:"key"`
	Type string `json:"type"`
	ID   string `json:"id"`
}

// explain says what the verifier says, and of several secrets which one it was.
func (env environment) explain(setup providers.Setup, source providers.Source, r *providers.Request, at time.Time, asJSON bool) error {
	d := source.Explain(r, at)
	v := verdict{
		Source: setup.Name, Verified: d.Problem == "", Problem: known(d.Problem), Hints: append([]string{}, d.Hints...),
		Handshake: d.Delivery.Greeting != nil, Events: []identified{},
	}
	for i := range d.Delivery.Events {
		e := &d.Delivery.Events[i]
		v.Events = append(v.Events, identified{e.Key(), e.Type, e.ID})
	}
	if v.Verified {
		v.Secret = known(env.bySecret(setup, r, at))
	}
	if asJSON {
		if err := printLine(env.stdout, v); err != nil {
			return err
		}
	}
	switch {
	case !v.Verified:
		return failure("%s would refuse it: %s", setup.Name, strings.Join(append([]string{d.Problem}, d.Hints...), "\n  "))
	case !asJSON:
		v.print(env, setup)
	}
	return nil
}

// print writes the verdict on a request that verifies.
func (v verdict) print(env environment, setup providers.Setup) {
	by := ""
	if v.Secret != nil {
		by = fmt.Sprintf(", by secret %d of %d in %s", *v.Secret, len(env.webhookSecrets(setup.Variable)), setup.Variable)
	}
	fmt.Fprintf(env.stdout, "%s would take it%s\n", v.Source, by)
	switch {
	case v.Handshake:
		fmt.Fprintln(env.stdout, "it is a handshake, which is answered; nothing is stored")
	case len(v.Events) == 0:
		fmt.Fprintln(env.stdout, "it is a batch without an event")
	}
	for _, e := range v.Events {
		fmt.Fprintf(env.stdout, "key  %s\ntype %s\nid   %s\n", e.Key, e.Type, e.ID)
	}
}

// bySecret returns the place of the secret that proves r, counted from 1, where there are several; else 0.
func (env environment) bySecret(setup providers.Setup, r *providers.Request, at time.Time) int {
	secrets := env.webhookSecrets(setup.Variable)
	if len(secrets) < 2 {
		return 0
	}
	for i, secret := range secrets {
		one, err := setup.Make([]string{secret}, env.setting)
		if err == nil && one.Verify(r, at) == nil {
			return i + 1
		}
	}
	return 0
}
