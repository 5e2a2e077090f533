package delivery

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// Reach is how a message gets to its receiver. The zero value goes straight to the internet, and trusts what the system trusts.
type Reach struct {
	Allowed  Allowed // beside the internet
	Proxy    string  // the URL of an HTTP or SOCKS5 proxy, "" for none; it may hold credentials
	CAFile   string  // PEM: the certificates that are trusted instead of the system's
	CertFile string  // PEM: the certificate that is shown to the receiver, with KeyFile
	KeyFile  string
}

// Check returns what keeps messages from going that way as things are: a file that cannot be read or used, or a proxy that is
// none.
func (r Reach) Check() error {
	files, err := r.read()
	if err != nil {
		return err
	}
	_, _, err = r.settings(files)
	return err
}

func (r Reach) key() string {
	return fmt.Sprintf("%s %q", r.Allowed.key(), []string{r.Proxy, r.CAFile, r.CertFile, r.KeyFile})
}

// files are the contents of CAFile, CertFile and KeyFile.
type files [3][]byte

func (f files) equal(g files) bool {
	return bytes.Equal(f[0], g[0]) && bytes.Equal(f[1], g[1]) && bytes.Equal(f[2], g[2])
}

func (r Reach) read() (files, error) {
	var all files
	for i, f := range []struct{ key, path string }{{"ca_file", r.CAFile}, {"cert_file", r.CertFile}, {"key_file", r.KeyFile}} {
		if f.path == "" {
			continue
		}
		content, err := os.ReadFile(f.path)
		if err != nil {
			var path *fs.PathError
			if errors.As(err, &path) {
				err = path.Err
			}
			return all, fmt.Errorf("%s cannot be read: %w", f.key, err)
		}
		all[i] = content
	}
	return all, nil
}

// settings returns what TLS goes by, and the proxy, nil for none.
func (r Reach) settings(f files) (*tls.Config, *url.URL, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if r.CAFile != "" {
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(f[0]) {
			return nil, nil, errors.New("ca_file holds no certificate in PEM")
		}
	}
	if r.CertFile != "" {
		pair, err := tls.X509KeyPair(f[1], f[2])
		if err != nil {
			return nil, nil, fmt.Errorf("client_cert cannot be used: %w", err)
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	if r.Proxy == "" {
		return settings, nil, nil
	}
	proxy, err := url.Parse(r.Proxy)
	if err != nil {
		return nil, nil, errors.New("the proxy's URL cannot be read") // err would quote it
	}
	return settings, proxy, nil
}

// refused returns why a host is not sent to through a proxy, which resolves names and connects in our place: only what stands in
// the URL can be looked at here. "" is for nothing.
func (r Reach) refused(host string) string {
	if r.Proxy == "" {
		return "" // control looks at the address itself
	}
	return CheckHost(host, r.Allowed)
}

// way is a client for one Reach, and what its files held when it was made.
type way struct {
	files     files
	client    *http.Client
	transport *http.Transport
}

// client returns the one that goes by r. Its files are read each time, so that a certificate that was renewed needs no restart.
func (c *Client) client(r Reach) (*http.Client, error) {
	read, err := r.read()
	if err != nil {
		return nil, err
	}
	key := r.key()
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.ways[key]
	if kept != nil && kept.files.equal(read) {
		return kept.client, nil
	}
	made, err := c.open(r, read)
	if err != nil {
		return nil, err
	}
	if kept != nil {
		kept.transport.CloseIdleConnections()
	}
	c.ways[key] = made
	return made.client, nil
}

func (c *Client) open(r Reach, read files) (*way, error) {
	settings, proxy, err := r.settings(read)
	if err != nil {
		return nil, err
	}
	open := r.Allowed
	if proxy != nil {
		open.Private = true // all that is connected to is the proxy, which the operator has named
	}
	dialer := &net.Dialer{Timeout: connectTime, KeepAlive: 30 * time.Second, Control: control(open)}
	t := &http.Transport{
		DialContext:            dialer.DialContext,
		Proxy:                  http.ProxyURL(proxy),
		OnProxyConnectResponse: connected,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        settings,
		TLSHandshakeTimeout:    connectTime,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxResponse,
		DisableCompression:     true, // what is kept is what was sent, and nothing unfolds
	}
	return &way{read, &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     c.through(t),
	}, t}, nil
}

// connected turns a proxy's refusal into an error that can be told from the receiver's.
func connected(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return &proxyError{answer.StatusCode}
	}
	return nil
}

// proxyError is the status with which a proxy refused a CONNECT (RFC 9110 section 9.3.6).
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy answered CONNECT with %d", e.status)
}
