package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"hookflow/event"

	"github.com/gin-gonic/gin"
)

const (
	// maxRate is the highest rate that can be asked for, in events a second; without one the relay sets the pace.
	maxRate = 10_000
	// shownReplays is how many of the newest bulk replays are listed.
	shownReplays = 100
)

func (a *API) routeReplays(v1 gin.IRoutes) {
	v1.GET("/replays", a.listReplays)
	v1.POST("/replays", a.createReplay)
	v1.GET("/replays/:id", a.showReplay)
	v1.POST("/replays/:id/pause", a.steerReplay(event.ReplayPaused))
	v1.POST("/replays/:id/resume", a.steerReplay(event.ReplayRunning))
	v1.POST("/replays/:id/stop", a.steerReplay(event.ReplayStopped))
}

// replayBody is the body of POST /v1/replays.
type replayBody struct {
	Filter map[string]json.RawMessage `json:"filter"`
	From   event.From                 `json:"from"`
	Rate   *float64                   `json:"rate"`
	DryRun bool                       `json:"dry_run"`
}

// createReplay answers POST /v1/replays: 201 with the record of the bulk replay, or, with dry_run, 200 with what it would
// take.
func (a *API) createReplay(c *gin.Context) {
	var asked replayBody
	if err := readJSON(c, &asked); err != nil {
		a.refuseQuery(c, err)
		return
	}
	request, err := asked.request(a.Now())
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	request.Author = c.GetString(authorKey)
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	if asked.DryRun {
		preview, err := a.Replays.PreviewReplay(ctx, request.Match)
		a.answerQuery(c, http.StatusOK, preview, err)
		return
	}
	created, err := a.Replays.CreateReplay(ctx, request)
	a.answerQuery(c, http.StatusCreated, created, err)
}

// replayFilters are the parameters of GET /v1/events that narrow a set; the others order and page a listing.
var replayFilters = []string{"account", "error", "error_type", "note", "provider", "q", "since", "status", "type", "until"}

// request checks what was asked for. A filter must be there, if only an empty one: who leaves it out by mistake does not
// mean every event.
func (b *replayBody) request(now time.Time) (event.ReplayRequest, error) {
	var r event.ReplayRequest
	var err error
	if r.From, err = beginning(b.From); err != nil {
		return r, err
	}
	if b.Rate != nil {
		if r.Rate = *b.Rate; r.Rate <= 0 || r.Rate > maxRate {
			return r, badBody("The value of rate is not above 0 and at most %d events a second.", maxRate)
		}
	}
	if b.Filter == nil {
		return r, badBody("The filter is missing; write {} to mean every event that is completed or failed.")
	}
	values := url.Values{}
	for name, raw := range b.Filter {
		if !slices.Contains(replayFilters, name) {
			return r, badBody("There is no filter %s; there are %s.", short(name), strings.Join(replayFilters, ", "))
		}
		value, ok := filterValue(name, raw)
		if !ok {
			return r, badBody("The filter %s is not a string.", name)
		}
		values.Set(name, value)
	}
	if r.Match, err = parseFilter(values.Encode(), now); err != nil {
		return r, err
	}
	if r.Match.Status != "" && !r.Match.Status.Final() {
		return r, badBody("Only completed and failed events can be replayed, not %s ones.", r.Match.Status)
	}
	r.Filter, err = json.Marshal(shownFilter(values, r.Match))
	return r, err
}

// filterValue is a filter as it would stand in a query. q may be JSON itself instead of a string that holds it.
func filterValue(name string, raw json.RawMessage) (string, bool) {
	var value string
	if json.Unmarshal(raw, &value) == nil && string(raw) != "null" {
		return value, true
	}
	return string(raw), name == "q" && string(raw) != "null"
}

// shownFilter keeps what was asked for, with times in the place of durations: two hours ago is another time tomorrow.
func shownFilter(values url.Values, f event.Filter) map[string]string {
	shown := map[string]string{}
	for name := range values {
		shown[name] = values.Get(name)
	}
	for name, at := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !at.IsZero() {
			shown[name] = at.Format(time.RFC3339Nano)
		}
	}
	return shown
}

// listReplays answers GET /v1/replays: the newest hundred.
func (a *API) listReplays(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	found, err := a.Replays.ListReplays(ctx, shownReplays)
	if found == nil {
		found = []event.Replay{}
	}
	a.answerQuery(c, http.StatusOK, map[string]any{"replays": found}, err)
}

// showReplay answers GET /v1/replays/{id} with how far it is.
func (a *API) showReplay(c *gin.Context) {
	a.onReplay(c, a.Replays.FindReplay)
}

// steerReplay answers POST /v1/replays/{id}/pause, resume and stop: 200 with the record. To ask for the state that it has
// changes nothing.
func (a *API) steerReplay(to event.ReplayState) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := readNoJSON(c); err != nil {
			a.refuseQuery(c, err)
			return
		}
		a.onReplay(c, func(ctx context.Context, id string) (event.Replay, error) {
			return a.Replays.SteerReplay(ctx, id, to, c.GetString(authorKey))
		})
	}
}

func (a *API) onReplay(c *gin.Context, do func(ctx context.Context, id string) (event.Replay, error)) {
	id, ok := uuidBytes(c.Param("id"))
	if !ok {
		writeProblem(c, errNoReplay)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	replay, err := do(ctx, uuidText(id[:]))
	a.answerQuery(c, http.StatusOK, replay, err)
}

func (a *API) answerQuery(c *gin.Context, status int, answer any, err error) {
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	writeJSON(c, status, "application/json", answer)
}
