// Package api is the door: gin in front, problems instead of errors behind, and nothing of the stores in between.
//
// A webhook is verified on its raw bytes, made durable through an Accepter, and only then answered with 200. The other
// half, /v1, asks the ledger about events and replays them. What the package needs of the other rooms it declares here.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"hookflow/event"
	"hookflow/providers"

	"github.com/gin-gonic/gin"
)

// Accepter makes a verified event durable and unique.
type Accepter interface {
	// Accept returns what became of e. event.ErrUnavailable and event.ErrTooLargeNow ask the sender to come again.
	// ctx outlives a sender that hangs up, and ends after 7 seconds.
	Accept(ctx context.Context, e *event.Event) (event.Outcome, error)
	// AcceptAll does so for the events of one delivery, and returns one outcome each. After an error some of them may
	// have been kept; the delivery comes again, and those are then duplicates.
	AcceptAll(ctx context.Context, events []event.Event) ([]event.Outcome, error)
}

// Replier answers senders that wait for a computed answer.
type Replier interface {
	// Reply makes e durable and returns the answer that its run computes until ask.Until. With an outcome e is durable;
	// event.ErrLate or event.ErrNoAnswer then say that the fallback is due. Without one the errors are Accept's.
	Reply(ctx context.Context, e *event.Event, ask *event.Ask) (event.Outcome, event.Answer, error)
}

// Ledger answers for the events that were accepted. Ids are uuids in lower case: the door has already turned a key into
// its uuid, with event.ID.
type Ledger interface {
	List(ctx context.Context, f event.Filter) (event.Page, error)
	// Find returns event.ErrNotFound for an unknown id.
	Find(ctx context.Context, id string) (event.Detail, error)
	// Count returns event.ErrTooBroad or event.ErrTooMany for a question that must be narrowed.
	Count(ctx context.Context, c event.Counting) ([]event.Bucket, error)
}

// Repairs does to one event what an operator asks for, in the name of author, and answers with its record as it stands
// then, or with what is gone. Each returns event.ErrNotFound for an unknown id.
type Repairs interface {
	// Replay starts a new generation. It returns event.ErrNotFinal or event.ErrErased.
	Replay(ctx context.Context, id string, from event.From, author string) (event.Record, error)
	// Retry makes the step that waits for its next attempt, or the start that was put off, go on now. It returns
	// event.ErrFinal, event.ErrNotWaiting, or event.ErrUnsupported.
	Retry(ctx context.Context, id, author string) (event.Record, error)
	// Cancel ends the event as failed, with error type cancelled. It returns event.ErrFinal.
	Cancel(ctx context.Context, id, author string) (event.Record, error)
	// Erase deletes the event's content. It returns event.ErrNotFinal before, event.ErrRunOpen or event.ErrHistoriesLeft
	// after the ledger's part was done. It may be repeated.
	Erase(ctx context.Context, id, author string) (event.Erasure, error)
}

// Replays are the bulk replays. All but PreviewReplay and CreateReplay return event.ErrReplayNotFound for an unknown id.
type Replays interface {
	PreviewReplay(ctx context.Context, f event.Filter) (event.ReplayPreview, error)
	CreateReplay(ctx context.Context, r event.ReplayRequest) (event.Replay, error)
	ListReplays(ctx context.Context, limit int) ([]event.Replay, error)
	FindReplay(ctx context.Context, id string) (event.Replay, error)
	// SteerReplay pauses, resumes or stops. It returns event.ErrReplayOver for a replay that is stopped or completed.
	SteerReplay(ctx context.Context, id string, to event.ReplayState, author string) (event.Replay, error)
}

// Destinations are what steps forward to. Pause and resume return event.ErrNoDestination for an unknown name.
type Destinations interface {
	ListDestinations(ctx context.Context) ([]event.Destination, error)
	PauseDestination(ctx context.Context, name, author, reason string) (event.Destination, error)
	// ResumeDestination also closes the circuit.
	ResumeDestination(ctx context.Context, name, author string) (event.Destination, error)
}

// Metrics counts what happens at the door. Labels are bounded: a source's name or "unknown", an outcome or a problem's
// code, a providers.Reason word.
type Metrics interface {
	// Request counts an answered webhook and the seconds it took, body included.
	Request(provider, outcome string, seconds float64)
	// VerificationFailed counts a request that was not proven to come from its provider.
	VerificationFailed(provider, reason string)
	// Answered counts an answer to a sender that waited for a computed one: computed, late or failed; the fallback went out
	// for the last two.
	Answered(provider, how string)
	// Ignored counts an event that was verified and not stored, since no route names its type.
	Ignored(provider, eventType string)
}

// Token is one of the bearer tokens that open /v1. Name is the author of what its holder does.
type Token struct {
	Name   string
	Secret string
}

// Options is everything the door is built from. Accepter, Ledger, Repairs, Replays and Destinations are required; the
// rest may be left zero.
type Options struct {
	Accepter     Accepter
	Ledger       Ledger
	Repairs      Repairs
	Replays      Replays
	Destinations Destinations
	// Sources are the providers by their path word. The map is read in New only.
	Sources map[string]providers.Source
	// Ask returns how the answer to e is come by, nil where its sender waits for none. Left nil, no answer is computed;
	// else a Replier is needed.
	Ask     func(e *event.Event) *event.Ask
	Replier Replier
	// PublicURL is scheme and host (and the prefix, if a proxy strips one) without a trailing slash.
	PublicURL string
	// Tokens open /v1; without one it is closed.
	Tokens []Token
	// Ready looks at the durable places. It is asked at most twice a second, with 2 seconds to answer.
	Ready func(context.Context) Readiness
	// OpsHost reports whether the operators' paths answer under a host, in HostOf's form. Nil: under any.
	OpsHost func(host string) bool
	// TemporalURL returns the address of a run in the Temporal UI, "" where there is none.
	TemporalURL func(workflowID, runID string) string
	// Scrape serves /metrics on the ops listener; without it the path does not exist.
	Scrape  http.Handler
	Metrics Metrics
	Log     *slog.Logger
	// Now is the clock of verification, of filters such as since=2h, and of the limits on failures.
	Now func() time.Time
	// OnPanic and OnError report what should never happen: a panic, and an error that no room has a word for.
	OnPanic func(ctx context.Context, value any, stack []byte)
	OnError func(ctx context.Context, err error)
	// Middleware runs inside the recovery and before every handler; one that catches panics must panic again.
	Middleware []gin.HandlerFunc
}

// API is the door with its limits. One API may serve several listeners; they share the room for bodies.
type API struct {
	Options
	gates  map[string]*gate
	room   *room
	tokens []hashedToken
	ready  readiness
	// leaving is set once the process is about to stop.
	leaving atomic.Bool
}

// Leave announces that the process is about to stop, and goes on serving: /readyz says so, and each answer closes its
// connection, so that load balancers and senders turn to another process before the listener closes.
func (a *API) Leave() { a.leaving.Store(true) }

// New builds the door.
func New(o Options) *API {
	if o.Metrics == nil {
		o.Metrics = uncounted{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) Readiness { return Readiness{} }
	}
	if o.TemporalURL == nil {
		o.TemporalURL = func(string, string) string { return "" }
	}
	if o.Ask == nil {
		o.Ask = func(*event.Event) *event.Ask { return nil }
	}
	if o.OnPanic == nil {
		o.OnPanic = func(context.Context, any, []byte) {}
	}
	if o.OnError == nil {
		o.OnError = func(context.Context, error) {}
	}
	a := &API{Options: o, room: newRoom(arrivingRoom, wholeRoom), tokens: hashTokens(o.Tokens), gates: map[string]*gate{}}
	for name, source := range o.Sources {
		a.gates[name] = newGate(source)
	}
	return a
}

// Webhooks returns the handler of the public listener: /webhooks/{provider}, /livez, /readyz.
func (a *API) Webhooks() http.Handler {
	e := a.engine()
	a.routeWebhooks(e)
	return e
}

// Ops returns the handler of the operators' listener: /v1, /metrics, /openapi.json, /livez, /readyz.
func (a *API) Ops() http.Handler {
	e := a.engine()
	a.routeOps(e)
	return e
}

// Both returns one handler for both listeners' paths, for dev.
func (a *API) Both() http.Handler {
	e := a.engine()
	a.routeWebhooks(e)
	a.routeOps(e)
	return e
}

// engine is gin with everything off that would answer in our place: redirects make senders give up (Stripe counts any
// 3xx as a failure), and a trusted proxy header would let a sender choose its address.
func (a *API) engine() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.HandleMethodNotAllowed = true
	e.ForwardedByClientIP = false
	_ = e.SetTrustedProxies(nil) // fails on addresses it cannot parse only
	e.Use(a.recoverPanic, a.harden)
	e.Use(a.Middleware...)
	e.NoRoute(func(c *gin.Context) { writeProblem(c, errNoPath) })
	e.NoMethod(a.noMethod)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		e.Handle(method, "/livez", a.livez)
		e.Handle(method, "/readyz", a.readyz)
	}
	return e
}

func (a *API) routeWebhooks(e *gin.Engine) {
	e.POST(webhookPath, a.receive)
	e.GET(webhookPath, a.probed)
	e.HEAD(webhookPath, a.probed)
}

func (a *API) routeOps(e *gin.Engine) {
	ours := e.Group("", a.ownHost)
	if a.Scrape != nil {
		ours.GET("/metrics", gin.WrapH(a.Scrape))
	}
	ours.GET("/openapi.json", a.openapi)
	v1 := ours.Group("/v1", a.authorize, a.takesNoQuery)
	a.routeEvents(v1)
	a.routeReplays(v1)
	a.routeDestinations(v1)
}

// harden sets what every answer carries: no answer of ours is to be sniffed, framed in a cache, or kept by a proxy.
func (a *API) harden(c *gin.Context) {
	h := c.Writer.Header()
	if a.leaving.Load() {
		h["Connection"] = closing // net/http then closes after the answer
	}
	h["X-Content-Type-Options"] = nosniff
	h["Cache-Control"] = noStore
}

// Shared by all answers, never written to.
var (
	nosniff = []string{"nosniff"}
	noStore = []string{"no-store"}
	closing = []string{"close"}
)

type uncounted struct{}

func (uncounted) Request(string, string, float64)   {}
func (uncounted) VerificationFailed(string, string) {}
func (uncounted) Answered(string, string)           {}
func (uncounted) Ignored(string, string)            {}
