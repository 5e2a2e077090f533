package devstack

import (
	"bytes"
	"context"
	"io"
	"sync"
)

// The SQLite drivers of official servers up to 1.30 lose an open statement when a request is cancelled while its query ends. The
// next cancelled one then interrupts the server's only connection for good (sqlite.org/c3ref/interrupt.html: until no statement
// is running), and each answer after it is this error. A server that works never writes it.
const interrupted = "interrupted (9)"

// interruptedLimit is how often the server writes it before it is started again.
const interruptedLimit = 20

// connectionWatch passes a server's output on, and signals lost once its connection is interrupted for good.
type connectionWatch struct {
	out  io.Writer
	lost chan struct{}

	mu    sync.Mutex
	count int
}

func newConnectionWatch(out io.Writer) *connectionWatch {
	return &connectionWatch{out: out, lost: make(chan struct{}, 1)}
}

func (w *connectionWatch) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count += bytes.Count(b, []byte(interrupted)); w.count >= interruptedLimit {
		w.count = 0
		select {
		case w.lost <- struct{}{}:
		default:
		}
	}
	return w.out.Write(b)
}

// keep starts the server again, on the same state and ports, whenever its connection is lost. It closes t.done when the server
// ends otherwise, or does not start again.
func (t *Temporal) keep(o TemporalOptions, cli, home string) {
	defer close(t.done)
	o.Port, o.UIPort = t.Port, t.UIPort
	for {
		select {
		case <-t.running().done:
			return
		case <-t.watch.lost:
			if !t.restart(o, cli, home) {
				return
			}
		}
	}
}

// running returns the process that serves now.
func (t *Temporal) running() *process {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.proc
}

// restart reports whether the server runs again.
func (t *Temporal) restart(o TemporalOptions, cli, home string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopping {
		<-t.proc.done
		return false
	}
	o.Progress.Say("The Temporal dev server has lost its database connection, a fault of its SQLite driver; it is started again on the same data.")
	t.proc.kill()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	err := t.launch(ctx, o, cli, home, t.watch)
	if err != nil {
		o.Progress.Say("It does not start again: %v", err)
	}
	return err == nil
}

// end marks the server as one that shall not run again, and returns its process.
func (t *Temporal) end() *process {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopping = true
	return t.proc
}
