package store

import (
	"encoding/json"
	"sync"

	"hookflow/event"
)

// maxPlans bounds the plans that a process remembers to have written: a set of routes has some hundreds.
const maxPlans = 4096

// plans remembers which plans this process has written, so that each is sent once and not with every event.
type plans struct {
	mu      sync.Mutex
	written map[string]bool // by id
}

// planID returns the id of a plan, the uuid made from its JSON.
func planID(plan json.RawMessage) string { return event.ID(string(plan)) }

func (p *plans) known(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written[id]
}

func (p *plans) note(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.written == nil || len(p.written) >= maxPlans {
		p.written = map[string]bool{}
	}
	p.written[id] = true
}
