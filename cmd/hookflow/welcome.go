package main

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"hookflow/config"
)

// welcome says what runs where and how to send a first event.
func (d *devRun) welcome(at listeners, generated []string) {
	base := config.AddressURL(at.http.Addr().String())
	ops := base
	if at.ops != nil {
		ops = config.AddressURL(at.ops.Addr().String())
	}
	d.say("\nhookflow is ready.\n")
	d.say("  Webhooks     POST %s/webhooks/stripe, /webhooks/twilio, /webhooks/vapi", base)
	d.say("  Events       %s/v1/events", ops)
	if d.temporal != nil {
		d.say("  Temporal UI  %s/namespaces/default/workflows", d.temporal.UIURL())
	}
	if d.postgres != nil {
		d.say("  Postgres     %s", d.postgres.URL())
	}
	d.say("  API token    %s", d.apiToken())
	for _, p := range []struct{ title, variable string }{
		{"Stripe", "STRIPE_WEBHOOK_SECRET"}, {"Twilio", "TWILIO_AUTH_TOKEN"}, {"Vapi", "VAPI_WEBHOOK_SECRET"},
	} {
		if slices.Contains(generated, p.variable) {
			d.say("  %-12s %s   (generated; %s overrides it)", p.title, d.getenv(p.variable), p.variable)
		} else {
			d.say("  %-12s the secret of %s", p.title, p.variable)
		}
	}
	d.say("  Others       %s: hookflow providers list", others(d.config))
	d.say("\nSend a first event from another terminal, and look at it:\n")
	d.say("  %sbin/hookflow send stripe checkout.session.completed", d.inFolder())
	d.say("  %sbin/hookflow events list\n", d.inFolder())
	d.say("Ctrl-C drains and stops. The state stays in %s.", d.config.DataDir)
}

// remember writes where dev and its servers listen into its folder, and what opens them where only this terminal has it, for
// commands in other terminals.
func (d *devRun) remember(at listeners, generated []string) error {
	noted := map[string]string{"HOOKFLOW_HTTP_ADDR": at.http.Addr().String(), "HOOKFLOW_OPS_ADDR": at.http.Addr().String()}
	if at.ops != nil {
		noted["HOOKFLOW_OPS_ADDR"] = at.ops.Addr().String()
	}
	if d.postgres != nil {
		noted["HOOKFLOW_POSTGRES_PORT"] = strconv.Itoa(d.postgres.Port)
	}
	if d.temporal != nil {
		noted["HOOKFLOW_TEMPORAL_PORT"] = strconv.Itoa(d.temporal.Port)
	}
	file := readSettings(dotEnv)
	for _, name := range []string{
		"HOOKFLOW_PUBLIC_URL", "HOOKFLOW_API_TOKEN", "HOOKFLOW_POSTGRES_PASSWORD", "STRIPE_WEBHOOK_SECRET", "TWILIO_AUTH_TOKEN", "VAPI_WEBHOOK_SECRET",
	} {
		value, err := config.SecretText(name, d.getenv, os.ReadFile)
		if err == nil && value != "" && file[name] == "" && file[name+config.SecretFileSuffix] == "" && !slices.Contains(generated, name) {
			noted[name] = value
		}
	}
	return writeSettings(d.addressesPath(), "What the hookflow dev of this folder used last: commands in other terminals read it.", noted)
}

// others names the sources that are on beside those three.
func others(c config.Config) string {
	_, on, _ := sources(c) // what is wrong with them has been said
	var names []string
	for _, name := range slices.Sorted(maps.Keys(on)) {
		if on[name] && !slices.Contains([]string{"stripe", "twilio", "vapi"}, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "on once the variable of their secret is set"
	}
	return strings.Join(names, ", ") + "; more once the variable of their secret is set"
}
