package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"hookflow/event"
)

// tailWindow is how far back each poll looks again: rows become visible some milliseconds after the time they carry,
// and an event changes its status after it was first seen.
const tailWindow = time.Minute

// tailPage is the largest page of /v1.
const tailPage = 200

func newTailCommand(env environment, flags *opsFlags) *cobra.Command {
	var filter filterFlags
	var interval time.Duration
	var lines int
	cmd := quiet(&cobra.Command{
		Use: "tail", Short: "Follow events as they come and change their status", Args: exactly(0),
		Long: `Follow events as they come: one line for each new event, and for each change of its status that a look finds, up
to its last. Ends with Ctrl-C. With --output json each line is the event as an object.`,
	})
	filter.add(cmd)
	cmd.Flags().DurationVar(&interval, "interval", time.Second, "time between two looks")
	cmd.Flags().IntVar(&lines, "lines", 10, "events from before to begin with, 0 to 200")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		server, err := flags.open(env)
		if err != nil {
			return err
		}
		if interval <= 0 || lines < 0 || lines > tailPage {
			return usageError("--interval must be positive, --lines 0 to %d", tailPage)
		}
		t := &tail{env: env, server: server, filter: filter, json: flags.output == "json", seen: map[string]sighting{}}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
		defer stop()
		err = t.follow(ctx, lines, interval)
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil // Ctrl-C is how it ends
		}
		return err
	}
	return cmd
}

// tail remembers what it showed of the last window.
type tail struct {
	env    environment
	server *ops
	filter filterFlags
	json   bool
	seen   map[string]sighting // by the event's id

	lastLook time.Time // of the last poll that was answered
	waiting  bool      // the server was away at the last poll
}

// sighting is the state in which an event was shown.
type sighting struct {
	status     event.Status
	generation int
	received   time.Time
	looked     time.Time // when it was asked for by itself
}

func (t *tail) follow(ctx context.Context, lines int, interval time.Duration) error {
	if err := t.begin(ctx, lines); err != nil {
		return err
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := t.look(ctx); err != nil {
			return err
		}
	}
}

// begin shows the newest events and remembers the others of the window without a line.
func (t *tail) begin(ctx context.Context, lines int) error {
	t.lastLook = t.env.now()
	recent, err := t.changed(ctx, t.window())
	if err != nil {
		return err
	}
	t.remember(recent)
	if lines == 0 {
		return nil
	}
	newest, err := t.page(ctx, url.Values{"limit": {strconv.Itoa(lines)}})
	if err != nil {
		return err
	}
	return t.show(newest.Events)
}

// look shows what is new. A server that is away is waited for: tail is what one watches during a restart.
func (t *tail) look(ctx context.Context) error {
	began := t.env.now()
	news, err := t.changed(ctx, t.window())
	var away *unreachable
	switch {
	case errors.As(err, &away):
		if !t.waiting && ctx.Err() == nil {
			fmt.Fprintf(t.env.stderr, "%s; waiting for it\n", away.message)
		}
		t.waiting = true
		return nil
	case err != nil:
		return err
	}
	t.lastLook, t.waiting = began, false
	return t.show(news)
}

// window is how long ago the next look begins, in the server's own clock: /v1 takes durations.
func (t *tail) window() time.Duration { return t.env.now().Sub(t.lastLook) + tailWindow }

// changed reads the whole window: behind a page of events that are known there may be older ones that have changed. What came
// before it and was not final is looked at by itself.
func (t *tail) changed(ctx context.Context, window time.Duration) ([]event.Record, error) {
	query := url.Values{"since": {window.Round(time.Second).String()}, "limit": {strconv.Itoa(tailPage)}}
	var news []event.Record
	listed := map[string]bool{}
	for {
		found, err := t.page(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, e := range found.Events {
			listed[e.ID] = true
		}
		fresh := slices.DeleteFunc(found.Events, t.known)
		news = append(news, fresh...)
		if found.NextCursor == nil {
			late, err := t.late(ctx, listed)
			return append(news, late...), err
		}
		query.Set("cursor", *found.NextCursor)
	}
}

// lateEvents is how many events from before the window one look asks for.
const lateEvents = 50

// late returns those of the events that are older than the window, which is listed, were not final, and have changed. With a filter by status an
// event that changes leaves what is followed.
func (t *tail) late(ctx context.Context, listed map[string]bool) ([]event.Record, error) {
	if t.filter.status != "" {
		return nil, nil
	}
	var open []string
	for id, shown := range t.seen {
		if !shown.status.Final() && !listed[id] {
			open = append(open, id)
		}
	}
	slices.SortFunc(open, func(a, b string) int { return t.seen[a].looked.Compare(t.seen[b].looked) })
	var news []event.Record
	for _, id := range open[:min(len(open), lateEvents)] {
		found, err := fetch[event.Detail](ctx, t.server, http.MethodGet, eventPath(id), nil)
		var away *unreachable
		switch {
		case errors.As(err, &away):
			return nil, err
		case err != nil: // it is gone, with its ledger
			delete(t.seen, id)
			continue
		}
		shown := t.seen[id]
		shown.looked = t.env.now()
		t.seen[id] = shown
		if !t.known(found.Record) {
			news = append(news, found.Record)
		}
	}
	return news, nil
}

func (t *tail) page(ctx context.Context, query url.Values) (page, error) {
	filter := t.filter.query()
	maps.Copy(filter, query)
	return fetch[page](ctx, t.server, http.MethodGet, "/v1/events", filter)
}

func (t *tail) known(e event.Record) bool {
	shown, ok := t.seen[e.ID]
	return ok && shown.status == e.Status && shown.generation == e.Generation
}

// show prints events that came newest first, oldest first.
func (t *tail) show(events []event.Record) error {
	t.remember(events)
	for _, e := range slices.Backward(events) {
		if !t.json {
			writeEvent(t.env.stdout, t.env.palette(t.env.stdout), maxTypeWidth, e)
			continue
		}
		if err := printLine(t.env.stdout, e); err != nil {
			return err
		}
	}
	return nil
}

// maxSeen bounds what is remembered, whatever never ends.
const maxSeen = 100_000

// remember keeps the states of the last two windows, and of what is not final.
func (t *tail) remember(events []event.Record) {
	for _, e := range events {
		t.seen[e.ID] = sighting{status: e.Status, generation: e.Generation, received: e.ReceivedAt}
	}
	if len(events) == 0 {
		return
	}
	oldest := events[0].ReceivedAt.Add(-2 * tailWindow)
	maps.DeleteFunc(t.seen, func(_ string, s sighting) bool {
		return s.received.Before(oldest) && (s.status.Final() || len(t.seen) > maxSeen)
	})
}
