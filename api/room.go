package api

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// The rooms for bodies bound the memory that unverified senders can take, whatever they promise. A body of the usual 2 KiB
// needs none: MaxConnections bounds those. Of a larger one, what has come is gathered in pieces that are used again and
// again, and once it has ended it is copied into memory of its own size: what grows while it is read would leave its
// smaller selves to the collector.
const (
	pieceSize    = 4 << 10
	arrivingRoom = 20 << 20
	wholeRoom    = 26 << 20
	// largestBody fits into the room for whole bodies, whatever a source is told to take: GitHub and GitLab send up to 25 MiB.
	largestBody = 25 << 20
	// A body of which largeFrom bytes have come is read on into memory of its own size at once: pieces and the whole of one
	// of 25 MiB would be 50 MiB. Before, a promise of that size takes no room.
	largeFrom = 16 << 20
	// Left to itself the collector lets as much garbage pile up as is alive, bodies included. It is asked to come when whole
	// bodies of litter bytes were given up, and each second while bodies of more than siege bytes are on their way.
	litter = 4 << 20
	siege  = 8 << 20
)

// room is what all requests in flight share: bytes of body held.
type room struct {
	arriving *semaphore.Weighted // in pieces
	whole    *semaphore.Weighted // until they are collected after the answer
	pieces   sync.Pool           // of *piece
	patience time.Duration       // how long one request waits for bytes, all its steps together
	window   time.Duration       // in each window at least pace bytes must come: 1 KiB/s
	pace     int

	coming atomic.Int64 // bytes of pieces that are held

	mu      sync.Mutex
	dropped int64 // bytes of whole bodies that nobody uses any more
	swept   time.Time
}

type piece [pieceSize]byte

func newRoom(arriving, whole int64) *room {
	return &room{
		arriving: semaphore.NewWeighted(arriving), whole: semaphore.NewWeighted(whole),
		pieces:   sync.Pool{New: func() any { return new(piece) }},
		patience: 2 * time.Second, window: 5 * time.Second, pace: 5 << 10,
	}
}

// hold is what one request holds of the room.
type hold struct {
	room   *room
	pieces []*piece
	large  []byte // of a large body, instead of pieces
	whole  int64
	waited time.Duration
}

// take adds n bytes to what is held of a part of the room. It returns errBusy when they did not come free in time.
func (h *hold) take(ctx context.Context, of *semaphore.Weighted, n int64) error {
	if of.TryAcquire(n) {
		return nil
	}
	if of == h.room.whole {
		h.room.sweepDropped()
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, h.room.patience-h.waited)
	defer cancel()
	err := of.Acquire(ctx, n)
	h.waited += time.Since(began)
	if err != nil {
		return errBusy
	}
	return nil
}

// release gives everything back. The whole body is alive until after the answer.
func (h *hold) release() {
	h.releasePieces()
	if h.whole > 0 {
		h.room.drop(h.whole)
		h.whole = 0
	}
}

func (h *hold) releasePieces() {
	for _, p := range h.pieces {
		h.room.pieces.Put(p)
	}
	n := int64(len(h.pieces)) * pieceSize
	h.room.coming.Add(-n)
	h.room.arriving.Release(n)
	h.pieces = nil
}

// drop gives n bytes of a whole body to the collector.
func (r *room) drop(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dropped += n; r.dropped > litter {
		r.sweep()
	}
}

// sweep has the collector come, and gives the room of dropped bodies back. The caller holds mu.
func (r *room) sweep() {
	n := r.dropped
	r.dropped, r.swept = 0, time.Now()
	go func() {
		runtime.GC()
		r.whole.Release(n)
	}()
}

// sweepDropped does so for whoever waits for the room of dropped bodies.
func (r *room) sweepDropped() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dropped > 0 {
		r.sweep()
	}
}

// sweepUnderSiege does so once a second while bodies on their way hold much of the memory.
func (r *room) sweepUnderSiege() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.swept) >= time.Second {
		r.sweep()
	}
}

// next adds a piece to what is held, to read into.
func (h *hold) next(ctx context.Context) ([]byte, error) {
	if err := h.take(ctx, h.room.arriving, pieceSize); err != nil {
		return nil, err
	}
	p := h.room.pieces.Get().(*piece)
	h.pieces = append(h.pieces, p)
	if h.room.coming.Add(pieceSize) > siege {
		h.room.sweepUnderSiege()
	}
	return p[:], nil
}
