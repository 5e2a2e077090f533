package e2e_test

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// refused are the outcomes of a request that does not verify: after a hundred a second the 401 becomes a 429.
var refused = []string{"Unauthorized", "Too Many Requests"}

// signatureHeaders hold what proves a request, by provider.
var signatureHeaders = map[string]string{"stripe": "Stripe-Signature", "twilio": "X-Twilio-Signature", "vapi": "X-Signature"}

// genuine is a fresh delivery of each provider.
func (c *chaos) genuine() []*delivery {
	c.t.Helper()
	return []*delivery{c.checkout(), c.sample("twilio", "call.completed"), c.sample("vapi", "status-update")}
}

// Whatever single byte of a genuine request's body or signature is changed, and whatever else is done to the signature,
// the request is refused.
func TestChaosSignaturesChanged(t *testing.T) {
	t.Parallel()
	c := unleash(t, install(t))
	to := at(c.serve())
	var forged []*delivery
	for _, d := range c.genuine() {
		name := signatureHeaders[d.provider]
		signature := d.header.Get(name)
		require.NotEmpty(t, signature)
		forged = append(forged, c.changedBodies(d)...)
		for i := 0; i < len(signature); i += scaled(5, 1) {
			forged = append(forged, d.with(name, signature[:i]+string(signature[i]^1)+signature[i+1:]))
		}
		twice := d.with(name, signature)
		twice.header[name] = []string{signature, signature}
		without := d.with(name, "")
		without.header.Del(name)
		forged = append(forged, twice, without, d.with(name, signature[:len(signature)/2]), d.with(name, signature+signature[:2]),
			d.with(name, strings.Repeat(signature, 300)), d.with(name, " "))
		if d.provider != "vapi" { // whose hexadecimal digits are taken in either case
			forged = append(forged, d.with(name, strings.ToUpper(signature)))
		}
	}
	c.postAll(to, 4, forged, func(to *address, d *delivery) {
		if l := c.once(to, d); l.result == saidOK {
			t.Errorf("%s took %q", d.provider, d.header.Get(signatureHeaders[d.provider]))
		}
	})
	for outcome, n := range tally(c.history.all()) {
		require.Contains(t, append(refused, "Request Header Fields Too Large"), outcome, "%d times", n)
	}
	require.Zero(t, c.rows("true"))
	t.Logf("%d forged requests: %v", len(forged), tally(c.history.all()))
}

// changedBodies are copies of d with one bit of one byte of the body flipped.
func (c *chaos) changedBodies(d *delivery) []*delivery {
	var all []*delivery
	step := scaled(len(d.body)/20, 1)
	for i := 0; i < len(d.body); i += max(step, 1) {
		other := *d
		other.body = []byte(string(d.body[:i]) + string([]byte{d.body[i] ^ 1}) + string(d.body[i+1:]))
		all = append(all, &other)
	}
	return all
}

// with is a copy of d with another header.
func (d *delivery) with(name, value string) *delivery {
	other := *d
	other.header = d.header.Clone()
	other.header.Set(name, value)
	return &other
}

// A request that was listened to and is sent again is the same event within five minutes, and refused afterwards.
func TestChaosReplayAttack(t *testing.T) {
	t.Parallel()
	c := unleash(t, install(t))
	to := at(c.serve())
	all := []*delivery{c.checkout(), c.sample("vapi", "status-update")} // Twilio signs no time
	c.postAll(to, 2, all, c.persist)
	c.postAll(to, 2, all, c.persist)
	c.requireTaken(c.history.all())
	require.Len(t, c.history.keys(saidOK), 2)
	if *chaosFull {
		<-time.After(5*time.Minute + time.Second)
	} else {
		for i, d := range all {
			all[i] = c.signedAgo(d, 5*time.Minute+time.Second)
		}
	}
	mark := c.history.mark()
	c.postAll(to, 2, all, c.persist)
	require.Equal(t, map[string]int{"Unauthorized": 2}, tally(c.history.since(mark)))
	require.Len(t, c.requireSound(), 2)
}

// signedAgo is d as its provider would have signed it some time ago; a negative time is the future.
func (c *chaos) signedAgo(d *delivery, ago time.Duration) *delivery {
	c.t.Helper()
	r := unsigned(d, d.body)
	c.provider(d.provider).Sign(r, time.Now().Add(-ago))
	other := *d
	other.header = r.Header
	return &other
}

// A sender's clock may differ by five minutes, and not by a second more, in both directions. Small, there is room for a
// request that takes seconds.
func TestChaosClocks(t *testing.T) {
	t.Parallel()
	c := unleash(t, install(t))
	to := at(c.serve())
	near, far := scaled(270*time.Second, 299*time.Second), scaled(330*time.Second, 301*time.Second)
	for _, sample := range []string{"stripe checkout.session.completed", "vapi status-update"} {
		provider, name, _ := strings.Cut(sample, " ")
		for _, skew := range []time.Duration{near, -near} {
			early()
			require.Equal(t, saidOK, c.answered(to, c.signedAgo(c.sample(provider, name), skew)).result, "%s %s", provider, skew)
		}
		for _, skew := range []time.Duration{far, -far} {
			early()
			require.Equal(t, "Unauthorized", c.answered(to, c.signedAgo(c.sample(provider, name), skew)).outcome, "%s %s", provider, skew)
		}
	}
	require.Len(t, c.requireSound(), 4)
}

// early waits for the first half of a second, so that signing and arriving fall into one: signatures carry whole seconds.
func early() {
	if into := time.Duration(time.Now().Nanosecond()); into > time.Second/2 {
		<-time.After(time.Second - into)
	}
}

// A secret is rotated without a lost request: both are valid while senders move over, then the old one is not.
func TestChaosSecretRotation(t *testing.T) {
	t.Parallel()
	const variable = "STRIPE_WEBHOOK_SECRET"
	c := unleash(t, install(t))
	fresh := c.with(variable, "whsec_"+rand.Text())
	both := c.with(variable, fresh.env[variable]+","+c.env[variable])
	s := c.serve()
	to := at(s)
	events := scaled(20, 1000)
	moved := &chaos{installation: fresh, seed: c.seed, random: c.random, history: c.history}
	old, renewed := c.checkoutsOf(events), moved.checkoutsOf(events)
	late := c.checkout()

	c.postAll(to, 4, old[:events/2], c.persist)
	s = c.deploy(both, s, to)
	mixed := append(append([]*delivery{}, old[events/2:]...), renewed[:events/2]...)
	c.random.shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	c.postAll(to, 4, mixed, c.persist)
	c.deploy(fresh, s, to)
	c.postAll(to, 4, renewed[events/2:], c.persist)
	c.requireTaken(c.history.all())
	require.Equal(t, http.StatusUnauthorized, c.answered(to, late).status)
	require.Len(t, c.requireSound(), 2*events)
}

// deploy replaces a server by one of another configuration, the new one first.
func (c *chaos) deploy(in *installation, s *server, to *address) *server {
	c.t.Helper()
	next := in.serve()
	to.move(next)
	s.drain()
	return next
}
