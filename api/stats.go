package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"hookflow/event"

	"github.com/gin-gonic/gin"
)

const (
	// defaultSpan is how far back counts go unless since says otherwise.
	defaultSpan = 24 * time.Hour
	// maxSpans bounds the buckets of a range: a week by two minutes, half a year by the hour.
	maxSpans = 5000
)

type stats struct {
	Buckets []event.Bucket `json:"buckets"`
}

// countEvents answers GET /v1/stats: how many events were received, by time and kind.
func (a *API) countEvents(c *gin.Context) {
	asked, err := parseCounting(c.Request.URL.RawQuery, a.Now())
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTime)
	defer cancel()
	buckets, err := a.Ledger.Count(ctx, asked)
	if err != nil {
		a.refuseQuery(c, err)
		return
	}
	if buckets == nil {
		buckets = []event.Bucket{}
	}
	writeJSON(c, http.StatusOK, "application/json", stats{buckets})
}

// countParameters are by and bucket, and those of a listing that narrow it.
var countParameters = func() map[string]parameter[event.Counting] {
	all := map[string]parameter[event.Counting]{"by": groups, "bucket": width}
	for _, name := range []string{"account", "error", "error_type", "note", "provider", "since", "status", "type", "until"} {
		narrow := parameters[name]
		all[name] = func(c *event.Counting, v string, now time.Time) string { return narrow(&c.Match, v, now) }
	}
	return all
}()

func groups(c *event.Counting, v string, _ time.Time) string {
	c.By = strings.Split(v, ",")
	for i, group := range c.By {
		if !slices.Contains(event.Groups, group) || slices.Contains(c.By[:i], group) {
			return fmt.Sprintf("is not a list of %s, each once at most, parted by commas", strings.Join(event.Groups, ", "))
		}
	}
	return ""
}

func width(c *event.Counting, v string, _ time.Time) string {
	d, err := time.ParseDuration(v)
	if v == "1d" {
		d, err = 24*time.Hour, nil
	}
	if c.Bucket = d; err != nil || d < time.Minute || d > 24*time.Hour || d%time.Minute != 0 {
		return "is not a whole number of minutes from 1m to 24h, such as 1m, 15m, 1h"
	}
	return ""
}

// parseCounting reads the query of GET /v1/stats.
func parseCounting(query string, now time.Time) (event.Counting, error) {
	asked, err := readParameters(query, countParameters, event.Counting{}, now)
	if err != nil {
		return asked, err
	}
	span := &asked.Match
	if span.Until.IsZero() {
		span.Until = now.UTC()
	}
	if span.Since.IsZero() {
		span.Since = span.Until.Add(-defaultSpan)
	}
	if err := checkSpan(*span); err != nil {
		return asked, err
	}
	if asked.Bucket > 0 && span.Until.Sub(span.Since)/asked.Bucket >= maxSpans {
		return asked, badQuery("A bucket of %s parts the time from since to until into more than %d; take a wider one or a shorter time.",
			shortDuration(asked.Bucket), maxSpans)
	}
	return asked, nil
}

// shortDuration writes a whole number of minutes without the zeroes behind it.
func shortDuration(d time.Duration) string {
	text := strings.TrimSuffix(d.String(), "0s")
	if rest, ok := strings.CutSuffix(text, "h0m"); ok {
		return rest + "h"
	}
	return text
}
