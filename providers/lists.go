package providers

import "slices"

// lists are the declared lists of a body: JSON pointers in which * stands for every element, as a tree.
type lists struct {
	item    bool              // a pointer ends here: the value is an event
	each    *lists            // what * leads to
	members map[string]*lists // what a name leads to
	names   []string          // of members, in the order of the declaration
}

func newLists(pointers [][]string) *lists {
	root := &lists{}
	for _, pointer := range pointers {
		at := root
		for _, token := range pointer {
			at = at.child(token)
		}
		at.item = true
	}
	return root
}

func (l *lists) child(token string) *lists {
	if token == "*" {
		if l.each == nil {
			l.each = &lists{}
		}
		return l.each
	}
	if l.members[token] == nil {
		if l.members == nil {
			l.members = map[string]*lists{}
		}
		l.members[token] = &lists{}
		l.names = append(l.names, token)
	}
	return l.members[token]
}

// listItem is an event inside a body, with its envelope: what stands beside the lists that lead to it.
type listItem struct {
	value jsonValue
	// levels are the elements around it, the outermost first and value itself last.
	levels []jsonValue
	// declared says that a declared pointer ends here. An element of a list on the way, in which none of the further lists
	// stands, is an event of a shape that nobody declared.
	declared bool
	// list is the name of the list that a declared item stands in.
	list string
	// before and after are the body around the item: as the delivery would be if it held this event alone. They are empty
	// where nothing stands beside the lists.
	before, after []byte
}

// whole is the body of a delivery that holds this event alone. Without an envelope it is the item.
func (i *listItem) whole() []byte {
	if len(i.before) == 0 {
		return i.value.bytes()
	}
	return slices.Concat(i.before, i.value.bytes(), i.after)
}

// listWalk visits the items of a body.
type listWalk struct {
	visit     func(listItem) bool // false ends the walk
	list      string
	levels    []jsonValue
	before    []byte
	after     []byte
	enveloped bool // something stands beside the lists
	ended     bool
}

// items visits each event of v, in the order of the body. An element of a list that holds none of the declared lists, or
// only empty ones, is an event itself, so that nothing of a body is passed over.
func (l *lists) items(v jsonValue, visit func(listItem) bool) (visited int) {
	w := listWalk{visit: visit}
	return w.walk(v, l)
}

func (w *listWalk) walk(v jsonValue, l *lists) (visited int) {
	if l.each != nil && v.kind() == '[' {
		for it := v.items(); !w.ended && it.next(); {
			visited += w.element(it.value, l.each)
		}
	}
	if v.kind() != '{' {
		return visited
	}
	for _, name := range l.names {
		if next := v.member(name); next.kind() != 0 && !w.ended {
			inside := *w
			inside.list = name
			inside.surround(v, name, l)
			visited += inside.walk(next, l.members[name])
			w.ended = inside.ended
		}
	}
	return visited
}

func (w *listWalk) element(v jsonValue, l *lists) (visited int) {
	inside := *w
	inside.levels = append(slices.Clip(w.levels), v)
	if w.before != nil { // the root is no list
		inside.before, inside.after = append(slices.Clip(w.before), '['), slices.Concat([]byte{']'}, w.after)
	}
	if visited = inside.walk(v, l); visited > 0 {
		w.ended = inside.ended
		return visited
	}
	item := listItem{value: v, levels: inside.levels, declared: l.item}
	if l.item {
		item.list = w.list
	}
	if w.enveloped {
		item.before, item.after = inside.before, inside.after
	}
	w.ended = !w.visit(item)
	return 1
}

// surround adds what stands beside the member name of the object v, less the other declared lists: those are events of
// their own.
func (w *listWalk) surround(v jsonValue, name string, l *lists) {
	before, after := append(slices.Clip(w.before), '{'), []byte(nil)
	into, first := &before, true
	walked := v.member(name)
	for it := v.items(); it.next(); {
		key := string(it.key)
		if key == name {
			if it.value.from != walked.from {
				continue // a repeated name, of which the last counts
			}
			if !first {
				before = append(before, ',')
			}
			before = append(append(before, quoteJSON(name)...), ':')
			into, first = &after, false
			continue
		}
		if _, declared := l.members[key]; declared {
			continue
		}
		w.enveloped = true
		if !first {
			*into = append(*into, ',')
		}
		first = false
		*into = append(append(*into, quoteJSON(key)...), ':')
		*into = append(*into, it.value.bytes()...)
	}
	w.before, w.after = before, append(append(after, '}'), w.after...)
}

// without returns v's text less the value at a pointer, as it is where nothing stands there.
func (v jsonValue) without(pointer []string) []byte {
	if len(pointer) == 0 || v.kind() != '{' || v.member(pointer[0]).kind() == 0 {
		return v.bytes()
	}
	out, first := []byte{'{'}, true
	for it := v.items(); it.next(); {
		value := it.value.bytes()
		if string(it.key) == pointer[0] {
			if len(pointer) == 1 {
				continue
			}
			value = it.value.without(pointer[1:])
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(append(append(out, quoteJSON(string(it.key))...), ':'), value...)
	}
	return append(out, '}')
}

// present reports whether v holds one of the outermost declared lists, with elements or without.
func (l *lists) present(v jsonValue) bool {
	if l.each != nil && v.kind() == '[' {
		return true
	}
	for _, name := range l.names {
		if l.members[name].present(v.member(name)) {
			return true
		}
	}
	return false
}

// checkedJSON is a text that without made of a checked one.
func checkedJSON(text []byte) jsonValue { return jsonValue{src: text, to: len(text)} }

// The bounds of one delivery. The largest that a sender documents is Meta's, of 1,000 changes; 10,000 rows are inserted in
// about a second. The bodies of its events together may exceed the delivery, since each has the envelope.
const (
	MaxItems      = 10_000
	maxItemsBytes = 32 << 20
)

// checkItems fails for a delivery beyond the bounds, with a CodeTooMany.
func checkItems(count, size int) error {
	if count > MaxItems || size > maxItemsBytes {
		return tooMany(count)
	}
	return nil
}
