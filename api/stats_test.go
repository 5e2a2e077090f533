package api

import (
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

func TestStats(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	require.JSONEq(t, `{"buckets":[]}`, ask(d, "GET", "/v1/stats").Body.String())
	day := event.Filter{Since: noon.Add(-24 * time.Hour), Until: noon}
	require.Equal(t, event.Counting{Match: day}, d.ledger.counting)

	empty, failed := "", event.Failed
	d.ledger.buckets = []event.Bucket{{Start: noon, Type: &empty, Status: &failed, Count: 2}}
	w := ask(d, "GET", "/v1/stats?by=status,type&bucket=15m&since=2h&until=1h&provider=acme&type=c*&error=no")
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"buckets":[{"start":"2026-03-01T12:00:00Z","type":"","status":"failed","count":2}]}`, w.Body.String())
	require.Equal(t, event.Counting{
		Match: event.Filter{Since: noon.Add(-2 * time.Hour), Until: noon.Add(-time.Hour), Provider: "acme", Type: "c*", Error: "no"},
		By:    []string{"status", "type"}, Bucket: 15 * time.Minute,
	}, d.ledger.counting)

	ask(d, "GET", "/v1/stats?until=7d")
	require.Equal(t, noon.AddDate(0, 0, -8), d.ledger.counting.Match.Since, "a day up to until")
	require.Equal(t, 200, ask(d, "GET", "/v1/stats?bucket=1d&since=365d").Code)
}

func TestStatsRefused(t *testing.T) {
	t.Parallel()
	for query, says := range map[string]string{
		"by=colour":            "by is not a list of provider, type, status",
		"by=":                  "provider, type, status",
		"by=type,type":         "each once at most",
		"bucket=90s":           "bucket is not a whole number of minutes from 1m to 24h",
		"bucket=0m":            "whole number of minutes",
		"bucket=25h":           "whole number of minutes",
		"bucket=2d":            "whole number of minutes",
		"bucket=-1h":           "whole number of minutes",
		"bucket=hour":          "whole number of minutes",
		"bucket=1m&since=7d":   "A bucket of 1m parts the time from since to until into more than 5000",
		"bucket=1h&since=365d": "A bucket of 1h",
		"since=1h&until=2h":    "since lies after until",
		"status=done":          "pending processing completed failed",
		"limit=1":              `no parameter "limit"; there are account, bucket, by, error, error_type, note, provider, since, status, type, until`,
	} {
		d := newDoor(t)
		w := ask(d, "GET", "/v1/stats?"+query)
		requireProblem(t, w.Result(), w.Body.Bytes(), 400, "query_invalid")
		_, err := parseCounting(query, noon)
		require.Contains(t, problemOf(err).Detail, says, query)
		require.Zero(t, d.ledger.counting)
	}
}
