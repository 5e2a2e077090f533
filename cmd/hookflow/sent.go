package main

import (
	"cmp"
	"fmt"
	"maps"
	"time"
)

// sentOne is what send --output json prints of a single request: what does not apply is null.
type sentOne struct {
	Status    *int    `json:"status"` // null when nobody answered
	Outcome   *string `json:"outcome"`
	ID        *string `json:"id"`
	Key       *string `json:"key"`
	Answer    *string `json:"answer"`    // the provider's own, where there is one
	Answering *string `json:"answering"` // computed, late or failed, where a route replies
	TookMS    int64   `json:"took_ms"`
	Problem   *string `json:"problem"`
}

// sentMany is what it prints of several.
type sentMany struct {
	Sent     int            `json:"sent"`
	Outcomes map[string]int `json:"outcomes"`
	Failed   int            `json:"failed"`
	TookMS   int64          `json:"took_ms"`
	Problem  *string        `json:"problem"` // the first
}

// known is nil for what is not known.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// told says what came back for one request.
func (s *sending) told(got *receipt) error {
	if s.flags.json {
		err := printLine(s.env.stdout, sentOne{
			known(got.status), known(got.outcome), known(got.id), known(got.key), known(got.answer), known(got.how),
			got.took.Milliseconds(), known(got.problem),
		})
		if err != nil {
			return err
		}
	}
	switch {
	case got.problem != "":
		return failure("%s", got.problem)
	case s.flags.json:
		return nil
	}
	fmt.Fprintf(s.env.stdout, "%d %s in %d ms\n", got.status, got.outcome, got.took.Milliseconds())
	fmt.Fprintf(s.env.stdout, "id   %s\nkey  %s\n", got.id, got.key)
	answer := shorten(printable(got.answer), 300)
	switch {
	case got.how != "":
		fmt.Fprintf(s.env.stdout, "answered to %s (%s): %s\n", s.provider, got.how, cmp.Or(answer, "nothing"))
	case answer != "":
		fmt.Fprintf(s.env.stdout, "answered to %s: %s\n", s.provider, answer)
	}
	if got.outcome == "ignored" {
		fmt.Fprintln(s.env.stdout, "nothing was stored: this type is sent many times a second, and no route names it")
		return nil
	}
	fmt.Fprintf(s.env.stdout, "look at it with: %s events show %s\n", s.env.program(), got.key)
	return nil
}

// summarise says what came back for several.
func (s *sending) summarise() error {
	took := s.env.now().Sub(s.began)
	t := &s.tally
	if s.flags.json {
		outcomes := map[string]int{}
		maps.Copy(outcomes, t.outcomes) // {} rather than null
		if err := printLine(s.env.stdout, sentMany{t.sent, outcomes, t.failed, took.Milliseconds(), known(t.firstProblem)}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(s.env.stdout, "%d sent in %s (%.0f/s): %d accepted, %d duplicate, %d ignored, %d failed\n",
			t.sent, took.Round(time.Millisecond), float64(t.sent)/max(took.Seconds(), 0.001),
			t.outcomes["accepted"], t.outcomes["duplicate"], t.outcomes["ignored"], t.failed)
	}
	if t.failed > 0 {
		return failure("%d of %d failed, the first: %s", t.failed, t.sent, t.firstProblem)
	}
	if t.sent < s.flags.count {
		return failure("interrupted after %d of %d", t.sent, s.flags.count)
	}
	return nil
}
