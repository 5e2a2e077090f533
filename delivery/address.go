package delivery

import (
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

var (
	// Of IPv6 only this part is the public internet (iana.org/assignments/ipv6-address-space).
	globalUnicast = netip.MustParsePrefix("2000::/3")
	// An IPv4 address stands in the last four bytes (RFC 6052).
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

// allowed reports whether a message may go to an address.
func allowed(address netip.Addr, allowPrivate bool) bool {
	address = address.Unmap().WithZone("")
	if nat64.Contains(address) {
		bytes := address.As16()
		address = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	switch {
	case !address.IsValid():
		return false
	case within(private, address):
		return allowPrivate
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
func control(allowPrivate bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !allowed(at.Addr(), allowPrivate) {
			return &addressError{at.Addr()}
		}
		return nil
	}
}

// CheckHost returns what is wrong with sending to a host, as far as that can be told without resolving it; "" for
// nothing.
func CheckHost(host string, allowPrivate bool) string {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761
		name = "127.0.0.1"
	}
	address, err := netip.ParseAddr(strings.Trim(name, "[]"))
	if err != nil || allowed(address, allowPrivate) {
		return ""
	}
	return (&addressError{address}).Error()
}

// addressError is an address that nothing is sent to.
type addressError struct{ address netip.Addr }

// Error goes on after the name of the host.
func (e *addressError) Error() string {
	at := e.address.Unmap()
	if within(private, at) {
		return "is at the private address " + at.String() + ", which needs allow_private: true"
	}
	return "is at the address " + at.String() + ", which is not on the internet"
}
