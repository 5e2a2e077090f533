package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hookflow/event"
)

func TestShowTellsTheStory(t *testing.T) {
	t.Parallel()
	at, step, ann, ms, attempt := time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC), "record", "ann", int64(1500), 2
	why, kind := "no\x1b[2Jroom", "Refused"
	var out output
	printDetail(&out, false, event.Detail{
		Plan:  json.RawMessage(`{"route":"checkouts","steps":[{"name":"a"},{"name":"b","group":1},{"name":"c","group":1}]}`),
		Steps: []event.StepRecord{{Step: "b", Status: event.Completed, Attempts: 1, FinishedAt: &at}, {Step: "c", Status: event.Processing}},
		Timeline: []event.Moment{
			{At: at, Kind: event.Received},
			{At: at, Kind: event.AttemptFailed, Step: &step, Attempt: &attempt, DurationMS: &ms, Error: &why, ErrorType: &kind},
			{At: at, Kind: event.AttemptsLeftOut, Step: &step, Detail: json.RawMessage(`{"count":37}`)},
			{At: at, Kind: event.Ended, DurationMS: &ms, Detail: json.RawMessage(`{"status":"failed"}`)},
			{At: at, Kind: event.Duplicated, Detail: json.RawMessage(`{"count":3}`)},
			{At: at, Kind: event.Replayed, Generation: 1, Author: &ann, Detail: json.RawMessage(`{"from":"start"}`)},
			{At: at, Kind: event.AnsweredLate, Step: &step, Detail: json.RawMessage(`["of another shape"]`)},
			{At: at, Kind: event.Erased, Author: &ann},
		},
	})
	require.Contains(t, out.String(), "plan           a, then b + c\nroute          checkouts\n")
	require.Contains(t, out.String(), "b                                 completed          1  2026-03-04T05:06:07.008Z  -\n")
	_, story, _ := strings.Cut(out.String(), "WHAT HAPPENED\n")
	story, _, _ = strings.Cut(story, "\n\n")
	require.Equal(t, strings.ReplaceAll(`AT received
AT attempt 2 of record failed after 1.5s: Refused: no\u001b[2Jroom
AT … 37 more failed attempts of record
AT failed after 1.5s
AT the last of 3 duplicates
AT replayed as generation 1 from the start by ann
AT answered late record
AT erased by ann`, "AT", "2026-03-04T05:06:07.008Z "), story)

	var none output
	printDetail(&none, false, event.Detail{Plan: json.RawMessage(`{}`)})
	require.Contains(t, none.String(), "plan           no route, so no steps\n")
	require.NotContains(t, none.String(), "WHAT HAPPENED")
}
