package activities

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"hookflow/delivery"
	"hookflow/routing"
)

// ForwardURL returns where an endpoint is: its URL, or that of the variable that it names. The error names the variable and never
// its value.
func ForwardURL(e routing.Endpoint, secret func(name string) (string, error)) (string, error) {
	if e.URLEnv == "" {
		return e.URL, nil
	}
	return variable(e.URLEnv, "where events are sent", secret, routing.CheckURL)
}

// ReachOf returns how messages get to an endpoint. Its error is that of the variable with the proxy; the files of the Reach are
// not looked at.
func ReachOf(e routing.Endpoint, secret func(name string) (string, error)) (delivery.Reach, error) {
	r := delivery.Reach{Allowed: AllowedOf(e), Proxy: e.Proxy, CAFile: e.CAFile}
	if e.ClientCert != nil {
		r.CertFile, r.KeyFile = e.ClientCert.CertFile, e.ClientCert.KeyFile
	}
	var err error
	if e.ProxyEnv != "" {
		r.Proxy, err = variable(e.ProxyEnv, "the proxy's URL", secret, routing.CheckProxy)
	}
	return r, err
}

// variable returns the value of a variable that check takes.
func variable(name, what string, secret func(string) (string, error), check func(string) string) (string, error) {
	value, err := secret(name)
	if value = strings.TrimSpace(value); err != nil {
		return "", err
	}
	if value == "" {
		return "", fmt.Errorf("%s, %s, is not set", name, what)
	}
	if wrong := check(value); wrong != "" {
		return "", errors.New(name + " " + wrong)
	}
	return value, nil
}

// AllowedOf is what an endpoint may reach beside the internet. Networks that cannot be read are refused when the routes are.
func AllowedOf(e routing.Endpoint) delivery.Allowed {
	open := delivery.Allowed{Private: e.AllowPrivate}
	for _, text := range e.AllowNetworks {
		if network, err := netip.ParsePrefix(text); err == nil {
			open.Networks = append(open.Networks, network)
		}
	}
	return open
}

// ForwardSigner makes the signer of an endpoint from the variable that it names. The error names the variable and never
// its value.
func ForwardSigner(e routing.Endpoint, secret func(name string) (string, error)) (*delivery.Signer, error) {
	variable := cmp.Or(e.SecretsEnv, ForwardSecret)
	value, err := secret(variable)
	switch {
	case err != nil:
		return nil, err
	case value == "":
		return nil, fmt.Errorf("%s, with which deliveries are signed, is not set", variable)
	}
	signer, err := delivery.NewSigner(strings.Split(value, ","))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	return signer, nil
}
