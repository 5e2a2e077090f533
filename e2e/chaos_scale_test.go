package e2e_test

import (
	"flag"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"hookflow/internal/testkit"
	"hookflow/samples"

	"github.com/stretchr/testify/require"
)

var (
	chaosFull = flag.Bool("chaos", false, "run the Chaos tests with the durations and counts of docs/guarantees.md, not small")
	chaosSeed = flag.Uint64("seed", 0, "seed of the Chaos tests; 0 takes one from the clock")
)

// scaled is a count or a duration of a Chaos test: small as part of all tests, large with -chaos.
func scaled[T any](small, large T) T {
	if *chaosFull {
		return large
	}
	return small
}

// duringOutages is the rate at which senders go on posting, in events per second.
func duringOutages() float64 { return scaled(8.0, 20.0) }

// besideOthers is t.Parallel for what loads the whole machine: large, it has the machine for itself, since its figures and
// those of its neighbours would mean nothing otherwise.
func besideOthers(t *testing.T) {
	t.Helper()
	if !*chaosFull {
		t.Parallel()
	}
}

// apart gives an installation, large, a Temporal that no other test uses: what keeps it busy for minutes, or leaves it
// many thousands of runs, would make the listings of others time out.
func (in *installation) apart() *installation {
	in.t.Helper()
	if !*chaosFull {
		return in
	}
	address, c := testkit.OwnTemporal(in.t)
	in = in.with("TEMPORAL_ADDRESS", address).with("TEMPORAL_NAMESPACE", "default")
	in.temporal = c
	return in
}

// chaos is an installation whose senders keep a history. Everything random in it follows from the seed.
type chaos struct {
	*installation
	seed    uint64
	random  *randomness
	history *history
	// doomed are the events that are meant to fail.
	doomed map[string]bool
}

// randomness is a seeded source that goroutines may share.
type randomness struct {
	mu     sync.Mutex
	bytes  *rand.ChaCha8
	values *rand.Rand
}

// Read fills b.
func (r *randomness) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes.Read(b)
}

var _ io.Reader = (*randomness)(nil)

// shuffle orders n things anew.
func (r *randomness) shuffle(n int, swap func(i, j int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values.Shuffle(n, swap)
}

// intN is a number below n.
func (r *randomness) intN(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.values.IntN(n)
}

// unleash begins a Chaos test on an installation, counting effects from now on.
func unleash(t *testing.T, in *installation) *chaos {
	t.Helper()
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to see it again: go test ./e2e -run '^%s$' -seed %d -chaos=%v", t.Name(), seed, *chaosFull)
		}
	})
	bytes := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24), byte(seed >> 32), byte(seed >> 40), byte(seed >> 48), byte(seed >> 56)})
	c := &chaos{installation: in, seed: seed, history: &history{}, doomed: map[string]bool{}, random: &randomness{bytes: bytes, values: rand.New(bytes)}}
	c.countEffects()
	return c
}

// serve starts a server, and looks at the end for secrets in what it said.
func (c *chaos) serve(args ...string) *server {
	c.t.Helper()
	s := c.installation.serve(args...)
	c.t.Cleanup(func() {
		for _, name := range []string{"STRIPE_WEBHOOK_SECRET", "TWILIO_AUTH_TOKEN", "VAPI_WEBHOOK_SECRET", "HOOKFLOW_API_TOKEN"} {
			if said := s.stdout.String() + s.stderr.String(); strings.Contains(said, c.env[name]) {
				c.t.Errorf("hookflow says %s", name)
			}
		}
	})
	return s
}

// checkout is a fresh checkout that follows from the seed.
func (c *chaos) checkout() *delivery { return c.sample("stripe", "checkout.session.completed") }

func (c *chaos) sample(provider, name string) *delivery {
	c.t.Helper()
	r, err := samples.Build(provider, name, samples.Options{Now: time.Now(), Random: c.random})
	require.NoError(c.t, err)
	return c.sign(provider, r)
}

// checkoutsOf makes n fresh ones.
func (c *chaos) checkoutsOf(n int) []*delivery {
	c.t.Helper()
	all := make([]*delivery, n)
	for i := range all {
		all[i] = c.checkout()
	}
	return all
}

// within fails a large test when something took longer than a figure that was promised; small ones are for small and
// busy machines, where no time means anything.
func (c *chaos) within(what string, took, most time.Duration) {
	c.t.Helper()
	c.t.Logf("%s: %s (promised: %s)", what, took.Round(time.Millisecond), most)
	if *chaosFull {
		require.LessOrEqual(c.t, took, most, what)
	}
}
