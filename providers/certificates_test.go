package providers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"hash/crc32"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority is a certificate authority of the tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate for a public key; the authority itself when by is nil.
func issue(t testing.TB, by *authority, template x509.Certificate, public any, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = testNow.AddDate(-1, 0, 0), testNow.AddDate(20, 0, 0)
	}
	parent, signer := &template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, public, signer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func newAuthority(t testing.TB, by *authority, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	return &authority{cert: issue(t, by, template, &key.PublicKey, key), key: key}
}

// shop is PayPal as far as certificates go: a server of its own, to which every address leads.
type shop struct {
	root    *authority
	key     *rsa.PrivateKey
	fetch   Fetch
	served  atomic.Int64
	handler atomic.Pointer[http.HandlerFunc]
}

func (s *shop) serve(handler http.HandlerFunc) { s.handler.Store(&handler) }

const shopCert = "https://api.paypal.com/v1/notifications/certs/CERT-1"

func newShop(t testing.TB) *shop {
	t.Helper()
	key, own, err := readPrivateKey[*rsa.PrivateKey](ownKeys()[KeyRSA])
	require.NoError(t, err)
	require.True(t, own)
	s := &shop{root: newAuthority(t, nil, "root"), key: key}
	hostKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	host := issue(t, s.root, x509.Certificate{DNSNames: []string{"api.paypal.com", "sns.us-east-1.amazonaws.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, &hostKey.PublicKey, nil)
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.served.Add(1)
		(*s.handler.Load())(w, r)
	})
	server := httptest.NewUnstartedServer(serve)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{host.Raw}, PrivateKey: hostKey}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	plain := httptest.NewServer(serve)
	t.Cleanup(plain.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.root.cert)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		to := server.Listener.Addr().String()
		if strings.HasSuffix(address, ":80") {
			to = plain.Listener.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}
	s.fetch = Fetch{Roots: roots, Client: &http.Client{Transport: &http.Transport{
		DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: roots},
	}}}
	return s
}

// cert is the certificate of the signing key, issued by an authority for a name.
func (s *shop) cert(t testing.TB, by *authority, name string, change ...func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}}
	for _, c := range change {
		c(&template)
	}
	return issue(t, by, template, &s.key.PublicKey, nil)
}

func encode(certs ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

func answer(text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) }
}

// signed is a request of PayPal's that names the certificate at an address.
func (s *shop) signed(t testing.TB, cert string) (*PayPal, *Request) {
	t.Helper()
	p, err := NewPayPal(PayPalConfig{WebhookIDs: []string{testWebhook}, Fetch: s.fetch})
	require.NoError(t, err)
	return p, s.request(t, cert)
}

func (s *shop) request(t testing.TB, cert string) *Request {
	t.Helper()
	own, err := NewPayPal(PayPalConfig{WebhookIDs: []string{testWebhook, ownKeys()[KeyRSA]}})
	require.NoError(t, err)
	r := &Request{Method: http.MethodPost, Body: []byte(payPalBody)}
	own.Sign(r, testNow)
	r.Header.Set(payPalCert, cert)
	return r
}

const payPalName = "messageverificationcerts.paypal.com"

func TestCertificates_FetchedOnceAndKept(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	middle := newAuthority(t, s.root, "middle")
	s.serve(answer(encode(s.cert(t, middle, payPalName), middle.cert)))
	p, r := s.signed(t, shopCert)
	var all sync.WaitGroup
	for range 20 { // at the same moment
		all.Go(func() { require.NoError(t, p.Verify(r, testNow)) })
	}
	all.Wait()
	require.NoError(t, p.Verify(r, testNow))
	require.EqualValues(t, 1, s.served.Load())
	_, err := p.certs.key(shopCert, testNow.AddDate(30, 0, 0))
	requireRefused(t, ReasonCertificate, err)
	require.EqualValues(t, 2, s.served.Load(), "a certificate at its end is asked for again")
}

func TestCertificates_Refused(t *testing.T) {
	t.Parallel()
	stranger := newAuthority(t, nil, "stranger")
	for name, handler := range map[string]func(s *shop) http.HandlerFunc{
		"another authority": func(s *shop) http.HandlerFunc { return answer(encode(s.cert(t, stranger, payPalName), stranger.cert)) },
		"another name":      func(s *shop) http.HandlerFunc { return answer(encode(s.cert(t, s.root, "paypal.com.evil.example"))) },
		"a name that ends alike": func(s *shop) http.HandlerFunc {
			return answer(encode(s.cert(t, s.root, "evilpaypal.com")))
		},
		"expired": func(s *shop) http.HandlerFunc {
			return answer(encode(s.cert(t, s.root, payPalName, func(c *x509.Certificate) {
				c.NotBefore, c.NotAfter = testNow.AddDate(-2, 0, 0), testNow.Add(-time.Second)
			})))
		},
		"not an RSA key": func(s *shop) http.HandlerFunc {
			return answer(encode(issue(t, s.root, x509.Certificate{DNSNames: []string{payPalName}}, &stranger.key.PublicKey, nil)))
		},
		"no certificate": func(*shop) http.HandlerFunc { return answer([]byte("hello")) },
		"too large": func(s *shop) http.HandlerFunc {
			return answer(append(encode(s.cert(t, s.root, payPalName)), make([]byte, fetchBytes)...))
		},
		"a redirect": func(*shop) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, shopCert+"2", http.StatusFound) }
		},
		"not found": func(*shop) http.HandlerFunc { return http.NotFound },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.serve(handler(s))
			p, r := s.signed(t, shopCert)
			requireRefused(t, ReasonCertificate, p.Verify(r, testNow))
			requireRefused(t, ReasonCertificate, p.Verify(r, testNow.Add(refusalTime-time.Second)))
			require.EqualValues(t, 1, s.served.Load(), "a refusal is remembered, and no redirect is followed")
			_ = p.Verify(r, testNow.Add(refusalTime))
			require.EqualValues(t, 2, s.served.Load(), "but not for long")
		})
	}
}

func requireUnavailable(t testing.TB, err error) {
	t.Helper()
	var typed *Error
	require.ErrorAs(t, err, &typed)
	require.Equal(t, CodeUnavailable, typed.Code)
}

// What cannot be asked for now is no forgery, and is asked for again.
func TestCertificates_Unavailable(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	s.serve(func(http.ResponseWriter, *http.Request) { <-hang })
	p, r := s.signed(t, shopCert)
	requireUnavailable(t, p.Verify(r, testNow)) // although the server never answers
	for _, status := range []int{500, 503, 429} {
		s.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		requireUnavailable(t, p.Verify(r, testNow))
	}
	s.serve(answer(encode(s.cert(t, s.root, payPalName))))
	require.NoError(t, p.Verify(r, testNow))

	s.fetch.Client = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, net.ErrClosed
	}}}
	p, _ = s.signed(t, shopCert)
	requireUnavailable(t, p.Verify(r, testNow))
}

// Whoever names many addresses has few of them asked for, and what is kept stays usable.
func TestCertificates_Pace(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.serve(answer(encode(s.cert(t, s.root, payPalName))))
	p, r := s.signed(t, shopCert)
	require.NoError(t, p.Verify(r, testNow))
	s.serve(http.NotFound)
	for i := range 100 {
		require.Error(t, p.Verify(s.request(t, shopCert+strings.Repeat("x", i+1)), testNow))
	}
	require.EqualValues(t, fetchBurst, s.served.Load())
	require.NoError(t, p.Verify(r, testNow))
	for i := range 1000 {
		c := p.certs
		c.mu.Lock()
		makeRoom(c.refused, maxRefusals, func(time.Time) bool { return false })
		c.refused[strings.Repeat("y", i)] = testNow
		c.mu.Unlock()
	}
	require.LessOrEqual(t, len(p.certs.refused), maxRefusals)
}

// SNS publishes its certificate without the one that issued it.
func TestCertificates_IssuerIsAskedFor(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	middle := newAuthority(t, s.root, "middle")
	issuer := ""
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "crt.r2m01.amazontrust.com" {
			_, _ = w.Write(middle.cert.Raw)
			return
		}
		_, _ = w.Write(encode(s.cert(t, middle, "sns.amazonaws.com", func(c *x509.Certificate) { c.IssuingCertificateURL = []string{issuer} })))
	})
	own := ownCases(t)["sns"]
	body := strings.Replace(string(own.sign(snsBody).Body), snsOwnCert, "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem", 1)
	verify := func() error {
		sns, err := NewSNS(SNSConfig{TopicARNs: []string{testTopic}, Fetch: s.fetch})
		require.NoError(t, err)
		return sns.Verify(&Request{Body: []byte(body)}, testNow)
	}
	issuer = "http://crt.r2m01.amazontrust.com/r2m01.cer"
	require.NoError(t, verify())
	issuer = "http://evil.example/r2m01.cer"
	s.served.Store(0)
	requireRefused(t, ReasonCertificate, verify())
	require.EqualValues(t, 1, s.served.Load(), "addresses of others are not asked for")
}

func TestSNSGreet(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var asked string
	status := http.StatusOK
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Host + r.URL.String()
		w.WriteHeader(status)
	})
	sns, err := NewSNS(SNSConfig{TopicARNs: []string{testTopic, ownKeys()[KeyRSA]}, Fetch: s.fetch})
	require.NoError(t, err)
	read := func(address string) (Delivery, error) {
		r := &Request{Method: http.MethodPost, Body: []byte(`{"Type":"SubscriptionConfirmation","MessageId":"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
			"Token":"t","Message":"You have chosen …","SubscribeURL":"` + address + `"}`)}
		sns.Sign(r, testNow)
		return Source{Name: "sns", Provider: sns}.Read(r, testNow)
	}
	const address = "sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
	d, err := read("https://" + address)
	require.NoError(t, err)
	require.Empty(t, asked, "nothing is asked for by reading")
	require.NoError(t, d.Greeting.Confirm(t.Context()))
	require.Equal(t, address, asked)
	status = http.StatusForbidden
	require.ErrorContains(t, d.Greeting.Confirm(t.Context()), "answered 403")
	for _, foreign := range []string{"http://" + address, "https://evil.example/?Action=ConfirmSubscription", "https://sns.us-east-1.amazonaws.com.evil.example/?Action=ConfirmSubscription",
		"https://sns.us-east-1.amazonaws.com@evil.example/?Action=ConfirmSubscription", "https://sns.us-east-1.amazonaws.com:8443/?Action=ConfirmSubscription",
		"https://sns.us-east-1.amazonaws.com/x?Action=ConfirmSubscription", "https://sns.us-east-1.amazonaws.com/?Action=DeleteTopic", "https://169.254.169.254/?Action=ConfirmSubscription"} {
		_, err := read(foreign)
		requireNoEvent(t, err)
	}
}

// A proof that does not cover the body well is good for one body only.
func TestOneTime(t *testing.T) {
	t.Parallel()
	cases := ownCases(t)
	for name, forge := range map[string]func(*Request) *Request{
		"mailgun": func(r *Request) *Request {
			return &Request{Header: r.Header, Body: []byte(strings.Replace(string(r.Body), `"delivered"`, `"complained"`, 1))}
		},
	} {
		c := cases[name]
		r := c.sign(c.body)
		require.NoError(t, c.signer.Verify(r, testNow))
		require.NoError(t, c.signer.Verify(r, testNow.Add(time.Minute)), "a retry")
		requireRefused(t, ReasonReused, c.signer.Verify(forge(r), testNow.Add(time.Minute)))
	}
	o := newOneTime()
	a, b := []byte("a"), []byte("b")
	require.True(t, o.admit("p", a, testNow, testNow.Add(time.Minute)))
	require.False(t, o.admit("p", b, testNow, testNow.Add(time.Minute)))
	require.True(t, o.admit("p", b, testNow.Add(time.Minute), testNow.Add(2*time.Minute)), "what has ended is forgotten")
	for i := range maxOneTime + 100 {
		require.True(t, o.admit(strings.Repeat("x", i%100)+string(rune(i)), a, testNow, testNow.Add(time.Hour)))
	}
	require.LessOrEqual(t, len(o.bodies), maxOneTime)
	require.Len(t, o.order, maxOneTime)
}

// Four bytes are enough to give another body the CRC-32 of the first.
func TestPayPal_CRCTwin(t *testing.T) {
	t.Parallel()
	c := ownCases(t)["paypal"]
	r := c.sign(payPalBody)
	require.NoError(t, c.signer.Verify(r, testNow))
	twin := *r
	twin.Body = crcTwin([]byte(`{"id":"WH-2","event_type":"PAYMENT.CAPTURE.COMPLETED","x":"`), r.Body)
	requireRefused(t, ReasonReused, c.signer.Verify(&twin, testNow))
	fresh := ownCases(t)["paypal"].signer
	require.NoError(t, fresh.Verify(&twin, testNow), "the twin is signed as well: only the memory tells")
}

// crcTwin appends four bytes to a text so that it has the CRC-32 of another.
func crcTwin(text, other []byte) []byte {
	table := crc32.MakeTable(crc32.IEEE)
	state := ^crc32.ChecksumIEEE(other)
	for range 4 { // backwards through the last four bytes
		for b, v := range table {
			if v>>24 == state>>24 {
				state = (state^v)<<8 | uint32(b)
				break
			}
		}
	}
	state ^= ^crc32.ChecksumIEEE(text)
	return append(text, byte(state), byte(state>>8), byte(state>>16), byte(state>>24))
}
