package api

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// headRoom bounds the bytes of unfinished heads that are held at a time: what senders cost who have sent no request yet. A
// usual head has 1 or 2 KiB.
const headRoom = 16 << 20

// headPatience is how old an unfinished head is before its connection gives way to one that waits.
const headPatience = time.Second

// connections are those of a listener. When places run out, one that does nothing is closed, the longest idle first: whoever
// only holds connections open shuts the door to nobody.
type connections struct {
	mu   sync.Mutex
	idle *list.List // of *limitedConn, the longest idle first
	head *list.List // whose head is not read whole, the oldest first
	held int64      // bytes of those heads
	room int64      // the most that they may hold
}

func newConnections() *connections {
	return &connections{idle: list.New(), head: list.New(), room: headRoom}
}

// connKey is the context key of a request's connection.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// handler tells when the head of a request has been read whole.
func (cs *connections) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*limitedConn); ok {
			cs.move(c, nil)
		}
		next.ServeHTTP(w, r)
	})
}

// note follows the states of net/http: StateActive begins with the first byte of a head.
func (cs *connections) note(conn net.Conn, state http.ConnState) {
	c, ok := conn.(*limitedConn)
	if !ok {
		return
	}
	switch state {
	case http.StateNew, http.StateActive:
		cs.move(c, cs.head)
	case http.StateIdle:
		cs.move(c, cs.idle)
	default:
		cs.move(c, nil)
	}
}

// move puts a connection at the end of a list, nil for neither.
func (cs *connections) move(c *limitedConn, to *list.List) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.in == to && to == cs.head {
		return // its first byte: its head is as old as before
	}
	if c.in != nil {
		c.in.Remove(c.at)
	}
	if to != cs.head { // else the bytes that came while it was idle are the beginning of the head
		cs.held -= c.head
		c.head = 0
	}
	c.in, c.since = to, time.Now()
	if to != nil {
		c.at = to.PushBack(c)
	}
}

// read counts n bytes that came, where they are of a head.
func (cs *connections) read(c *limitedConn, n int) {
	cs.mu.Lock()
	if c.in != cs.head && c.in != cs.idle {
		cs.mu.Unlock()
		return
	}
	c.head += int64(n)
	cs.held += int64(n)
	var oldest *limitedConn
	if cs.held > cs.room {
		oldest = cs.first(cs.head, 0)
	}
	cs.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close()
	}
}

// makePlace closes a connection that does nothing, and reports whether there was one.
func (cs *connections) makePlace() bool {
	cs.mu.Lock()
	c := cs.first(cs.idle, 0)
	if c == nil {
		c = cs.first(cs.head, headPatience)
	}
	cs.mu.Unlock()
	if c == nil {
		return false
	}
	_ = c.Close()
	return true
}

// first takes the first connection out of a list, if it is so old. The caller holds mu.
func (cs *connections) first(of *list.List, age time.Duration) *limitedConn {
	at := of.Front()
	if at == nil {
		return nil
	}
	c := at.Value.(*limitedConn)
	if time.Since(c.since) < age {
		return nil
	}
	of.Remove(at)
	cs.held -= c.head
	c.in, c.head = nil, 0
	return c
}
