package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"hookflow/event"
)

const (
	// lookEvery is how often a replay that is followed is looked at; lineEvery, how often that makes a line where no bar can
	// be drawn.
	lookEvery = 500 * time.Millisecond
	lineEvery = 5 * time.Second
	// measured is how long a speed is measured before it is told.
	measured = 3 * time.Second
	barWidth = 30
)

// follow shows how far a replay is until it ends, and sums it up. It fails when events failed again or were left out.
// Ctrl-C ends the watching only.
func follow(ctx context.Context, env environment, server *ops, begun event.Replay, asJSON bool) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	p := &replayProgress{env: env, bar: isTerminal(env.stderr) && !asJSON, began: env.now()}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for now := begun; ; {
		p.show(now)
		if now.FinishedAt != nil && now.Running == 0 {
			p.clear()
			return summarise(env, now, asJSON)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		found, err := fetch[event.Replay](ctx, server, http.MethodGet, "/v1/replays/"+begun.ID, nil)
		var away *unreachable
		switch {
		case ctx.Err() != nil:
			p.clear()
			return failure("the replay goes on in the server\nlook at it with: %s replays show %s\nend it with:     %s replays stop %s",
				env.program(), begun.ID, env.program(), begun.ID)
		case errors.As(err, &away):
			p.say(away.message + "; the replay goes on when it is back")
		case err != nil:
			return err
		default:
			now = found
		}
	}
}

// replayProgress draws a bar on a terminal, and writes lines elsewhere.
type replayProgress struct {
	env      environment
	bar      bool
	began    time.Time
	lastLine time.Time
	last     string
}

func (p *replayProgress) show(r event.Replay) {
	text := p.line(r)
	if p.bar {
		fmt.Fprintf(p.env.stderr, "\r\033[K%s %s", bar(r), text)
		return
	}
	p.say(text)
}

// say writes a line, unless it says what the last one did, or comes too soon after it.
func (p *replayProgress) say(text string) {
	if p.bar {
		fmt.Fprintf(p.env.stderr, "\r\033[K%s", text)
		return
	}
	if now := p.env.now(); text != p.last && now.Sub(p.lastLine) >= lineEvery {
		fmt.Fprintln(p.env.stderr, text)
		p.last, p.lastLine = text, now
	}
}

func (p *replayProgress) clear() {
	if p.bar {
		fmt.Fprint(p.env.stderr, "\r\033[K")
	}
}

// line says how many events are done, how fast that goes, and how long the rest will take at that speed.
func (p *replayProgress) line(r event.Replay) string {
	done := r.Completed + r.Failed + r.Skipped
	text := fmt.Sprintf("%d of %d", done, r.Matched)
	if r.State != event.ReplayRunning {
		text += ", " + string(r.State)
	}
	if r.Failed > 0 {
		text += fmt.Sprintf(", %d failed", r.Failed)
	}
	if elapsed := p.env.now().Sub(p.began); elapsed >= measured && done > 0 {
		speed := float64(done) / elapsed.Seconds()
		text += fmt.Sprintf(", %.0f/s", speed)
		if left := float64(r.Matched-done) / speed; left >= 1 && r.State == event.ReplayRunning {
			text += ", " + time.Duration(left*float64(time.Second)).Round(time.Second).String() + " left"
		}
	}
	return text
}

func bar(r event.Replay) string {
	filled := barWidth
	if r.Matched > 0 {
		filled = barWidth * (r.Completed + r.Failed + r.Skipped) / r.Matched
	}
	return "[" + strings.Repeat("=", filled) + strings.Repeat(" ", barWidth-filled) + "]"
}

// summarise prints the end of a replay, and fails when something is left to be done.
func summarise(env environment, r event.Replay, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(env.stdout).Encode(r); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(env.stdout, outcome(r))
	}
	switch {
	case r.Failed > 0:
		return failure("%s failed again; see hookflow events list --status failed", counted(r.Failed, "event"))
	case r.State == event.ReplayStopped:
		return failure("the replay was stopped with %s left", counted(r.Remaining, "event"))
	}
	return nil
}

func outcome(r event.Replay) string {
	text := fmt.Sprintf("%s replayed: %d completed, %d failed", counted(r.Moved, "event"), r.Completed, r.Failed)
	if r.Skipped > 0 {
		text += fmt.Sprintf("; %d skipped, since they had moved on or lost their content", r.Skipped)
	}
	if r.FinishedAt != nil {
		text += fmt.Sprintf("; in %s", r.FinishedAt.Sub(r.CreatedAt).Round(100*time.Millisecond))
	}
	return text
}
