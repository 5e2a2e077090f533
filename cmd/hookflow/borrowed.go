package main

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"hookflow/config"
)

// A file in the folder, which may be somebody else's checkout, must not say where a credential of the environment goes. So an
// address of a file goes with a credential of the same file only, unless it is on this machine.

// credentials are what is sent to the address in a variable.
var credentials = map[string][]string{
	"TEMPORAL_ADDRESS":            {"TEMPORAL_API_KEY", "TEMPORAL_TLS_CLIENT_KEY_DATA"},
	"DATABASE_URL":                {"PGPASSWORD"},
	"STRIPE_API_URL":              {"STRIPE_API_KEY"},
	"OTEL_EXPORTER_OTLP_ENDPOINT": {"OTEL_EXPORTER_OTLP_HEADERS"},
}

// checkBorrowed fails where the .env of the folder names an address, and the environment alone the credential for it.
func checkBorrowed(getenv func(string) string, file map[string]string) error {
	for _, address := range slices.Sorted(maps.Keys(credentials)) {
		if file[address] == "" || getenv(address) != "" || onThisMachine(file[address]) {
			continue
		}
		for _, credential := range credentials[address] {
			if getenv(credential) != "" && file[credential] == "" {
				return borrowed(credential, address, dotEnv)
			}
		}
	}
	return nil
}

func borrowed(credential, address, file string) error {
	return fmt.Errorf("%s of the environment is not sent where %s names in %s; write: both into one place", credential, address, file)
}

// checkToken fails where a file of the folder says where /v1 is, off this machine, and the token is not that file's.
func (env environment) checkToken(base string) error {
	const token = "HOOKFLOW_API_TOKEN"
	if onThisMachine(base) {
		return nil
	}
	for _, address := range []string{"HOOKFLOW_OPS_ADDR", "HOOKFLOW_HTTP_ADDR"} {
		if config.AddressURL(env.setting(address)) != base {
			continue
		}
		for _, file := range []string{dotEnv, env.addressesPath()} {
			found := readSettings(file)
			if env.getenv(address) == "" && found[address] != "" && found[token] != env.setting(token) {
				return borrowed(token, address, file)
			}
			if env.getenv(address) != "" || found[address] != "" {
				break // the first that names it
			}
		}
	}
	return nil
}

// onThisMachine reports whether an address, with a scheme or without, is a loopback one.
func onThisMachine(address string) bool {
	host := address
	if strings.Contains(address, "://") {
		u, err := url.Parse(address)
		if err != nil {
			return false
		}
		host = u.Host
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || ip != nil && ip.IsLoopback()
}
