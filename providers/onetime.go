package providers

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxOneTime bounds how many uses are remembered: about 3 MiB.
const maxOneTime = 20_000

// oneTime remembers which body came with a proof that does not cover the body, or not well: Mailgun signs a token,
// PayPal a CRC-32. A captured proof may come again with its own body, which is an honest retry and a duplicate by its
// id, but with no other. Only what verified is remembered, and the oldest is forgotten when there are too many; each
// process remembers for itself.
type oneTime struct {
	mu     sync.Mutex
	bodies map[[sha256.Size]byte]use
	order  [][sha256.Size]byte // a ring
	next   int
}

type use struct {
	body  [sha256.Size]byte
	until time.Time
}

func newOneTime() *oneTime { return &oneTime{bodies: map[[sha256.Size]byte]use{}} }

// admit reports whether a proof, good until then, is new, or came with the same body before.
func (o *oneTime) admit(proof string, body []byte, now, until time.Time) bool {
	name, content := sha256.Sum256([]byte(proof)), sha256.Sum256(body)
	o.mu.Lock()
	defer o.mu.Unlock()
	if seen, ok := o.bodies[name]; ok && now.Before(seen.until) {
		return seen.body == content
	} else if ok {
		o.bodies[name] = use{body: content, until: until}
		return true
	}
	if len(o.order) < maxOneTime {
		o.order = append(o.order, name)
	} else {
		delete(o.bodies, o.order[o.next])
		o.order[o.next] = name
		o.next = (o.next + 1) % maxOneTime
	}
	o.bodies[name] = use{body: content, until: until}
	return true
}
