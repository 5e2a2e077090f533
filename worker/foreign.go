package worker

import (
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"time"

	"hookflow/event"
	"hookflow/routing"
	"hookflow/store"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/time/rate"
)

// foreign recognises the tasks of another installation that shares the namespace and the task queue. They are left alone: their
// rows are in the other one's ledger, so here they could only fail. Temporal gives each to another poller, sooner or later one
// of theirs.
type foreign struct {
	store *store.Store
	log   *slog.Logger
	note  rate.Sometimes
}

func newForeign(s *store.Store, log *slog.Logger) *foreign {
	return &foreign{store: s, log: log, note: rate.Sometimes{Interval: time.Minute}}
}

// identity is what a worker is called in Temporal: process, host, and which ledger it has.
func identity(ledger string) string {
	host, _ := os.Hostname() // "" is as good
	return fmt.Sprintf("%d@%s@%s", os.Getpid(), host, ledger)
}

var ledgerID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// LedgerOf returns the ledger of a worker with this identity, "" where it does not say: that of an older version, or of another
// program.
func LedgerOf(identity string) string {
	ledger := identity[strings.LastIndexByte(identity, '@')+1:]
	if !ledgerID.MatchString(ledger) {
		return ""
	}
	return ledger
}

// is reports whether i is another installation than ours, and logs so once a minute.
func (f *foreign) is(i event.Installation) bool {
	if !i.Foreign(event.Installation{Ledger: f.store.Ledger()}) {
		return false
	}
	f.note.Do(func() {
		f.log.Warn("tasks of another installation are left alone; give one of the two a HOOKFLOW_TASK_QUEUE of its own, or a namespace",
			"ledger", f.store.Ledger(), "other_ledger", i.Ledger)
	})
	return true
}

// ForeignTask begins the text with which a workflow task of another installation is given back. The SDK knows no other way than
// a panic, which it logs.
const ForeignTask = "a task of another installation"

// leave gives a workflow task back whose run is another installation's, before the run's code has done anything.
func (f *foreign) leave(in *interceptor.ExecuteWorkflowInput) {
	if len(in.Args) == 0 {
		return
	}
	if e, ok := in.Args[0].(event.Event); ok && f.is(e.Installation) {
		panic(fmt.Sprintf("%s (ledger %s)", ForeignTask, e.Installation.Ledger))
	}
}

// foreignPause is how soon Temporal offers an attempt of Begin or Finish to another poller.
const foreignPause = time.Second

// mirror fails an attempt of Begin or Finish for another installation's run. They are attempted without limit.
func (f *foreign) mirror(in *interceptor.ExecuteActivityInput) error {
	if len(in.Args) == 0 {
		return nil
	}
	var of event.Installation
	switch input := in.Args[0].(type) {
	case routing.BeginInput:
		of = input.Event.Installation
	case routing.FinishInput:
		of = input.Event.Installation
	}
	if !f.is(of) {
		return nil
	}
	return temporal.NewApplicationErrorWithOptions(ForeignTask, routing.LedgerUnavailable, temporal.ApplicationErrorOptions{NextRetryDelay: foreignPause})
}
