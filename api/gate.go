package api

import (
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"hookflow/providers"

	"golang.org/x/time/rate"
)

// Failed verifications beyond this are answered 429. Valid requests are verified first and never limited.
const (
	failuresPerSecond = 100
	failuresBurst     = 5000
)

// gate is one source with what the door keeps beside it.
type gate struct {
	providers.Source
	traits   providers.Traits
	prober   providers.Prober // nil where the provider has no probes
	methods  string           // what it takes, for the Allow header
	failures *rate.Limiter
	voice    voice
}

func newGate(s providers.Source) *gate {
	g := &gate{Source: s, traits: s.Traits(), failures: rate.NewLimiter(failuresPerSecond, failuresBurst)}
	g.traits.MaxBody = min(g.traits.MaxBody, largestBody)
	g.prober, _ = s.Provider.(providers.Prober)
	g.methods = strings.Join(append(slices.Clone(g.traits.ProbeMethods), http.MethodPost), ", ")
	return g
}

// checkHead refuses a request by its headers alone, before any of the body is asked for.
func (g *gate) checkHead(h http.Header) error {
	if len(h["Content-Encoding"]) > 0 {
		return errEncoding
	}
	types := h["Content-Type"]
	if len(types) != 1 || !g.takes(types[0]) {
		return mediaTypeProblem(g.traits.MediaTypes)
	}
	return nil
}

// takes reports whether the provider sends bodies of this type. Senders that add no parameters are spared the parsing.
func (g *gate) takes(contentType string) bool {
	if slices.Contains(g.traits.MediaTypes, contentType) {
		return true
	}
	if !strings.Contains(contentType, "/") { // "attachment" parses, as a disposition
		return false
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && slices.Contains(g.traits.MediaTypes, media)
}

// voice lets one line a second into the log for each kind of refusal, so that a flood of forged requests does not
// become a flood of lines.
type voice struct {
	mu     sync.Mutex
	last   map[string]time.Time
	unsaid map[string]int
}

// speak reports whether a line of this kind may be written now, and how many were kept back since the last one.
func (v *voice) speak(kind string, now time.Time) (unsaid int, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == nil {
		v.last, v.unsaid = map[string]time.Time{}, map[string]int{}
	}
	if last, spoken := v.last[kind]; spoken && now.Sub(last).Abs() < time.Second {
		v.unsaid[kind]++
		return 0, false
	}
	unsaid = v.unsaid[kind]
	v.last[kind], v.unsaid[kind] = now, 0
	return unsaid, true
}
