package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/semaphore"
)

// The room for bodies bounds the memory that unverified senders can take, whatever they promise.
const (
	bodyRoom  = 48 << 20
	firstStep = 4 << 10 // of a body that has only been promised
)

// room is what all requests in flight share: bytes of body held.
type room struct {
	bytes    *semaphore.Weighted
	patience time.Duration // how long one request waits for bytes, all its steps together
	window   time.Duration // in each window at least pace bytes must come: 1 KiB/s
	pace     int
}

func newRoom(size int64) *room {
	return &room{bytes: semaphore.NewWeighted(size), patience: 2 * time.Second, window: 5 * time.Second, pace: 5 << 10}
}

// hold is what one request holds of the room. It is given back after the answer, since the body is alive until then.
type hold struct {
	room   *room
	bytes  int64
	waited time.Duration
}

// take adds n bytes to the hold. It returns errBusy when they did not come free in time.
func (h *hold) take(ctx context.Context, n int64) error {
	if h.room.bytes.TryAcquire(n) {
		h.bytes += n
		return nil
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, h.room.patience-h.waited)
	defer cancel()
	err := h.room.bytes.Acquire(ctx, n)
	h.waited += time.Since(began)
	if err != nil {
		return errBusy
	}
	h.bytes += n
	return nil
}

func (h *hold) release() { h.room.bytes.Release(h.bytes) }

// read returns the body of r, at most limit bytes of it. Room is taken as the bytes come: the Content-Length only
// sizes the last step, so that a body of the usual 2 KiB takes one. The errors are problems.
func (h *hold) read(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	conn := http.NewResponseController(w)
	var body []byte
	for mark := -h.room.pace; ; {
		if len(body) == cap(body) {
			waited := h.waited
			larger, err := h.grow(r, body, limit)
			if err != nil {
				return nil, err
			}
			if body = larger; h.waited > waited {
				mark = len(body) - h.room.pace // the sender is not to blame for our wait
			}
		}
		if len(body)-mark >= h.room.pace {
			// Deadlines are the kernel's, so they are set by the real clock. A recorder in a test has none.
			_ = conn.SetReadDeadline(time.Now().Add(h.room.window))
			mark = len(body)
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, tooLarge(limit)
		case err == io.EOF:
			// net/http reads on to notice a sender that hangs up; our deadline would look like one.
			_ = conn.SetReadDeadline(time.Time{})
			_ = conn.SetWriteDeadline(time.Now().Add(answerTime))
			return body, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, errSlow
		case err != nil:
			return nil, errIncomplete
		}
	}
}

// grow returns body with more capacity, after taking the room for it.
func (h *hold) grow(r *http.Request, body []byte, limit int64) ([]byte, error) {
	size := nextStep(int64(cap(body)), r.ContentLength, limit)
	if err := h.take(r.Context(), size-int64(cap(body))); err != nil {
		return nil, err
	}
	larger := make([]byte, len(body), size)
	copy(larger, body)
	return larger, nil
}

// nextStep doubles the capacity, and stops one byte beyond the promised length (to see the end without another step)
// and one byte beyond the limit (to see that it is crossed).
func nextStep(size, promised, limit int64) int64 {
	next := min(max(2*size, firstStep), limit+1)
	if promised >= size && promised < next {
		next = promised + 1
	}
	return next
}
