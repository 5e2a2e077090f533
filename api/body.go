package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// read returns the body of r, at most limit bytes of it. Room is taken as the bytes come, whatever the Content-Length; only
// a small one, such as the usual 2 KiB, is believed and takes one step. The errors are problems.
func (h *hold) read(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var small []byte
	if promised := r.ContentLength; promised >= 0 && promised < pieceSize {
		small = make([]byte, promised+1) // one more, to see the end without another step
	}
	conn := http.NewResponseController(w)
	space, length := small, 0
	for mark := -h.room.pace; ; {
		if len(space) == 0 {
			waited, err := h.waited, error(nil)
			if space, err = h.more(r, length, limit); err != nil {
				return nil, err
			}
			if h.waited > waited {
				mark = length - h.room.pace // the sender is not to blame for our wait
			}
		}
		if length-mark >= h.room.pace {
			// Deadlines are the kernel's, so they are set by the real clock. A recorder in a test has none.
			_ = conn.SetReadDeadline(time.Now().Add(h.room.window))
			mark = length
		}
		n, err := r.Body.Read(space)
		space, length = space[n:], length+n
		switch {
		case int64(length) > limit:
			return nil, tooLarge(limit)
		case err == io.EOF:
			// net/http reads on to notice a sender that hangs up; our deadline would look like one.
			_ = conn.SetReadDeadline(time.Time{})
			_ = conn.SetWriteDeadline(time.Now().Add(answerTime))
			return h.join(r, small, length)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, errSlow
		case err != nil:
			return nil, errIncomplete
		}
	}
}

// more returns memory to read into once length bytes have come: another piece, or, of a large body, the rest of its own size.
func (h *hold) more(r *http.Request, length int, limit int64) ([]byte, error) {
	if length < largeFrom {
		return h.next(r.Context())
	}
	size := limit
	if r.ContentLength >= 0 {
		size = r.ContentLength
	}
	if err := h.take(r.Context(), h.room.whole, size); err != nil {
		return nil, err
	}
	h.whole = size
	h.large = make([]byte, size+1) // one more, to see the end
	at := h.large
	for _, p := range h.pieces {
		at = at[copy(at, p[:]):]
	}
	h.releasePieces()
	return at, nil
}

// join returns the body of length bytes that begins in small, where there is one, and goes on in the pieces.
func (h *hold) join(r *http.Request, small []byte, length int) ([]byte, error) {
	switch {
	case h.large != nil:
		return h.large[:length:length], nil
	case len(h.pieces) == 0:
		return small[:length], nil
	}
	if err := h.take(r.Context(), h.room.whole, int64(length)); err != nil {
		return nil, err
	}
	h.whole = int64(length)
	body := append(make([]byte, 0, length), small...)
	for _, p := range h.pieces {
		body = append(body, p[:min(pieceSize, length-len(body))]...)
	}
	h.releasePieces()
	return body, nil
}
