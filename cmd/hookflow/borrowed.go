package main

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"hookflow/config"
	"hookflow/providers"

	"github.com/jackc/pgx/v5/pgconn"
)

// A file in the folder, which may be somebody else's checkout, must not say where a credential of the environment goes. So an
// address of a file goes with a credential of the same file only, unless it is on this machine.

// sent are the credentials that go to addresses: of both the first variable that is set counts.
var sent = []struct{ addresses, credentials []string }{
	{[]string{"TEMPORAL_ADDRESS"}, []string{"TEMPORAL_API_KEY"}},
	{[]string{"TEMPORAL_ADDRESS"}, []string{"TEMPORAL_TLS_CLIENT_KEY_DATA"}},
	{[]string{"DATABASE_URL"}, []string{"PGPASSWORD"}},
	{[]string{"STRIPE_API_URL"}, []string{"STRIPE_API_KEY"}},
	{
		[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"},
		[]string{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"},
	},
}

// checkBorrowed fails where a file of the folder names an address, and the environment alone the credential for it.
func (env environment) checkBorrowed() error {
	for _, s := range sent {
		address := env.firstSet(s.addresses)
		value, file := env.settingAt(address)
		if address == "DATABASE_URL" {
			if file == "" || ownPassword(value) || databaseOnThisMachine(value) {
				continue
			}
		} else if file == "" || onThisMachine(value) {
			continue
		}
		if credential := env.firstSet(s.credentials); env.lacks(file, credential) {
			return borrowed(credential, address, file)
		}
	}
	return nil
}

// firstSet returns the first of names that has a value, else the first.
func (env environment) firstSet(names []string) string {
	for _, name := range names {
		if env.setting(name) != "" {
			return name
		}
	}
	return names[0]
}

// lacks reports whether a variable has a value that is not the one in file.
func (env environment) lacks(file, name string) bool {
	value := env.setting(name)
	return value != "" && readSettings(file)[name] != value
}

func borrowed(credential, address, file string) error {
	return fmt.Errorf("%s of the environment is not sent where %s names in %s; write: both into one place", credential, address, file)
}

// checkToken fails where a file of the folder says where /v1 is, off this machine, and the token is not that file's.
func (env environment) checkToken(base string) error {
	return env.checkGoesWith("HOOKFLOW_API_TOKEN", base, "HOOKFLOW_OPS_ADDR", "HOOKFLOW_HTTP_ADDR")
}

// checkSigner fails where a file of the folder says where samples are posted, off this machine, and the secret that signs them is
// not that file's: some senders send the secret itself, and a sample that another has signed is as good as one of the sender.
func (env environment) checkSigner(s providers.Setup, base string) error {
	const address, public = "HOOKFLOW_HTTP_ADDR", "HOOKFLOW_PUBLIC_URL"
	variable := s.Variable
	if inFile := variable + config.SecretFileSuffix; env.setting(inFile) != "" {
		variable = inFile
		// What a file of the folder calls by a path outside of it is not the folder's.
		if path, at := env.settingAt(inFile); at != "" && !filepath.IsLocal(path) && !onThisMachine(base) {
			if _, file := env.settingAt(public); file != "" {
				return borrowed(inFile, public, file)
			}
		}
	}
	return env.checkGoesWith(variable, base, public, address)
}

// checkGoesWith fails where base is off this machine, the first of the addresses that says so stands in a file, and the
// credential is not that file's.
func (env environment) checkGoesWith(credential, base string, addresses ...string) error {
	if onThisMachine(base) {
		return nil
	}
	for _, address := range addresses {
		value, file := env.settingAt(address)
		if value == "" || value != base && config.AddressURL(value) != base {
			continue
		}
		if file != "" && env.lacks(file, credential) {
			return borrowed(credential, address, file)
		}
		return nil
	}
	return nil
}

// ownPassword reports whether a DATABASE_URL has its password in itself, so that PGPASSWORD is not read.
func ownPassword(database string) bool {
	if u, err := url.Parse(database); err == nil && u.User != nil {
		if _, there := u.User.Password(); there {
			return true
		}
	}
	return strings.Contains(database, "password=") || strings.Contains(database, "password =")
}

// databaseOnThisMachine reports whether all hosts that a DATABASE_URL may lead to, in its query too, are this machine.
func databaseOnThisMachine(database string) bool {
	cfg, err := pgconn.ParseConfig(database)
	if err != nil {
		return false
	}
	hosts := []string{cfg.Host}
	for _, f := range cfg.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	for _, host := range hosts {
		if !strings.HasPrefix(host, "/") && !onThisMachine(net.JoinHostPort(host, "5432")) { // a path is a Unix socket's
			return false
		}
	}
	return true
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
