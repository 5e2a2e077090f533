package api

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// MaxConnections is how many connections a listener should hold at a time: with 4 KiB of body room per connection that
// has only promised a body, all of them together leave a fifth of the room free.
const MaxConnections = 4096

// maxHeaders is the most a request line and its headers may take. net/http allows 4,096 bytes more than it is told
// (https://pkg.go.dev/net/http#Server, initialReadLimitSize), so it is told less.
const (
	maxHeaders    = 16 << 10
	netHTTPExtra  = 4096
	headerTime    = 4 * time.Second // slow headers are cut within 5 s
	unreadTime    = 9 * time.Second // for bodies that no handler reads; the webhook route sets its own pace
	answerTime    = 30 * time.Second
	idleTime      = 620 * time.Second // HOOKFLOW_IDLE_TIMEOUT's default, see config
	queryTime     = 8 * time.Second   // below unreadTime: past it net/http takes the client for gone
	acceptTime    = 7 * time.Second   // below the shortest patience of a sender: Vapi gives an assistant-request 7.5 s
	readinessTime = 2 * time.Second
)

// Server is an http.Server that answers what it was sent before it stops. Shutdown alone drops a request that is read
// after it began, and has the kernel reset the connections that wait to be accepted.
type Server struct {
	http.Server
	listener net.Listener
	mu       sync.Mutex
	busy     map[net.Conn]bool // connections with a request on the way, or none yet
	conns    *connections
}

// NewServer returns a Server with every time-out set; gin's own Run sets none.
func NewServer(handler http.Handler, log *slog.Logger) *Server {
	conns := newConnections()
	s := &Server{busy: map[net.Conn]bool{}, conns: conns, Server: http.Server{
		Handler:           conns.handler(handler),
		ConnContext:       withConn,
		MaxHeaderBytes:    maxHeaders - netHTTPExtra,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       unreadTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}
	s.ConnState = s.note
	return s
}

func (s *Server) note(c net.Conn, state http.ConnState) {
	s.conns.note(c, state)
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateNew || state == http.StateActive {
		s.busy[c] = true
	} else {
		delete(s.busy, c)
	}
}

func (s *Server) isBusy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.busy) > 0
}

// ServeOn serves the connections of l, MaxConnections at a time, until Stop or an error. It returns nil after Stop. When places
// run out, a connection that does nothing is closed for each that waits.
func (s *Server) ServeOn(l net.Listener) error {
	s.mu.Lock()
	s.listener = limitListenerOf(l, MaxConnections, s.conns)
	s.mu.Unlock()
	err := s.Serve(s.listener)
	if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// lastRequests is how long a server that has closed its listener waits for the requests of connections that are open.
const lastRequests = 500 * time.Millisecond

// Stop closes the listener, answers what is on its way, and returns when it is answered or ctx has ended.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	l := s.listener
	s.mu.Unlock()
	if l != nil {
		_ = l.Close() // that it was closed before is as good
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(lastRequests); s.isBusy() && time.Now().Before(end); {
		<-tick.C
	}
	return s.Shutdown(ctx)
}

// LimitListener returns l with at most n connections open at a time; further ones wait in the kernel's queue.
// golang.org/x/net/netutil has the same, but its connections hide CloseWrite, without which net/http closes so abruptly
// that senders lose a 413 or 431 that is already on its way. And it closes without those that wait: the kernel resets
// them, though their senders hold them for open. Here Accept goes on after Close with those that waited.
func LimitListener(l net.Listener, n int) net.Listener {
	return limitListenerOf(l, n, newConnections())
}

func limitListenerOf(l net.Listener, n int, conns *connections) net.Listener {
	return &limitListener{
		Listener: l, conns: conns, places: make(chan struct{}, n), closing: make(chan struct{}), waited: make(chan net.Conn, maxWaited),
	}
}

// lookAgain is how often a listener without a place looks for a connection that has come to do nothing.
const lookAgain = 50 * time.Millisecond

// maxWaited bounds the connections that are taken out of the kernel's queue at the end, queueTime the time for it. A queue
// that gives none for queueWait is empty; a deadline that passes before the call would say so of a full one.
const (
	maxWaited = 1024
	queueTime = 500 * time.Millisecond
	queueWait = 25 * time.Millisecond
)

type limitListener struct {
	net.Listener
	conns   *connections
	places  chan struct{}
	closing chan struct{}
	waited  chan net.Conn // closed when the queue is empty
	once    sync.Once
	err     error
}

func (l *limitListener) Accept() (net.Conn, error) {
	if !l.takePlace() {
		return l.acceptWaited()
	}
	c, err := l.Listener.Accept()
	if err == nil {
		return &limitedConn{Conn: c, conns: l.conns, leave: sync.OnceFunc(func() { <-l.places })}, nil
	}
	<-l.places
	select {
	case <-l.closing:
		return l.acceptWaited()
	default:
		return nil, err
	}
}

// takePlace returns false once the listener is closing.
func (l *limitListener) takePlace() bool {
	select {
	case l.places <- struct{}{}:
		return true
	case <-l.closing:
		return false
	default:
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		l.conns.makePlace()
		select {
		case l.places <- struct{}{}:
			return true
		case <-l.closing:
			return false
		case <-tick.C:
		}
	}
}

// acceptWaited returns the connections that waited when the listener closed, beyond the limit: there are no others.
func (l *limitListener) acceptWaited() (net.Conn, error) {
	c, ok := <-l.waited
	if !ok {
		return nil, net.ErrClosed
	}
	return &limitedConn{Conn: c, conns: l.conns, leave: func() {}}, nil
}

// Close takes what waits out of the kernel's queue, then closes.
func (l *limitListener) Close() error {
	l.once.Do(func() {
		close(l.closing)
		l.emptyQueue()
		l.err = l.Listener.Close()
		close(l.waited)
	})
	return l.err
}

func (l *limitListener) emptyQueue() {
	timed, ok := l.Listener.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return
	}
	for end := time.Now().Add(queueTime); time.Now().Before(end) && len(l.waited) < maxWaited; {
		if timed.SetDeadline(time.Now().Add(queueWait)) != nil {
			return
		}
		c, err := l.Listener.Accept()
		if err != nil {
			return
		}
		l.waited <- c
	}
}

type limitedConn struct {
	net.Conn
	leave func()

	// What connections keeps of it, under their mu.
	conns *connections
	in    *list.List
	at    *list.Element
	since time.Time
	head  int64
}

func (c *limitedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.conns.read(c, n)
	}
	return n, err
}

func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite ends our side and leaves the sender's open, so that it can still read the answer.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// The two refusals that net/http writes as server errors before any handler runs: an unknown Transfer-Encoding and a
// version such as HTTP/9.9. Both are the sender's doing, and a 5xx of ours must mean that we failed. The line ends are
// part of the match: no answer of a handler can hold them.
var (
	refusedCoding  = []byte("HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain")
	refusedVersion = []byte("HTTP/1.1 505 HTTP Version Not Supported: unsupported protocol version\r\n")
	statusLine400  = []byte("HTTP/1.1 400 Bad Request")
)

func (c *limitedConn) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(p, refusedCoding) && !bytes.HasPrefix(p, refusedVersion) {
		return c.Conn.Write(p)
	}
	rest := p[bytes.IndexByte(p, '\r'):]
	if _, err := c.Conn.Write(append(bytes.Clone(statusLine400), rest...)); err != nil {
		return 0, err
	}
	return len(p), nil
}
