package providers

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Fetch is how certificates are asked for, and who must have issued them.
type Fetch struct {
	// Client asks; it is copied, with a time-out of fetchTime and without redirects. Nil means one with Go's defaults.
	Client *http.Client
	// Roots are the authorities at the end of a chain. Nil means those of the system.
	Roots *x509.CertPool
}

// What one look for a certificate may cost, and how many may be under way: an unverified sender names the address, even
// if only one on the provider's own host.
const (
	fetchTime       = 2 * time.Second
	fetchBytes      = 64 << 10
	fetchesAtOnce   = 4
	fetchesASecond  = 5
	fetchBurst      = 20
	maxCertificates = 32              // kept; each is one that verified, so a sender cannot fill this
	maxRefusals     = 256             // addresses remembered as useless
	refusalTime     = 1 * time.Minute // for how long
)

// certificates fetches the certificates of a provider's signing keys, verifies and keeps them.
type certificates struct {
	client *http.Client
	roots  *x509.CertPool
	url    *regexp.Regexp // the whole of an allowed address
	name   *regexp.Regexp // a name that the certificate must be issued for
	pace   *rate.Limiter
	room   chan struct{}

	mu       sync.Mutex
	kept     map[string]*certificate
	refused  map[string]time.Time // until when
	underway map[string]*fetching
}

type certificate struct {
	key   *rsa.PublicKey
	until time.Time // its own end; zero for a key that was given
}

// fetching is one look for a certificate, and who waits for it.
type fetching struct {
	done chan struct{}
	key  *rsa.PublicKey
	err  error
}

func newCertificates(f Fetch, url, name *regexp.Regexp) *certificates {
	client := http.Client{}
	if f.Client != nil {
		client = *f.Client
	}
	client.Timeout = fetchTime
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &certificates{
		client: &client, roots: f.Roots, url: url, name: name,
		pace: rate.NewLimiter(fetchesASecond, fetchBurst), room: make(chan struct{}, fetchesAtOnce),
		kept: map[string]*certificate{}, refused: map[string]time.Time{}, underway: map[string]*fetching{},
	}
}

// give makes a key known under an address, which is then never asked for.
func (c *certificates) give(url string, key *rsa.PublicKey) { c.kept[url] = &certificate{key: key} }

// key returns the key behind an address. Errors: CodeSignature (ReasonCertificate) for an address that is not allowed,
// or holds no certificate of the provider's; CodeUnavailable when it could not be asked for within fetchTime.
func (c *certificates) key(url string, now time.Time) (*rsa.PublicKey, error) {
	if !c.url.MatchString(url) {
		return nil, unverified(ReasonCertificate)
	}
	c.mu.Lock()
	if known := c.kept[url]; known != nil && (known.until.IsZero() || now.Before(known.until)) {
		c.mu.Unlock()
		return known.key, nil
	}
	if now.Before(c.refused[url]) {
		c.mu.Unlock()
		return nil, unverified(ReasonCertificate)
	}
	f := c.underway[url]
	if f == nil {
		if !c.pace.AllowN(now, 1) {
			c.mu.Unlock()
			return nil, unavailable()
		}
		f = &fetching{done: make(chan struct{})}
		c.underway[url] = f
		go c.look(f, url, now)
	}
	c.mu.Unlock()
	<-f.done // at most a little over fetchTime
	return f.key, f.err
}

// look fetches and verifies once for everybody who waits.
func (c *certificates) look(f *fetching, url string, now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	leaf, err := c.fetch(ctx, url, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.underway, url)
	defer close(f.done)
	var own *Error
	switch {
	case err == nil:
		f.key = leaf.PublicKey.(*rsa.PublicKey) // fetch has seen to it
		makeRoom(c.kept, maxCertificates, func(k *certificate) bool { return k.until.IsZero() })
		c.kept[url] = &certificate{key: f.key, until: leaf.NotAfter}
	case errors.As(err, &own) && own.Code == CodeSignature:
		makeRoom(c.refused, maxRefusals, func(time.Time) bool { return false })
		c.refused[url] = now.Add(refusalTime)
	}
	f.err = err
}

// makeRoom takes one entry out of a full map, any but those to be kept.
func makeRoom[V any](m map[string]V, most int, keep func(V) bool) {
	if len(m) < most {
		return
	}
	for name, v := range m {
		if !keep(v) {
			delete(m, name)
			return
		}
	}
}

func (c *certificates) fetch(ctx context.Context, url string, now time.Time) (*x509.Certificate, error) {
	select {
	case c.room <- struct{}{}:
		defer func() { <-c.room }()
	case <-ctx.Done():
		return nil, unavailable()
	}
	text, response, err := c.get(ctx, url)
	if err != nil {
		return nil, err
	}
	leaf, chain := readChain(text)
	if leaf == nil || !c.named(leaf) {
		return nil, unverified(ReasonCertificate)
	}
	if _, ok := leaf.PublicKey.(*rsa.PublicKey); !ok {
		return nil, unverified(ReasonCertificate)
	}
	if response.TLS != nil { // the host's own intermediates are often those of the certificate
		for _, peer := range response.TLS.PeerCertificates {
			chain.AddCert(peer)
		}
	}
	return leaf, c.verify(ctx, leaf, chain, now)
}

// get asks for one address. An answer that says no is final for a while; no answer is not.
func (c *certificates) get(ctx context.Context, url string) ([]byte, *http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, unverified(ReasonCertificate)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, nil, unavailable()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, fetchBytes+1))
	switch {
	case response.StatusCode >= http.StatusInternalServerError, response.StatusCode == http.StatusTooManyRequests:
		return nil, nil, unavailable()
	case response.StatusCode != http.StatusOK, len(text) > fetchBytes:
		return nil, nil, unverified(ReasonCertificate)
	case err != nil:
		return nil, nil, unavailable()
	}
	return text, response, nil
}

// readChain returns the first certificate of a PEM text and the others; nil when there is none.
func readChain(text []byte) (leaf *x509.Certificate, others *x509.CertPool) {
	others = x509.NewCertPool()
	for range 8 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, others
		}
		if leaf == nil {
			leaf = parsed
		} else {
			others.AddCert(parsed)
		}
	}
	return leaf, others
}

func (c *certificates) named(leaf *x509.Certificate) bool {
	for _, name := range append([]string{leaf.Subject.CommonName}, leaf.DNSNames...) {
		if c.name.MatchString(name) {
			return true
		}
	}
	return false
}

// issuers are the addresses at which the authorities behind AWS and PayPal publish their own certificates (RFC 5280
// section 4.2.2.1). They are plain HTTP everywhere: what comes from there proves itself by its chain.
var issuers = regexp.MustCompile(`^http://(crt\.[a-z0-9]+\.amazontrust\.com|cacerts\.digicert\.com)/[A-Za-z0-9._-]+$`)

// verify checks the chain. SNS publishes its certificate alone; what it was issued by is then asked for where the
// certificate says, once.
func (c *certificates) verify(ctx context.Context, leaf *x509.Certificate, chain *x509.CertPool, now time.Time) error {
	options := x509.VerifyOptions{
		Roots: c.roots, Intermediates: chain, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	_, err := leaf.Verify(options)
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		for _, url := range leaf.IssuingCertificateURL {
			if !issuers.MatchString(url) {
				continue
			}
			der, _, failed := c.get(ctx, url)
			if failed != nil {
				return failed
			}
			if issuer, bad := x509.ParseCertificate(der); bad == nil {
				chain.AddCert(issuer)
			}
			_, err = leaf.Verify(options)
			break
		}
	}
	if err != nil {
		return unverified(ReasonCertificate)
	}
	return nil
}

// confirm asks for an address once and reports whether the answer was 2xx.
func (c *certificates) confirm(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return errors.New("the address to confirm is none")
	}
	response, err := c.client.Do(request)
	if err != nil {
		return errors.New("the address to confirm could not be reached")
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, fetchBytes))
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the address to confirm answered %d", response.StatusCode)
	}
	return nil
}
