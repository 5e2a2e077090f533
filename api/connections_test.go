package api

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serveWith starts a server with so many places, and returns its address.
func serveWith(t *testing.T, places int, headRoom int64) (*Server, string) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }), slog.New(slog.DiscardHandler))
	s.conns.room = headRoom
	s.listener = limitListenerOf(inner, places, s.conns)
	go func() { _ = s.Serve(s.listener) }()
	t.Cleanup(func() { _ = s.Close() })
	return s, inner.Addr().String()
}

// getOver sends a request over a connection and requires that it is served.
func getOver(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, "served", string(body))
}

// Whoever holds connections open without a request on them shuts the door to nobody: the longest idle gives way.
func TestIdleConnectionsGiveWay(t *testing.T) {
	t.Parallel()
	const places = 4
	s, address := serveWith(t, places, headRoom)
	var held []net.Conn
	for range 12 {
		c := dial(t, address)
		getOver(t, c)
		held = append(held, c)
		require.Eventually(t, func() bool { // an answer arrives before its connection counts as idle
			s.conns.mu.Lock()
			defer s.conns.mu.Unlock()
			return s.conns.idle.Len() == min(len(held), places-1) // one place is kept for who comes
		}, time.Minute, time.Millisecond)
	}
	getOver(t, held[11])
	_, err := held[0].Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "the longest idle was closed")
}

// Heads that do not end give way to a request that waits, long before their time is over.
func TestUnfinishedHeadsGiveWay(t *testing.T) {
	t.Parallel()
	_, address := serveWith(t, 3, headRoom)
	var slow []net.Conn
	for range 3 {
		c := dial(t, address)
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
		require.NoError(t, err)
		slow = append(slow, c)
	}
	getOver(t, dial(t, address))
	_, err := io.ReadAll(slow[0])
	require.NoError(t, err, "closed, or told that it was too slow")
}

// The heads that are not read whole hold a bounded number of bytes, whatever their number.
func TestUnfinishedHeadsAreBounded(t *testing.T) {
	t.Parallel()
	s, address := serveWith(t, 100, 64<<10)
	for range 20 {
		c := dial(t, address)
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 8<<10))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		return s.conns.head.Len() > 0 && s.conns.head.Len() <= 8 && s.conns.held <= 64<<10
	}, time.Minute, time.Millisecond)
	getOver(t, dial(t, address))
	require.Eventually(t, func() bool {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		return s.conns.idle.Len() == 1
	}, time.Minute, time.Millisecond)
}
