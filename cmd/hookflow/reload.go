package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"hookflow/config"
	"hookflow/event"
	"hookflow/providers"
	"hookflow/routing"
)

// liveRoutes are the routes in force. A reload swaps them as a whole, so that each event meets one file; events in
// flight have their plan in their history.
type liveRoutes struct {
	started    plan // with the file of the start
	on         map[string]bool
	activities []string
	log        *slog.Logger
	table      atomic.Pointer[routing.Table]
}

// newLiveRoutes reads the routes of the start.
func newLiveRoutes(p plan, on map[string]bool, activities []string, log *slog.Logger) (*liveRoutes, error) {
	live := &liveRoutes{started: p, on: on, activities: activities, log: log}
	table, err := routes(p, on, activities)
	live.table.Store(table)
	if err == nil {
		live.warnOfRetention(table)
	}
	return live, err
}

// shortRetention says that content is kept for less time than a step may take, "" where it is not: what fails at the end of that
// time should be there when somebody looks at it. Retention counts from the end of an event.
func shortRetention(kept time.Duration, table *routing.Table) string {
	longest, step := table.LongestDeadline()
	if kept <= 0 || kept >= longest {
		return ""
	}
	return fmt.Sprintf("HOOKFLOW_PAYLOAD_RETENTION keeps content for %s after an event's end, and step %s may take %s", days(kept), step, days(longest))
}

func (l *liveRoutes) warnOfRetention(table *routing.Table) {
	if what := shortRetention(l.started.config.PayloadRetention, table); what != "" {
		l.log.Warn("content is kept for a short time", "what", what)
	}
}

// Plan is that of the table in force.
func (l *liveRoutes) Plan(e *event.Event, payload json.RawMessage) routing.Plan {
	return l.table.Load().Plan(e, payload)
}

// Routed is that of the table in force.
func (l *liveRoutes) Routed(provider, eventType string) bool {
	return l.table.Load().Routed(provider, eventType)
}

// Destination is that of the table in force.
func (l *liveRoutes) Destination(name string) (routing.Destination, bool) {
	d, ok := l.Destinations()[name]
	return d, ok
}

// Destinations are those of the table in force.
func (l *liveRoutes) Destinations() map[string]routing.Destination {
	return l.table.Load().Destinations()
}

// reload reads the file again. A good one is in force when it returns; one with problems changes nothing, and the log
// says each of them.
func (l *liveRoutes) reload() {
	p := l.started
	if p.config.BuiltInFile() {
		l.log.Warn("SIGHUP: the routes are built in, there is no file to read again; HOOKFLOW_CONFIG names one")
		return
	}
	c, err := config.LoadFile(func(string) string { return l.started.config.FileName }, os.ReadFile)
	if err != nil {
		l.refuse(err)
		return
	}
	if _, err := providers.Setups(c.FileName, c.File); err != nil {
		l.refuse(err)
		return
	}
	p.config.File = c.File
	table, err := routes(p, l.on, l.activities)
	if err != nil {
		l.refuse(err)
		return
	}
	l.sayWhatStays(c.File)
	l.table.Store(table)
	l.warnOfRetention(table)
	l.log.Info("the routes were read again and are in force; events in flight keep their plans", "file", c.FileName, "routes", table.Len())
}

func (l *liveRoutes) refuse(err error) {
	for _, problem := range routeProblems(err) {
		l.log.Error("the routes were read again and are not right, so the old ones stay in force", "problem", problem.String())
	}
}

// reloadable are the sections of the file that a reload puts in force.
var reloadable = []string{"defaults", "destinations", "policies", "routes", "templates"}

// sayWhatStays logs the other sections that differ from those of the start.
func (l *liveRoutes) sayWhatStays(file []byte) {
	before, now := config.Sections(l.started.config.File), config.Sections(file)
	names := slices.Sorted(maps.Keys(before))
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, ok := before[name]; !ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if !slices.Contains(reloadable, name) && now[name] != before[name] {
			l.log.Warn("a section of the file has changed that is read at a start only; restart to put it in force", "section", name)
		}
	}
}

// follow reloads whenever it is told to, until ctx ends.
func (l *liveRoutes) follow(ctx context.Context, again <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
			l.reload()
		}
	}
}

// watchHangups returns a channel that says when the routes are to be read again: on SIGHUP, until ctx ends. A terminal
// that is closed also sends SIGHUP, to what was started from it; then gone is called.
func watchHangups(ctx context.Context, gone func()) <-chan struct{} {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	again := make(chan struct{})
	hadTerminal := terminal()
	go func() {
		defer signal.Stop(hangups)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
			}
			if hadTerminal && !terminal() {
				gone()
				return
			}
			select {
			case again <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return again
}

// terminal reports whether the process has a terminal that controls it.
func terminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	return tty.Close() == nil
}
