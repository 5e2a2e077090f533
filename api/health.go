package api

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// Readiness is which durable places can be reached.
type Readiness struct {
	Places []Place
}

// Place is one durable place. Detail is one sentence for operators.
type Place struct {
	Name      string `json:"name"`
	Reachable bool   `json:"reachable"`
	Detail    string `json:"detail,omitempty"`
}

// OK reports whether an event could be made durable somewhere.
func (r Readiness) OK() bool {
	for _, p := range r.Places {
		if p.Reachable {
			return true
		}
	}
	return false
}

// freshness is how long a look at the places holds: anybody may ask, and each look costs a round trip to each place.
const freshness = 500 * time.Millisecond

type readiness struct {
	mu     sync.Mutex
	looked time.Time
	last   Readiness
}

func (a *API) look(ctx context.Context) Readiness {
	a.ready.mu.Lock()
	defer a.ready.mu.Unlock()
	if time.Since(a.ready.looked) < freshness {
		return a.ready.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readinessTime)
	defer cancel()
	a.ready.last, a.ready.looked = a.Ready(ctx), time.Now()
	return a.ready.last
}

type health struct {
	Status string  `json:"status"`
	Places []Place `json:"places,omitempty"`
}

// livez says that the process answers, whatever it can reach: a restart would not bring a database back.
func (a *API) livez(c *gin.Context) {
	writeJSON(c, http.StatusOK, "application/json", health{Status: "alive"})
}

// readyz answers 200 while at least one durable place can be reached and the process is not about to stop. Which places,
// only a token learns.
func (a *API) readyz(c *gin.Context) {
	found := a.look(c.Request.Context())
	status, h := http.StatusOK, health{Status: "ready"}
	switch {
	case a.leaving.Load():
		status, h.Status = http.StatusServiceUnavailable, "draining"
	case !found.OK():
		status, h.Status = http.StatusServiceUnavailable, "unavailable"
	}
	if status != http.StatusOK {
		c.Header("Retry-After", strconv.Itoa(later))
	}
	if _, known := a.author(c.Request.Header); known {
		h.Places = found.Places
	}
	writeJSON(c, status, "application/json", h)
}
