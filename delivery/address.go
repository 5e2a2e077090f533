package delivery

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// prefixes parses a list that is right.
func prefixes(list ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(list))
	for i, text := range list {
		parsed[i] = netip.MustParsePrefix(text)
	}
	return parsed
}

// The addresses that are somebody's own network, which an operator may open by name.
var private = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // RFC 1918
	"100.64.0.0/10", // carrier-grade NAT, RFC 6598
	"127.0.0.0/8", "::1/128",
	"fc00::/7", // unique local, RFC 4193
)

// The other addresses that are not the public internet, by the registries that RFC 6890 made
// (iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry). Link-local ones are where clouds keep
// the credentials of a machine, so they are never open.
var special = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
	"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)

// The addresses at which clouds answer with the credentials of a machine, or steer it. They stay closed whatever is opened: AWS,
// Azure, GCP, Oracle and others at 169.254.169.254, AWS's tasks and pods at 169.254.170.2 and .23, and those below.
var metadata = prefixes(
	"169.254.0.0/16", "fe80::/10",
	"168.63.129.16/32",              // Azure's WireServer, a public address
	"100.100.100.200/32",            // Alibaba Cloud, inside RFC 6598
	"192.0.0.192/32",                // Oracle Cloud
	"fd00:ec2::/32", "fd20:ce::/32", // AWS (::254, ::23), GCP (::254), inside RFC 4193
	"0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8", // no receiver is there
)

var (
	// Of IPv6 only this part is the public internet (iana.org/assignments/ipv6-address-space).
	globalUnicast = netip.MustParsePrefix("2000::/3")
	// An IPv4 address stands in the last four bytes (RFC 6052).
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
	// One stands behind the first two bytes (RFC 3056).
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// Allowed is what may be sent to beside the internet. The zero value is nothing.
type Allowed struct {
	Private  bool           // this machine, and all private networks
	Networks []netip.Prefix // these, be they private or special (240.0.0.0/4 and 198.18.0.0/15 behind a service mesh)
}

// key tells sets apart.
func (a Allowed) key() string { return fmt.Sprint(a.Private, a.Networks) }

// allowed reports whether a message may go to an address.
func allowed(address netip.Addr, open Allowed) bool {
	address = address.Unmap().WithZone("")
	switch bytes := address.As16(); {
	case nat64.Contains(address):
		address = netip.AddrFrom4([4]byte(bytes[12:]))
	case sixToFour.Contains(address) && within(metadata, netip.AddrFrom4([4]byte(bytes[2:6]))):
		return false
	}
	switch {
	case !address.IsValid() || within(metadata, address):
		return false
	case within(open.Networks, address):
		return true
	case within(private, address):
		return open.Private
	case within(special, address):
		return false
	}
	return address.Is4() || globalUnicast.Contains(address)
}

func within(list []netip.Prefix, address netip.Addr) bool {
	for _, p := range list {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

// control looks at the address that a connection is about to be made to, after names were resolved: a name that answers
// differently the second time (DNS rebinding) gets no further than an honest one.
func control(open Allowed) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !allowed(at.Addr(), open) {
			return &addressError{at.Addr()}
		}
		return nil
	}
}

// CheckHost returns what is wrong with sending to a host, as far as that can be told without resolving it; "" for
// nothing.
func CheckHost(host string, open Allowed) string {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761
		name = "127.0.0.1"
	}
	address, err := netip.ParseAddr(strings.Trim(name, "[]"))
	if err != nil || allowed(address, open) {
		return ""
	}
	return (&addressError{address}).Error()
}

// addressError is an address that nothing is sent to.
type addressError struct{ address netip.Addr }

// Error goes on after the name of the host.
func (e *addressError) Error() string {
	at := e.address.Unmap()
	switch {
	case within(metadata, at):
		return "is at the address " + at.String() + ", which is not on the internet and stays closed: no receiver is there, or a cloud's own service"
	case within(private, at):
		return "is at the private address " + at.String() + ", which needs allow_private: true, or its network in allow_private"
	}
	return "is at the address " + at.String() + ", which is not on the internet and needs its network in allow_private"
}
