package telemetry

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	placeholder = "[secret]"
	// minSecret is the least length of a secret that is looked for.
	minSecret = 8
	// maxRead is how many secrets are known beside those of the start: 5 each of 1000 variables. The one that was read
	// longest ago gives way.
	maxRead = 5000
)

// redactor replaces known secrets. The zero value knows none.
type redactor struct {
	mu       sync.Mutex
	started  []string
	read     map[string]uint64 // when each was read last, by reads
	reads    uint64
	replacer atomic.Pointer[strings.Replacer] // nil while it is to be made
}

func newRedactor(secrets []string) *redactor {
	return &redactor{started: slices.DeleteFunc(slices.Clone(secrets), tooShort)}
}

func tooShort(secret string) bool { return len(secret) < minSecret }

// add has secrets replaced from now on.
func (r *redactor) add(secrets []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range secrets {
		if tooShort(s) {
			continue
		}
		if r.read == nil {
			r.read = map[string]uint64{}
		}
		if _, known := r.read[s]; !known {
			r.replacer.Store(nil)
		}
		r.reads++
		r.read[s] = r.reads
		if len(r.read) > maxRead {
			r.forget()
		}
	}
}

// forget drops the secret that was read longest ago.
func (r *redactor) forget() {
	var oldest string
	for s, at := range r.read {
		if oldest == "" || at < r.read[oldest] {
			oldest = s
		}
	}
	delete(r.read, oldest)
}

func (r *redactor) text(s string) string {
	replacer := r.replacer.Load()
	if replacer == nil {
		replacer = r.build()
	}
	return replacer.Replace(s)
}

func (r *redactor) build() *strings.Replacer {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.started)
	for s := range r.read {
		all = append(all, s)
	}
	// The first that fits is taken: of two that begin alike the longer one, else its rest would be shown.
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var pairs []string
	for _, s := range all {
		pairs = append(pairs, s, placeholder)
	}
	replacer := strings.NewReplacer(pairs...)
	r.replacer.Store(replacer)
	return replacer
}
