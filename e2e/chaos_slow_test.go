package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// siege is connections that misbehave until the server cuts them.
type siege struct {
	cut     sync.WaitGroup
	mu      sync.Mutex
	longest time.Duration
	none    int // that could not be opened
}

// besiege opens n connections and gives each to misbehave, which writes until that fails.
func (s *server) besiege(n int, misbehave func(conn net.Conn, i int)) *siege {
	b := &siege{}
	for i := range n {
		b.cut.Go(func() {
			began := time.Now()
			conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.webhooks, "http://"), 10*time.Second)
			if err != nil {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.none++
				return
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(began.Add(time.Minute))
			go misbehave(conn, i)
			_, _ = io.Copy(io.Discard, conn) // ends when the server closes
			b.mu.Lock()
			defer b.mu.Unlock()
			b.longest = max(b.longest, time.Since(began))
		})
	}
	return b
}

// drip writes text a byte at a time until the connection is gone.
func drip(conn net.Conn, text string, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := 0; ; i++ {
		if _, err := conn.Write([]byte{text[i%len(text)]}); err != nil {
			return
		}
		<-tick.C
	}
}

// endless writes a chunked body for as long as somebody reads.
func endless(conn net.Conn) {
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 64<<10, strings.Repeat("x", 64<<10))
	for {
		if _, err := io.WriteString(conn, chunk); err != nil {
			return
		}
	}
}

const posting = "POST /webhooks/vapi HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

// greedy are the ways to ask for memory without having proved anything: a body without end, one that is promised and does
// not come, one that comes a byte at a time, a large one that is forged, and one that would grow if it were unpacked.
var greedy = []func(conn net.Conn){
	func(conn net.Conn) {
		_, _ = io.WriteString(conn, posting+"Transfer-Encoding: chunked\r\n\r\n")
		endless(conn)
	},
	func(conn net.Conn) { _, _ = io.WriteString(conn, posting+"Content-Length: 9000000\r\n\r\n{") },
	func(conn net.Conn) {
		_, _ = io.WriteString(conn, posting+"Content-Length: 9000000\r\n\r\n")
		drip(conn, "{ ", time.Second)
	},
	func(conn net.Conn) {
		const size = 9_000_000
		_, _ = fmt.Fprintf(conn, "%sX-Signature: 00\r\nX-Timestamp: 1\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", posting, size, strings.Repeat(" ", size))
	},
	func(conn net.Conn) {
		_, _ = io.WriteString(conn, posting+"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
		endless(conn)
	},
}

// warmUp has a server handle some events, so that what it needs for its work is not taken for the cost of abuse.
func (c *chaos) warmUp(to *address) {
	c.t.Helper()
	c.postAll(to, 4, c.checkoutsOf(scaled(10, 200)), c.persist)
	c.settled()
}

// Bodies without end, bodies shorter than they promise, bodies a byte at a time and forged ones are cut or refused, beside
// a crowd of connections that never get as far as a body. All of it together costs no more memory than was promised, and
// senders beside it are served or asked to come again.
func TestChaosBodiesWithoutEnd(t *testing.T) {
	besideOthers(t)
	c := unleash(t, install(t))
	s := c.serve()
	to := at(s)
	c.warmUp(to)
	grown := s.growth()
	idle := s.besiege(scaled(100, 2000), func(conn net.Conn, _ int) { drip(conn, posting, time.Second) })
	b := s.besiege(scaled(60, 600), func(conn net.Conn, i int) { greedy[i%len(greedy)](conn) })
	during := c.honestly(to, b)
	for _, l := range during {
		switch {
		case l.status == http.StatusServiceUnavailable:
			require.NotEmpty(t, l.header.Get("Retry-After"))
		case l.status == 0:
			require.False(t, *chaosFull, "%v", l.err)
		default:
			require.Contains(t, []string{"200 accepted", "200 duplicate"}, l.outcome) // of one that came again, either
		}
	}
	t.Logf("honest senders meanwhile: %v, p99 %s", tally(during), quantile(during, 0.99))
	c.within("longest that a body without end was read", b.longest, 15*time.Second)
	idle.cut.Wait()
	require.Zero(t, b.none+idle.none)
	c.requireBounded(grown())
	c.requireSound()
}

// Connections that send their headers a byte at a time are cut, and hold up nobody.
func TestChaosSlowHeaders(t *testing.T) {
	besideOthers(t)
	c := unleash(t, install(t))
	s := c.serve()
	to := at(s)
	c.warmUp(to)
	grown := s.growth()
	b := s.besiege(scaled(100, 2000), func(conn net.Conn, _ int) { drip(conn, posting, time.Second) })
	during := c.honestly(to, b)
	c.requireTaken(during)
	c.within("p99 of honest senders meanwhile", quantile(during, 0.99), 250*time.Millisecond)
	c.within("longest that headers were read", b.longest, 6*time.Second)
	require.Zero(t, b.none)
	c.requireBounded(grown())
	c.requireSound()
}

// honestly posts real events while a siege lasts, and returns how that went.
func (c *chaos) honestly(to *address, b *siege) []line {
	c.t.Helper()
	ctx, over := context.WithCancel(c.t.Context())
	go func() {
		b.cut.Wait()
		over()
	}()
	mark := c.history.mark()
	c.postUntil(ctx, duringOutages(), to, c.persist)
	return c.history.since(mark)
}
