package delivery

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority signs certificates, and writes them into a folder.
type authority struct {
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{folder: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", &x509.Certificate{
		Subject: pkix.Name{CommonName: "a test's"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.folder, name) }

// issue writes NAME.pem and NAME-key.pem.
func (a *authority) issue(t *testing.T, name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(a.path(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(a.path(name+"-key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert, key
}

// receiver starts one at localhost with a certificate of the authority. It takes clients that have one, too, where it demands it.
func (a *authority) receiver(t *testing.T, demands tls.ClientAuthType) (address string, names *atomic.Value) {
	t.Helper()
	a.issue(t, "receiver", &x509.Certificate{DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	pair, err := tls.LoadX509KeyPair(a.path("receiver.pem"), a.path("receiver-key.pem"))
	require.NoError(t, err)
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	names = &atomic.Value{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		if len(q.TLS.PeerCertificates) > 0 {
			names.Store(q.TLS.PeerCertificates[0].Subject.CommonName)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: demands, ClientCAs: clients}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	return "https://localhost:" + port, names
}

func requireFailure(t *testing.T, err error, kind, words string) {
	t.Helper()
	var failure *Failure
	require.ErrorAs(t, err, &failure)
	require.Equal(t, kind, failure.Type)
	require.Contains(t, failure.Message, words)
}

// An own authority is trusted instead of the system's, and a client shows the certificate that its file holds at the time.
func TestReach_certificates(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	at, names := a.receiver(t, tls.RequireAndVerifyClientCert)
	c := New(clock, nil)
	m := Message{Event: sample(), URL: at, Signer: signer(t, secretOf('a')), Reach: Reach{Allowed: Allowed{Private: true}}}
	post := func() error { _, err := c.Post(t.Context(), m); return err }

	requireFailure(t, post(), ConnectFailed, "cannot be trusted")
	m.Reach.CAFile = a.path("ca.pem")
	requireFailure(t, post(), ConnectFailed, "it demands a client certificate")
	client := func(name string) {
		a.issue(t, "client", &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	}
	m.Reach.CertFile, m.Reach.KeyFile = a.path("client.pem"), a.path("client-key.pem")
	requireFailure(t, post(), NotConfigured, "cert_file cannot be read: no such file")
	client("first")
	require.NoError(t, post())
	require.Equal(t, "first", names.Load())
	client("renewed")
	require.NoError(t, post())
	require.Equal(t, "renewed", names.Load(), "without a restart")

	other := newAuthority(t)
	other.issue(t, "client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	m.Reach.CertFile = other.path("client.pem")
	requireFailure(t, post(), NotConfigured, "client_cert cannot be used: tls: private key does not match public key")
	m.Reach.KeyFile = other.path("client-key.pem")
	requireFailure(t, post(), ConnectFailed, "refuses TLS")
	require.NoError(t, os.WriteFile(a.path("ca.pem"), []byte("canary"), 0o600))
	requireFailure(t, post(), NotConfigured, "ca_file holds no certificate in PEM")
}

// What is sent with one certificate does not use a connection that another made.
func TestReach_connectionsAreNotShared(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	at, names := a.receiver(t, tls.VerifyClientCertIfGiven)
	c := New(clock, nil)
	for _, name := range []string{"one", "two", "one"} {
		if _, err := os.Stat(a.path(name + ".pem")); err != nil {
			a.issue(t, name, &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		}
		_, err := c.Post(t.Context(), Message{Event: sample(), URL: at, Signer: signer(t, secretOf('a')), Reach: Reach{
			Allowed: Allowed{Private: true}, CAFile: a.path("ca.pem"), CertFile: a.path(name + ".pem"), KeyFile: a.path(name + "-key.pem"),
		}})
		require.NoError(t, err)
		require.Equal(t, name, names.Load())
	}
}

// proxy is an HTTP proxy that wants a password. It connects by its own resolver, in which every name is this machine.
func proxy(t *testing.T, secured *tls.Config) (address string, requests *atomic.Int32) {
	t.Helper()
	requests = &atomic.Int32{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Proxy-Authorization") != "Basic dXNlcjpjYW5hcnk=" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		requests.Add(1)
		there, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", q.URL.Port()))
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if q.Method != http.MethodConnect {
			defer there.Close()
			passOn(w, q, there)
			return
		}
		here, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
		go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
	}))
	if s.TLS = secured; secured != nil {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), requests
}

// passOn is what a proxy does with a request for plain HTTP.
func passOn(w http.ResponseWriter, q *http.Request, there net.Conn) {
	through := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return there, nil }, DisableKeepAlives: true}
	q.Header.Del("Proxy-Authorization")
	answer, err := through.RoundTrip(q)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// A receiver behind a proxy is reached through it alone, whatever address the proxy itself has.
func TestReach_proxy(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	secure, _ := a.receiver(t, tls.NoClientCert)
	u, err := url.Parse(secure)
	require.NoError(t, err)
	plain := receive(t, fine)
	p, err := url.Parse(plain.URL)
	require.NoError(t, err)
	at, requests := proxy(t, nil)
	c := New(clock, nil)
	post := func(to, through string) (Response, error) {
		return c.Post(t.Context(), Message{
			Event: sample(), URL: to, Signer: signer(t, secretOf('a')), Reach: Reach{Proxy: through, CAFile: a.path("ca.pem")},
		})
	}
	const name = "http://receiver.invalid:" // a name that the proxy alone resolves
	answer, err := post(name+p.Port()+"/in?token=canary", "http://user:canary@"+at)
	require.NoError(t, err)
	require.Equal(t, "thanks", answer.Head)
	require.Equal(t, "receiver.invalid:"+p.Port(), (<-plain.requests).Host)
	_, err = post("https://receiver.invalid:"+u.Port(), "http://user:canary@"+at)
	requireFailure(t, err, ConnectFailed, "the certificate of receiver.invalid:"+u.Port()+" cannot be trusted") // it is localhost's
	require.EqualValues(t, 2, requests.Load())

	_, err = post("https://receiver.invalid:"+u.Port(), "http://"+at)
	requireFailure(t, err, ConnectFailed, "the proxy answered 407, and does not connect to receiver.invalid")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	_, err = post("https://receiver.invalid", "http://user:canary@"+free.Addr().String())
	requireFailure(t, err, ConnectFailed, "the proxy cannot be reached: connection refused")
	require.NotContains(t, err.Error(), "canary")
	for _, to := range []string{"http://169.254.169.254/", "http://localhost:" + p.Port(), "http://10.0.0.1"} {
		_, err = post(to, "http://user:canary@"+at)
		requireFailure(t, err, AddressRefused, "is at the")
	}
	_, err = post(name+p.Port(), "http://169.254.169.254:3128")
	requireFailure(t, err, AddressRefused, "the proxy is at the address 169.254.169.254")
}

// The way to the proxy itself may be secured, by the same authority.
func TestReach_securedProxy(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	at, _ := a.receiver(t, tls.NoClientCert)
	pair, err := tls.LoadX509KeyPair(a.path("receiver.pem"), a.path("receiver-key.pem"))
	require.NoError(t, err)
	through, requests := proxy(t, &tls.Config{Certificates: []tls.Certificate{pair}})
	_, port, err := net.SplitHostPort(through)
	require.NoError(t, err)
	m := Message{Event: sample(), URL: at, Signer: signer(t, secretOf('a')), Reach: Reach{
		Allowed: Allowed{Private: true}, Proxy: "https://user:canary@localhost:" + port, CAFile: a.path("ca.pem"),
	}}
	_, err = New(clock, nil).Post(t.Context(), m)
	require.NoError(t, err)
	require.EqualValues(t, 1, requests.Load())
	m.Reach.CAFile = ""
	_, err = New(clock, nil).Post(t.Context(), m)
	requireFailure(t, err, ConnectFailed, "the certificate of the proxy cannot be trusted")
}

// socks is a SOCKS5 proxy without a password (RFC 1928), in whose resolver every name is this machine.
func socks(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			go relay(here)
		}
	}()
	return l.Addr().String()
}

func relay(here net.Conn) {
	defer here.Close()
	greeting := make([]byte, 2)
	if _, err := io.ReadFull(here, greeting); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, here, int64(greeting[1])) // the methods
	_, _ = here.Write([]byte{5, 0})
	request := make([]byte, 5) // version, CONNECT, reserved, a name, its length
	if _, err := io.ReadFull(here, request); err != nil || request[1] != 1 || request[3] != 3 {
		return
	}
	to := make([]byte, int(request[4])+2)
	if _, err := io.ReadFull(here, to); err != nil {
		return
	}
	port := int(to[len(to)-2])<<8 | int(to[len(to)-1])
	there, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return
	}
	defer there.Close()
	_, _ = here.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() { _, _ = io.Copy(there, here) }()
	_, _ = io.Copy(here, there)
}

func TestReach_socks(t *testing.T) {
	t.Parallel()
	plain := receive(t, fine)
	u, err := url.Parse(plain.URL)
	require.NoError(t, err)
	answer, err := New(clock, nil).Post(t.Context(), Message{
		Event: sample(), URL: "http://receiver.invalid:" + u.Port(), Signer: signer(t, secretOf('a')), Reach: Reach{Proxy: "socks5://" + socks(t)},
	})
	require.NoError(t, err)
	require.Equal(t, "thanks", answer.Head)
	require.Equal(t, "receiver.invalid:"+u.Port(), (<-plain.requests).Host)
}

func TestReach_Check(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	require.NoError(t, Reach{CAFile: a.path("ca.pem"), CertFile: a.path("ca.pem"), KeyFile: a.path("ca-key.pem"), Proxy: "http://p:1"}.Check())
	require.ErrorContains(t, Reach{CAFile: a.path("none.pem")}.Check(), "ca_file cannot be read: no such file")
	require.ErrorContains(t, Reach{CAFile: a.path("ca-key.pem")}.Check(), "ca_file holds no certificate in PEM")
	require.ErrorContains(t, Reach{CertFile: a.path("ca.pem"), KeyFile: a.path("ca.pem")}.Check(), "client_cert cannot be used")
}
