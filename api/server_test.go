package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestServerSetsEveryTimeOut(t *testing.T) {
	t.Parallel()
	s := NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	require.Less(t, s.ReadHeaderTimeout, 5*time.Second)
	require.Positive(t, s.ReadHeaderTimeout)
	require.Positive(t, s.ReadTimeout)
	require.Positive(t, s.WriteTimeout)
	require.Positive(t, s.IdleTimeout)
	require.Less(t, queryTime, s.ReadTimeout, "net/http takes a client for gone once its read deadline passes")
	require.Greater(t, s.WriteTimeout, acceptTime)
}

func TestHeadersAreLimitedTo16KiB(t *testing.T) {
	t.Parallel()
	addr := listen(t, newDoor(t).Both())
	for total, status := range map[int]int{16<<10 - 64: 200, 16<<10 + 64: 431, 1 << 20: 431} {
		start, end := "GET /livez HTTP/1.1\r\nHost: x\r\nX-Pad: ", "\r\n\r\n"
		c := dial(t, addr)
		_, _ = io.WriteString(c, start+strings.Repeat("p", total-len(start)-len(end))+end)
		w, _ := readAnswer(t, c)
		require.Equal(t, status, w.StatusCode, "%d bytes of headers", total)
	}
}

func TestSlowHeadersAreCut(t *testing.T) {
	t.Parallel()
	addr := listen(t, newDoor(t).Webhooks(), func(s *http.Server) { s.ReadHeaderTimeout = 50 * time.Millisecond })
	for _, start := range []string{"", "POST /web", "POST /webhooks/acme HTTP/1.1\r\nHost: x\r\nX-A: b\r\n"} {
		c := dial(t, addr)
		_, err := io.WriteString(c, start)
		require.NoError(t, err)
		said, err := io.ReadAll(c)
		require.NoError(t, err, "closed")
		if len(said) > 0 { // half a request line is malformed to net/http, half a head is not
			require.True(t, strings.HasPrefix(string(said), "HTTP/1.1 400 "), "%q: %s", start, said)
		}
	}
}

func TestLimitListenerHoldsConnectionsBack(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := LimitListener(inner, 1)
	accepted := make(chan net.Conn)
	failed := make(chan error)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				failed <- err
				return
			}
			accepted <- c
		}
	}()
	dial(t, inner.Addr().String())
	dial(t, inner.Addr().String())
	first := <-accepted
	require.Len(t, l.(*limitListener).places, 1)
	require.NoError(t, first.Close())
	require.Error(t, first.Close(), "closing twice gives back one place")
	second := <-accepted
	require.Len(t, l.(*limitListener).places, 1)
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-failed, net.ErrClosed)
	require.NoError(t, second.Close())
	require.Empty(t, l.(*limitListener).places)
}

// A connection that the kernel has taken and the server has not is its sender's open connection: it is served, not reset.
func TestConnectionsInTheQueueAreServedAtTheEnd(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	begun, leave := make(chan struct{}, 10), make(chan struct{})
	s := NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begun <- struct{}{}
		<-leave
		_, _ = io.WriteString(w, "served")
	}), slog.New(slog.DiscardHandler))
	ended := make(chan error)
	s.listener = LimitListener(inner, 1)
	go func() { ended <- s.Serve(s.listener) }()
	var conns []*net.TCPConn
	for range 6 {
		c := dial(t, inner.Addr().String())
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		conns = append(conns, c)
	}
	<-begun
	stopped := make(chan error)
	go func() { stopped <- s.Stop(t.Context()) }()
	require.ErrorIs(t, <-ended, net.ErrClosed)
	close(leave)
	for _, c := range conns {
		w, body := readAnswer(t, c)
		require.Equal(t, "200 served", fmt.Sprint(w.StatusCode, " ", string(body)))
	}
	require.NoError(t, <-stopped)
	_, err = net.Dial("tcp", inner.Addr().String())
	require.Error(t, err, "nobody else")
}

func TestLimitListenerPassesErrorsOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	l := LimitListener(failingListener{broken}, 1)
	for range 3 {
		_, err := l.Accept()
		require.ErrorIs(t, err, broken)
	}
}

type failingListener struct{ err error }

func (l failingListener) Accept() (net.Conn, error) { return nil, l.err }
func (l failingListener) Close() error              { return nil }
func (l failingListener) Addr() net.Addr            { return nil }

// net/http answers some of what it cannot read before any handler runs, two of them with a server error.
func TestMalformedRequestsAreTheSendersFault(t *testing.T) {
	t.Parallel()
	addr := listen(t, newDoor(t).Webhooks())
	for name, text := range map[string]string{
		"coding":    head("Transfer-Encoding: gzip\r\n"),
		"codings":   head("Transfer-Encoding: gzip, chunked\r\n"),
		"version":   "POST /webhooks/acme HTTP/3.0\r\nHost: x\r\n\r\n",
		"no host":   "POST /webhooks/acme HTTP/1.1\r\n\r\n",
		"no sense":  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"bad field": head("X Y: z\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, addr)
			_, err := io.WriteString(c, text)
			require.NoError(t, err)
			w, _ := readAnswer(t, c)
			require.Equal(t, 400, w.StatusCode)
			require.Contains(t, w.Status, "400 Bad Request")
		})
	}
}

func TestRewritingLeavesAnswersAlone(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	c := &limitedConn{Conn: here, leave: func() {}}
	for _, text := range []string{"HTTP/1.1 200 OK\r\n", "HTTP/1.1 501 Not Implemented", "", "\r"} {
		go func() {
			n, err := c.Write([]byte(text))
			if err == nil && n == len(text) {
				_ = here.SetWriteDeadline(time.Time{})
			}
			_, _ = here.Write([]byte{0})
		}()
		got := make([]byte, 0, 64)
		for b := make([]byte, 64); ; {
			n, err := there.Read(b)
			require.NoError(t, err)
			if b[max(n-1, 0)] == 0 && n > 0 {
				break
			}
			got = append(got, b[:n]...)
		}
		require.Equal(t, text, string(got))
	}
	require.NoError(t, c.CloseWrite(), "a connection without halves has nothing to close")
	require.NoError(t, c.Close())
	_, err := c.Write([]byte("HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain"))
	require.Error(t, err)
}

func TestRoutesOfEachListener(t *testing.T) {
	t.Parallel()
	scrape := func(o *Options) {
		o.Scrape = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "scraped") })
	}
	d := newDoor(t, scrape)
	for target, want := range map[string][3]int{ // on the webhook listener, on the ops listener, on both
		"POST /webhooks/acme": {401, 404, 401},
		"GET /webhooks/acme":  {405, 404, 405},
		"HEAD /webhooks/acme": {405, 404, 405},
		"GET /metrics":        {404, 200, 200},
		"GET /v1/events":      {404, 401, 401},
		"GET /v1/events/a:b":  {404, 401, 401},
		"POST /v1/events":     {404, 405, 405},
		"GET /livez":          {200, 200, 200},
		"HEAD /livez":         {200, 200, 200},
		"POST /livez":         {405, 405, 405},
		"GET /readyz":         {503, 503, 503},
		"GET /livez/":         {404, 404, 404},
		"GET /":               {404, 404, 404},
		"GET //livez":         {404, 404, 404},
		"GET /debug/pprof":    {404, 404, 404},
	} {
		method, path, _ := strings.Cut(target, " ")
		for i, h := range []http.Handler{d.Webhooks(), d.Ops(), d.Both()} {
			r, err := http.NewRequest(method, path, nil)
			require.NoError(t, err)
			r.RequestURI = path
			r.Body = http.NoBody
			r.Header.Set("Content-Type", "application/json")
			w := serve(h, r)
			require.Equal(t, want[i], w.Code, "%s on listener %d", target, i)
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			require.Empty(t, w.Header().Get("Location"), "never a redirect")
		}
	}
	require.Equal(t, 404, serve(newDoor(t).Ops(), mustGet(t, "/metrics")).Code, "without a scrape handler there is no such path")
}

func mustGet(t *testing.T, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", path, nil)
	require.NoError(t, err)
	return r
}

// A process that is about to stop says so, and takes what comes all the same.
func TestLeavingIsAnnounced(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.Ready = func(context.Context) Readiness {
		return Readiness{Places: []Place{{Name: "postgres", Reachable: true}}}
	}
	require.Equal(t, 200, serve(d.Webhooks(), httptest.NewRequest("GET", "/readyz", nil)).Code)
	d.Leave()
	got := serve(d.Webhooks(), httptest.NewRequest("GET", "/readyz", nil))
	require.Equal(t, 503, got.Code)
	require.Contains(t, got.Body.String(), "draining")
	require.Equal(t, 200, serve(d.Webhooks(), httptest.NewRequest("GET", "/livez", nil)).Code)
	got = serve(d.Webhooks(), signed("/webhooks/acme", goodBody))
	require.Equal(t, 200, got.Code)
	require.Equal(t, "close", got.Header().Get("Connection"))
}
