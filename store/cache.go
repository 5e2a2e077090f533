package store

import (
	"container/list"
	"sync"

	"hookflow/event"
)

// cacheBytes bounds the bodies that one process keeps in memory for runs about to begin. Enough for a burst of 10,000
// events of 5 KiB.
const cacheBytes = 64 << 20

// recent keeps the events seen last, by id, up to a number of bytes. A run that begins in the process that received its
// event then needs no read.
type recent struct {
	mu    sync.Mutex
	bytes int
	order *list.List // of event.Event, the newest in front
	byID  map[string]*list.Element
}

func newRecent() *recent { return &recent{order: list.New(), byID: map[string]*list.Element{}} }

// rowBytes stands for what an event weighs beside its body.
const rowBytes = 1 << 10

func (c *recent) put(e event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(e.ID)
	c.byID[e.ID] = c.order.PushFront(e)
	c.bytes += len(e.Body) + rowBytes
	for c.bytes > cacheBytes {
		c.drop(c.order.Back().Value.(event.Event).ID)
	}
}

func (c *recent) get(id string) (event.Event, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.byID[id]
	if !ok {
		return event.Event{}, false
	}
	return found.Value.(event.Event), true
}

func (c *recent) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(id)
}

func (c *recent) drop(id string) {
	if found, ok := c.byID[id]; ok {
		c.order.Remove(found)
		delete(c.byID, id)
		c.bytes -= len(found.Value.(event.Event).Body) + rowBytes
	}
}

// Remember keeps e, whole, for the run that is about to begin in this process. The caller must not change e.Body after.
func (s *Store) Remember(e event.Event) { s.recent.put(e) }

// Remembered returns an event that this process kept.
func (s *Store) Remembered(id string) (event.Event, bool) { return s.recent.get(id) }

// Forget drops an event that is done with.
func (s *Store) Forget(id string) { s.recent.forget(id) }
