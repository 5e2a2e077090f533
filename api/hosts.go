package api

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
)

// errHost refuses a request that was meant for another host. 421 is what RFC 9110 section 15.5.20 has for it.
var errHost = newProblem(http.StatusMisdirectedRequest, "host_unknown",
	"This listener does not answer under that Host; HOOKFLOW_OPS_HOSTS and HOOKFLOW_PUBLIC_URL add names.").early()

// ownHost refuses the operators' paths under a Host that is not ours. A web page whose name its owner points at 127.0.0.1
// (DNS rebinding) reaches a listener of this machine from the browser, as its own origin; the name is what tells it apart.
// /webhooks/ takes any Host: tunnels and proxies send their own, and a signature proves the sender.
func (a *API) ownHost(c *gin.Context) {
	if a.OpsHost != nil && !a.OpsHost(HostOf(c.Request.Host)) {
		writeProblem(c, errHost)
		c.Abort()
	}
}

// HostOf returns the host of a Host header, an authority or a URL, in the form that two of them are compared in: lower case,
// without port, brackets and final dot. It is "" where there is none.
func HostOf(authority string) string {
	if !strings.Contains(authority, "://") {
		authority = "//" + authority
	}
	u, err := url.Parse(authority)
	if err != nil {
		return ""
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().WithZone("").String()
	}
	return host
}
