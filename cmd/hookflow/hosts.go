package main

import (
	"net"
	"net/netip"
	"slices"

	"hookflow/api"
	"hookflow/config"
)

// opsHost returns which hosts the operators' paths answer under, nil for any. Dev always looks: its listener is reached from
// the browsers of its machine. A server looks where its listener is reached from its own machine only; elsewhere names are
// the business of the balancer and the cluster before it.
func opsHost(c config.Config) func(string) bool {
	listen := hostOfAddress(c.OpsAddr)
	own, err := netip.ParseAddr(listen)
	everywhere := listen == "" || err == nil && own.IsUnspecified()
	if c.Mode != config.Dev && listen != "localhost" && !own.IsLoopback() {
		return nil
	}
	names := append([]string{"localhost", listen, hostOfAddress(c.HTTPAddr), api.HostOf(c.PublicURL)}, c.OpsHosts...)
	return func(host string) bool {
		if ip, err := netip.ParseAddr(host); err == nil {
			// A page cannot have an address that its owner does not answer at, so on all interfaces each of ours will do.
			return ip.IsLoopback() || everywhere || slices.Contains(names, host)
		}
		return host != "" && slices.Contains(names, host)
	}
}

// hostOfAddress is the host of an address to listen on, "" for all interfaces.
func hostOfAddress(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return ""
	}
	return api.HostOf(net.JoinHostPort(host, "0"))
}
