package routing

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"hookflow/event"
)

// Verdict is what became of a route when an event was held against it.
type Verdict string

// The verdicts.
const (
	Matched    Verdict = "matched"
	NotMatched Verdict = "not matched"
	// Unknown: the condition reads the payload, and none was given.
	Unknown Verdict = "unknown"
	// NotReached: an earlier route took the event.
	NotReached Verdict = "not reached"
)

// Look is one route as an event was held against it.
type Look struct {
	Route   string  `json:"route"`
	Line    int     `json:"line"`
	Verdict Verdict `json:"verdict"`
	Why     string  `json:"why"`
}

// Explain returns what Plan does with an event and why: a Look at each route of the event's provider, in the order of
// the file. Without a payload (nil), conditions that read it are unknown, and the plan is that of an event for which
// they do not hold.
func (t *Table) Explain(e *event.Event, payload json.RawMessage) []Look {
	var looks []Look
	s := &subject{event: e, payload: payload}
	var taker *route
	for i := range t.routes {
		r := &t.routes[i]
		if r.provider != e.Provider {
			continue
		}
		look := Look{Route: r.name, Line: r.line}
		if taker != nil {
			look.Verdict, look.Why = NotReached, fmt.Sprintf("the route in line %d took the event and does not say continue: true", taker.line)
		} else if look.Verdict, look.Why = r.explain(s); look.Verdict == Matched && !r.goesOn {
			taker = r
		}
		looks = append(looks, look)
	}
	return looks
}

// explain says whether the route matches, and why.
func (r *route) explain(s *subject) (Verdict, string) {
	glob := slices.IndexFunc(r.types, func(glob string) bool { return globMatch(glob, s.event.Type) })
	if glob < 0 {
		return NotMatched, "the type is not " + strings.Join(r.types, " or ")
	}
	why := "the type is " + r.types[glob]
	if r.when == nil {
		return Matched, why
	}
	if r.when.readsPayload && s.payload == nil {
		return Unknown, "when reads the payload, and none was given: " + r.when.text
	}
	switch holds, err := r.when.holds(s); {
	case err != nil:
		return NotMatched, fmt.Sprintf("when: %v: %s", err, r.when.text)
	case !holds:
		return NotMatched, "when is false: " + r.when.text
	}
	return Matched, why + ", and when is true: " + r.when.text
}

// Providers returns the names of the providers that routes name, sorted, each once.
func (t *Table) Providers() []string {
	var names []string
	for _, r := range t.routes {
		names = append(names, r.provider)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Len returns the number of routes.
func (t *Table) Len() int { return len(t.routes) }
