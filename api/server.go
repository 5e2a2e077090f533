package api

import (
	"bytes"
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
	idleTime      = 30 * time.Second
	queryTime     = 8 * time.Second // below unreadTime: past it net/http takes the client for gone
	acceptTime    = 7 * time.Second // below the shortest patience of a sender: Vapi gives an assistant-request 7.5 s
	readinessTime = 2 * time.Second
)

// NewServer returns an http.Server with every time-out set; gin's own Run sets none. Serve it on a LimitListener.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		MaxHeaderBytes:    maxHeaders - netHTTPExtra,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       unreadTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// LimitListener returns l with at most n connections open at a time; further ones wait in the kernel's queue.
// golang.org/x/net/netutil has the same, but its connections hide CloseWrite, without which net/http closes so abruptly
// that senders lose a 413 or 431 that is already on its way.
func LimitListener(l net.Listener, n int) net.Listener {
	return &limitListener{Listener: l, places: make(chan struct{}, n), closed: make(chan struct{})}
}

type limitListener struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &limitedConn{Conn: c, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	leave func()
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
