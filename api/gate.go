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
	for _, value := range h["Content-Encoding"] {
		if !isPlain(value) {
			return errEncoding
		}
	}
	types := h["Content-Type"]
	if len(types) == 0 && g.traits.UntypedBody || len(types) == 1 && g.takes(types[0]) {
		return nil
	}
	return mediaTypeProblem(g.traits.MediaTypes)
}

// isPlain reports whether a Content-Encoding leaves the body as it is: identity (RFC 9110 section 12.5.3), or the name of a
// charset, which some senders put there.
func isPlain(encoding string) bool {
	for coding := range strings.SplitSeq(encoding, ",") {
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "", "identity", "utf-8", "utf8", "us-ascii":
		default:
			return false
		}
	}
	return true
}

// takes reports whether the provider sends bodies of this type, whatever its parameters. Senders that add none are spared the
// parsing. One that sends JSON may name it as one of its kinds (RFC 6839).
func (g *gate) takes(contentType string) bool {
	if slices.Contains(g.traits.MediaTypes, contentType) {
		return true
	}
	if !strings.Contains(contentType, "/") { // "attachment" parses, as a disposition
		return false
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	kindOfJSON := media == "text/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
	return slices.Contains(g.traits.MediaTypes, media) || kindOfJSON && slices.Contains(g.traits.MediaTypes, "application/json")
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
