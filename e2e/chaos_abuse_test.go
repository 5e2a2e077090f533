package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hookflow/providers"

	"github.com/stretchr/testify/require"
)

// mostGrowth is what all the abuse of senders may cost, in MiB.
const mostGrowth = 64

// growth watches the memory of a server until stopped, and returns by how much it grew at most.
func (s *server) growth() (stop func() int) {
	s.t.Helper()
	before := s.residentMiB(s.t)
	ctx, cancel := context.WithCancel(s.t.Context())
	most := make(chan int, 1)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		peak := before
		for {
			select {
			case <-ctx.Done():
				most <- peak - before
				return
			case <-tick.C:
				peak = max(peak, s.residentMiB(s.t))
			}
		}
	}()
	return func() int {
		cancel()
		return <-most
	}
}

// requireBounded checks growth, where the race detector's own memory does not hide it.
func (c *chaos) requireBounded(grown int) {
	c.t.Helper()
	c.t.Logf("memory: +%d MiB (promised: %d)", grown, mostGrowth)
	if !raceDetector {
		require.LessOrEqual(c.t, grown, mostGrowth)
	}
}

// say writes text to a fresh connection, ends our side, and returns the statuses of what came back.
func (s *server) say(text []byte) []int {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.webhooks, "http://"))
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = conn.Write(text) // a server that had read enough may have closed
	_ = conn.(*net.TCPConn).CloseWrite()
	var statuses []int
	answers := bufio.NewReader(conn)
	for {
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		statuses = append(statuses, answer.StatusCode)
	}
}

// raw is a delivery as bytes.
func (d *delivery) raw() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n", d.path, len(d.body))
	_ = d.header.Write(&b)
	b.WriteString("\r\n")
	b.Write(d.body)
	return b.Bytes()
}

// mangled is a request with some bytes changed, cut out, doubled or put in.
func (c *chaos) mangled(whole []byte) []byte {
	b := bytes.Clone(whole)
	for range 1 + c.random.intN(3) {
		from := c.random.intN(len(b))
		to := min(from+1+c.random.intN(30), len(b))
		switch c.random.intN(4) {
		case 0:
			b[from] = byte(c.random.intN(256))
		case 1:
			b = append(b[:from:from], b[to:]...)
		case 2:
			b = append(b[:to:to], b[from:]...)
		case 3:
			junk := make([]byte, c.random.intN(40))
			_, _ = c.random.Read(junk)
			b = append(append(b[:from:from], junk...), b[from:]...)
		}
		if len(b) == 0 {
			return whole
		}
	}
	return b
}

// nasty are bodies that are signed as they should be, and still not to be trusted.
func (c *chaos) nasty() []*delivery {
	c.t.Helper()
	model := c.checkout()
	var all []*delivery
	for _, body := range []string{
		strings.Repeat("[", 10_000), strings.Repeat(`{"a":`, 10_000), `{"id":"evt_\ud800","object":"event","type":"x"}`,
		"{\"id\":\"evt_\xff\",\"type\":\"x\"}", `{"id":"evt_1","id":"evt_2","type":"x","object":"event"}`, "", "null", "[]", `"x"`, "{}",
		`{"id":1e999,"type":"x"}`, `{"id":"` + strings.Repeat("x", 5000) + `","object":"event","type":"x"}`, "\x1f\x8b\x08\x00",
		`{"id":"evt_\u0000","object":"event","type":"x"}`, `{"id":"evt_x","object":"event","type":["x"],"data":7}`,
	} {
		r := &providers.Request{Method: http.MethodPost, URL: publicURL + model.path, Body: []byte(body), Header: http.Header{"Content-Type": {"application/json"}}}
		c.provider("stripe").Sign(r, time.Now())
		all = append(all, &delivery{provider: "stripe", path: model.path, header: r.Header, body: r.Body})
	}
	return all
}

// Nothing that a sender writes makes the server fail, grow or stop.
func TestChaosMalformed(t *testing.T) {
	besideOthers(t)
	c := unleash(t, install(t))
	s := c.serve()
	grown := s.growth()
	var texts [][]byte
	for _, d := range c.nasty() {
		texts = append(texts, d.raw())
	}
	for range scaled(40, 3300) {
		for _, d := range c.genuine() {
			texts = append(texts, c.mangled(d.raw()))
		}
	}
	statuses := c.sayAll(s, texts)
	t.Logf("%d malformed requests: %v", len(texts), statuses)
	for status := range statuses {
		require.Less(t, status, 500, "seed %d", c.seed)
	}
	require.NotZero(t, statuses[http.StatusBadRequest])
	require.NotZero(t, statuses[http.StatusUnauthorized])
	require.Zero(t, s.labelled("hookflow_panics_total", ""))
	c.requireBounded(grown())
	require.Equal(t, saidOK, c.answered(at(s), c.checkout()).result)
}

// sayAll says texts side by side and counts the statuses of the answers.
func (c *chaos) sayAll(s *server, texts [][]byte) map[int]int {
	todo := make(chan []byte, len(texts))
	for _, text := range texts {
		todo <- text
	}
	close(todo)
	var mu sync.Mutex
	statuses := map[int]int{}
	var saying sync.WaitGroup
	for range 8 {
		saying.Go(func() {
			for text := range todo {
				answers := s.say(text)
				mu.Lock()
				for _, status := range answers {
					statuses[status]++
				}
				mu.Unlock()
			}
		})
	}
	saying.Wait()
	return statuses
}
