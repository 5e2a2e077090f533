package activities

import (
	"sync"
	"time"

	"hookflow/event"
)

// noteInterval is how often the log repeats the same note. A condition that trips over every event of a burst is said
// once, not ten thousand times; the plan of each run has it.
const noteInterval = time.Minute

// mostNotes bounds what is remembered. There are few conditions, and each can go wrong in few ways.
const mostNotes = 1000

// noted remembers when a note was last logged.
type noted struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// due reports whether a note is to be logged at this time.
func (n *noted) due(note string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last, ok := n.last[note]; ok && now.Sub(last) < noteInterval {
		return false
	}
	if n.last == nil || len(n.last) >= mostNotes {
		n.last = map[string]time.Time{}
	}
	n.last[note] = now
	return true
}

// noteConditions counts the conditions that could not be evaluated for an event, logs each once a minute, and returns the note
// of its row.
func (m *Mirror) noteConditions(provider string, notes []string) event.Note {
	if len(notes) == 0 {
		return ""
	}
	for _, note := range notes {
		if m.Metrics != nil {
			m.Metrics.Unevaluated(provider)
		}
		if m.noted.due(note, m.Now()) {
			m.Log.Warn("a condition could not be evaluated", "note", note)
		}
	}
	return event.Unevaluated
}
