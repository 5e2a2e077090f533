package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"hookflow/event"
)

// tableWidth is the width of a terminal that everybody has.
const tableWidth = 100

// maxTypeWidth leaves room for a uuid beside the other columns: 20 + 10 + 28 + 36 and three gaps of two.
const maxTypeWidth = 28

// statusWidth is that of the longest status.
const statusWidth = len(event.Processing)

// page is an answer of GET /v1/events.
type page struct {
	Events     []event.Record `json:"events"`
	NextCursor *string        `json:"next_cursor"`
}

// newEventsCommand returns "hookflow events list|show|tail|retry|cancel|erase".
func newEventsCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: "events", Short: "Ask which events came and what became of them"})
	var flags opsFlags
	flags.add(cmd)
	return family(env, cmd, newListCommand(env, &flags), newShowCommand(env, &flags), newTailCommand(env, &flags),
		newRetryCommand(env, &flags), newCancelCommand(env, &flags), newEraseCommand(env, &flags))
}

// filterFlags are the filters of GET /v1/events.
type filterFlags struct {
	provider, typ, status, account, note, errorType, failure, contains, since, until, order, cursor string
	limit                                                                                           int
}

func (f *filterFlags) add(cmd *cobra.Command) {
	f.addMatch(cmd)
	cmd.Flags().StringVar(&f.contains, "q", "", `JSON that the payload contains, such as '{"type":"invoice.paid"}'`)
}

// addMatch adds the filters on the row itself.
func (f *filterFlags) addMatch(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.provider, "provider", "", "stripe, twilio, vapi, …")
	flags.StringVar(&f.typ, "type", "", "event type, * and ? match any characters")
	flags.StringVar(&f.status, "status", "", "pending, processing, completed or failed")
	flags.StringVar(&f.account, "account", "", "account of the provider")
	flags.StringVar(&f.note, "note", "", "unevaluated: the condition of a route could not be evaluated")
	flags.StringVar(&f.errorType, "error-type", "", "type of the last error, such as InvalidPayload")
	flags.StringVar(&f.failure, "error", "", "what the last error's message contains")
}

// addTime adds the filters on the time, which tail sets itself.
func (f *filterFlags) addTime(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "", "received at or after: RFC 3339, or how long ago, such as 2h")
	flags.StringVar(&f.until, "until", "", "received before: RFC 3339, or how long ago")
}

// addPlace adds what orders and pages a listing.
func (f *filterFlags) addPlace(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.cursor, "cursor", "", "go on where the last page ended")
	flags.StringVar(&f.order, "order", "", "newest (the default) or oldest first")
	flags.IntVar(&f.limit, "limit", 50, "rows, 1 to 200")
}

// query leaves the checking to the server, which names what is wrong.
func (f *filterFlags) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"provider": f.provider, "type": f.typ, "status": f.status, "account": f.account, "q": f.contains,
		"note": f.note, "error_type": f.errorType, "error": f.failure, "since": f.since, "until": f.until, "order": f.order, "cursor": f.cursor,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.limit != 0 {
		q.Set("limit", strconv.Itoa(f.limit))
	}
	return q
}

func newListCommand(env environment, flags *opsFlags) *cobra.Command {
	var filter filterFlags
	cmd := quiet(&cobra.Command{
		Use: "list", Short: "List events, newest first", Args: exactly(0),
		Example: "  hookflow events list --provider stripe --status failed --since 2h",
	})
	filter.add(cmd)
	filter.addTime(cmd)
	filter.addPlace(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		server, err := flags.open(env)
		if err != nil {
			return err
		}
		if flags.output == "json" {
			body, err := server.call(cmd.Context(), http.MethodGet, "/v1/events", filter.query())
			if err != nil {
				return err
			}
			return printJSON(env.stdout, body)
		}
		found, err := fetch[page](cmd.Context(), server, http.MethodGet, "/v1/events", filter.query())
		if err != nil {
			return err
		}
		printList(env, found)
		return nil
	}
	return cmd
}

func printList(env environment, found page) {
	if len(found.Events) == 0 {
		fmt.Fprintln(env.stderr, "no events match")
		return
	}
	printTable(env.stdout, env.palette(env.stdout), found.Events)
	if found.NextCursor != nil {
		fmt.Fprintf(env.stderr, "more: --cursor %s\n", *found.NextCursor)
	}
}

// printTable writes a line per event, at most 100 columns wide. The last column is what show and replay take: the key
// where it fits, else the uuid.
func printTable(w io.Writer, p palette, events []event.Record) {
	typeWidth := len("TYPE")
	for _, e := range events {
		typeWidth = min(max(typeWidth, utf8.RuneCountInString(e.EventType)), maxTypeWidth)
	}
	writeRow(w, p, typeWidth, "RECEIVED", "STATUS", "TYPE", "EVENT")
	for _, e := range events {
		writeEvent(w, p, typeWidth, e)
	}
}

func writeEvent(w io.Writer, p palette, typeWidth int, e event.Record) {
	room := tableWidth - len("2006-01-02T15:04:05Z") - len(event.Processing) - typeWidth - 3*len("  ")
	name := event.Key(e.Provider, e.EventID)
	if utf8.RuneCountInString(name) > room {
		name = e.ID
	}
	writeRow(w, p, typeWidth, shortTime(e.ReceivedAt), e.Status, shorten(printable(e.EventType), typeWidth), name)
}

func writeRow(w io.Writer, p palette, typeWidth int, received string, status event.Status, typ, name string) {
	fmt.Fprintf(w, "%-20s  %s  %-*s  %s\n", received, p.status(status, statusWidth), typeWidth, typ, name)
}

// shortTime is RFC 3339 in UTC, to the second.
func shortTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// shorten cuts s to width characters, the last one an ellipsis.
func shorten(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	return string(runes[:width-1]) + "…"
}

// text returns what a pointer points to, "-" for nothing.
func text[T any](p *T) string {
	if p == nil {
		return "-"
	}
	if t, ok := any(*p).(time.Time); ok {
		return shortTime(t)
	}
	return strings.TrimSpace(printable(fmt.Sprint(*p)))
}
