package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// loadOrder says what the load generator does: for a time, or a number of events.
type loadOrder struct {
	Address     string
	Connections int
	Prefix      string
	Warm        time.Duration
	Window      time.Duration
	Count       int64 // instead of Window; all answers count then
	NetHTTP     bool  // with net/http's client, as most load generators are
}

// loadResult is what it saw. Only answers 200 with the outcome accepted count; all else is in Errors.
type loadResult struct {
	Acknowledged int
	Errors       map[string]int
	Began, Ended time.Time
	PerSecond    float64
	P50, P99     time.Duration
}

// patience is the longest a connection waits for an answer.
const patience = 20 * time.Second

// sender sends one request after another and reads each answer to the end.
type sender interface {
	// exchange returns "" for a 200 that says accepted, else what came instead.
	exchange(c *cast, n int64, now time.Time) (wrong string)
	// usable reports whether another exchange may follow.
	usable() bool
	close()
}

// generator is one run of the load: connections that each send one event after another.
type generator struct {
	order    loadOrder
	serial   atomic.Int64
	from, to time.Time // what counts, by the end of the answer
	mu       sync.Mutex
	errors   map[string]int
	took     []time.Duration
}

// generate is the helper process "load". It speaks HTTP/1.1 by hand: a general client costs more than the server that is
// measured, and both share the cores.
func generate(ctx context.Context, order loadOrder, _ io.Writer) (loadResult, error) {
	g := &generator{order: order, errors: map[string]int{}}
	began := time.Now()
	g.from, g.to = began, began.Add(10*time.Minute)
	if order.Count == 0 {
		g.from = began.Add(order.Warm)
		g.to = g.from.Add(order.Window)
	}
	var sending sync.WaitGroup
	for range order.Connections {
		c, err := newCast(order.Prefix)
		if err != nil {
			return loadResult{}, err
		}
		sending.Go(func() { g.send(ctx, c) })
	}
	sending.Wait()
	return g.result(began, time.Now()), ctx.Err()
}

func (g *generator) result(began, ended time.Time) loadResult {
	r := loadResult{Acknowledged: len(g.took), Errors: g.errors, Began: began, Ended: ended}
	window := g.order.Window
	if g.order.Count > 0 {
		window = ended.Sub(began)
	}
	r.PerSecond = float64(len(g.took)) / window.Seconds()
	slices.Sort(g.took)
	r.P50, r.P99 = quantile(g.took, 0.50), quantile(g.took, 0.99)
	return r
}

// quantile of sorted values; 0 without any.
func quantile[T cmp.Ordered](sorted []T, q float64) (v T) {
	if len(sorted) == 0 {
		return v
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// send keeps one connection busy until the time or the events are over.
func (g *generator) send(ctx context.Context, c *cast) {
	var took []time.Duration
	failed := map[string]int{}
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.took = append(g.took, took...)
		for what, n := range failed {
			g.errors[what] += n
		}
	}()
	var at sender
	for ctx.Err() == nil {
		n := g.serial.Add(1)
		began := time.Now()
		if g.order.Count > 0 && n > g.order.Count || !began.Before(g.to) {
			break
		}
		if at == nil {
			var err error
			if at, err = g.connect(ctx); err != nil {
				failed["connection refused"]++
				return
			}
		}
		wrong := at.exchange(c, n, began)
		ended := time.Now()
		switch {
		case ended.Before(g.from) || ended.After(g.to):
		case wrong == "":
			took = append(took, ended.Sub(began))
		default:
			failed[wrong]++
		}
		if !at.usable() {
			at.close()
			at = nil
		}
	}
	if at != nil {
		at.close()
	}
}

func (g *generator) connect(ctx context.Context) (sender, error) {
	if g.order.NetHTTP {
		return newHeavy(g.order.Address), nil
	}
	return dial(ctx, g.order.Address)
}

// wire is a keep-alive connection.
type wire struct {
	conn   net.Conn
	in     *bufio.Reader
	broken bool
}

func dial(ctx context.Context, address string) (*wire, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, in: bufio.NewReader(conn)}, nil
}

var (
	lengthHeader  = []byte("Content-Length: ")
	outcomeHeader = []byte("Hookflow-Outcome: ")
	closeHeader   = []byte("Connection: close")
)

func (w *wire) usable() bool { return !w.broken }

func (w *wire) close() { _ = w.conn.Close() }

func (w *wire) exchange(c *cast, n int64, now time.Time) string {
	w.broken = true
	_ = w.conn.SetDeadline(now.Add(patience))
	if _, err := w.conn.Write(c.next(n, now)); err != nil {
		return "the request could not be written"
	}
	status, err := w.in.ReadSlice('\n')
	if err != nil || len(status) < 12 {
		return "no answer"
	}
	code, outcome, length, closing := string(status[9:12]), "", 0, false
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return "half an answer"
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		switch {
		case bytes.HasPrefix(line, lengthHeader):
			length, _ = strconv.Atoi(string(line[len(lengthHeader):]))
		case bytes.HasPrefix(line, outcomeHeader):
			outcome = string(line[len(outcomeHeader):])
		case bytes.Equal(line, closeHeader):
			closing = true
		}
	}
	if _, err := w.in.Discard(length); err != nil {
		return "half an answer"
	}
	w.broken = closing
	if code != "200" || outcome != "accepted" {
		return fmt.Sprintf("%s %s", code, outcome)
	}
	return ""
}

// heavy is a connection of net/http's client.
type heavy struct {
	client *http.Client
	url    string
}

func newHeavy(address string) *heavy {
	return &heavy{url: "http://" + address + "/webhooks/stripe",
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}}}
}

func (h *heavy) usable() bool { return true }

func (h *heavy) close() { h.client.CloseIdleConnections() }

func (h *heavy) exchange(c *cast, n int64, now time.Time) string {
	c.next(n, now)
	request, err := http.NewRequest(http.MethodPost, h.url, bytes.NewReader(c.body))
	if err != nil {
		return err.Error()
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("Stripe-Signature", "t="+string(c.stamp)+",v1="+string(c.signature))
	answer, err := h.client.Do(request)
	if err != nil {
		return "no answer"
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	if outcome := answer.Header.Get("Hookflow-Outcome"); err != nil || answer.StatusCode != http.StatusOK || outcome != "accepted" {
		return fmt.Sprint(answer.StatusCode, " ", outcome)
	}
	return ""
}
