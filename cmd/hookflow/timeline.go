package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"hookflow/event"
	"hookflow/routing"
)

// printPlan writes which route matched and the steps that it takes.
func printPlan(w io.Writer, raw json.RawMessage) {
	var plan routing.Plan
	if len(raw) == 0 || string(raw) == "null" || json.Unmarshal(raw, &plan) != nil {
		return // no run has begun
	}
	steps := "no route, so no steps"
	var stages []string
	for _, stage := range plan.Stages() {
		var together []string
		for _, step := range stage {
			together = append(together, printable(step.Name))
		}
		stages = append(stages, strings.Join(together, " + "))
	}
	if len(stages) > 0 {
		steps = strings.Join(stages, ", then ")
	}
	fmt.Fprintf(w, "%-14s %s\n", "plan", steps)
	if plan.Route != "" {
		fmt.Fprintf(w, "%-14s %s\n", "route", printable(plan.Route))
	}
	for _, note := range plan.Notes {
		fmt.Fprintf(w, "%-14s %s\n", "note", printable(note))
	}
}

// printTimeline writes a line per moment.
func printTimeline(w io.Writer, moments []event.Moment) {
	if len(moments) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-24s  %s\n", "TIME", "WHAT HAPPENED")
	for _, m := range moments {
		fmt.Fprintf(w, "%-24s  %s\n", fineTime(m.At), happened(m))
	}
}

// fineTime is a time to the millisecond, where what happened within a second is told apart.
func fineTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// happened says what a moment was, in words.
func happened(m event.Moment) string {
	said := strings.ReplaceAll(string(m.Kind), "_", " ")
	if m.Step != nil {
		said += " " + printable(*m.Step)
	}
	var detail struct {
		event.End
		event.Count
		From string `json:"from"`
	}
	_ = json.Unmarshal(m.Detail, &detail) // one of another shape says nothing here
	switch m.Kind {
	case event.Ended:
		said = string(detail.Status)
	case event.AttemptFailed:
		said = fmt.Sprintf("attempt %s of %s failed", text(m.Attempt), text(m.Step))
	case event.AttemptsLeftOut:
		said = fmt.Sprintf("… %d more failed attempts of %s", detail.Count.Count, text(m.Step))
	case event.Duplicated:
		said = fmt.Sprintf("the last of %s", counted(detail.Count.Count, "duplicate"))
	case event.Replayed:
		said = fmt.Sprintf("replayed as generation %d", m.Generation)
		if detail.From != "" {
			said += " from the " + printable(detail.From)
		}
	}
	if m.Author != nil {
		said += " by " + text(m.Author)
	}
	if m.DurationMS != nil {
		said += " after " + (time.Duration(*m.DurationMS) * time.Millisecond).String()
	}
	if why := reason(m.ErrorType, m.Error); why != "" {
		said += ": " + why
	}
	return said
}

// reason writes the type and the message of an error, as far as they are known.
func reason(errorType, message *string) string {
	var parts []string
	for _, part := range []*string{errorType, message} {
		if part != nil {
			parts = append(parts, shorten(text(part), 120))
		}
	}
	return strings.Join(parts, ": ")
}
