package main

import (
	"maps"
	"net"
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

// rememberAddresses writes where dev listens into its folder, for commands in other terminals.
func (d *devRun) rememberAddresses(at listeners) error {
	addresses := map[string]string{"HOOKFLOW_HTTP_ADDR": at.http.Addr().String(), "HOOKFLOW_OPS_ADDR": at.http.Addr().String()}
	if at.ops != nil {
		addresses["HOOKFLOW_OPS_ADDR"] = at.ops.Addr().String()
	}
	return writeSettings(d.addressesPath(), "Where the hookflow dev of this folder listened last.", addresses)
}

// inFolder is what a command in another terminal needs in front to find this dev: nothing, where it lies in the usual folder.
func (d *devRun) inFolder() string {
	if d.config.DataDir == ".hookflow" {
		return ""
	}
	return "HOOKFLOW_DATA_DIR=" + d.config.DataDir + " "
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

func portOf(address string) int {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(port)
	return n
}
