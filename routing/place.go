package routing

import (
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const whereTo = "where to, such as https://billing.example.com/webhooks"

// CheckURL returns what keeps events from being sent to a URL, "" for nothing. It does not quote it, since it may be a secret.
func CheckURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f }):
		return "is not a URL"
	case u.Scheme != "https" && u.Scheme != "http":
		return "does not begin with https:// or http://"
	case u.Hostname() == "":
		return "has no host"
	case u.Fragment != "":
		return "has a fragment, which is never sent"
	}
	return ""
}

// CheckProxy returns what keeps a URL from being that of a proxy, "" for nothing, and does not quote it.
func CheckProxy(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "is not a URL"
	case !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme):
		return "does not begin with http://, https:// or socks5://"
	case u.Hostname() == "":
		return "has no host"
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return "has more than a host and a port"
	}
	return ""
}

func (p *parser) url(n *yaml.Node) string {
	return p.address(n, "url", whereTo, "url_env", CheckURL)
}

func (p *parser) proxy(n *yaml.Node) string {
	return p.address(n, "proxy", "the proxy's URL, such as http://proxy.internal:3128", "proxy_env", CheckProxy)
}

// address reads a URL that check takes and that holds no password. One that holds any belongs into a variable.
func (p *parser) address(n *yaml.Node, what, write, variable string, check func(string) string) string {
	text := p.text(n, what, write)
	if text == "" {
		return ""
	}
	if wrong := check(text); wrong != "" {
		p.report(n.Line, write, "%s %s", what, wrong) // not shown: it may hold a token
		return ""
	}
	if u, _ := url.Parse(text); u.User != nil {
		p.report(n.Line, "it into a variable, and the variable's name behind "+variable, "%s holds a password", what)
		return ""
	}
	return text
}

func (p *parser) clientCert(n *yaml.Node) *ClientCert {
	const write = "cert_file and key_file, the paths of two files of PEM"
	values := p.fields(n, "client_cert", clientCertKeys)
	if values == nil {
		return nil
	}
	read := func(key string) string {
		p.required(n, values, "client_cert", key, write)
		if v := values[key]; v != nil {
			return p.text(v, key, write)
		}
		return ""
	}
	return &ClientCert{CertFile: read("cert_file"), KeyFile: read("key_file")}
}

var clientCertKeys = []string{"cert_file", "key_file"}
