package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hookflow/event"
)

// newReplaysCommand returns "hookflow replays list|show|pause|resume|stop".
func newReplaysCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: "replays", Short: "Look at replays of many events, pause and stop them"})
	var flags opsFlags
	flags.add(cmd)
	return family(env, cmd,
		newReplayListCommand(env, &flags),
		newReplaysVerb(env, &flags, http.MethodGet, "show", "Show how far a replay is"),
		newReplaysVerb(env, &flags, http.MethodPost, "pause", "Let a replay rest; the events that it has moved go on"),
		newReplaysVerb(env, &flags, http.MethodPost, "resume", "Let a paused replay go on"),
		newReplaysVerb(env, &flags, http.MethodPost, "stop", "End a replay for good; the events that it has moved go on"),
	)
}

func newReplayListCommand(env environment, flags *opsFlags) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: "list", Short: "List the newest replays", Args: exactly(0)})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		server, err := flags.open(env)
		if err != nil {
			return err
		}
		body, err := server.call(cmd.Context(), http.MethodGet, "/v1/replays", nil)
		if err != nil {
			return err
		}
		if flags.output == "json" {
			return printJSON(env.stdout, body)
		}
		found, err := decode[struct{ Replays []event.Replay }](server, body)
		if err != nil {
			return err
		}
		if len(found.Replays) == 0 {
			fmt.Fprintln(env.stderr, "no replays")
			return nil
		}
		fmt.Fprintf(env.stdout, "%-20s  %-9s  %8s  %8s  %8s  %s\n", "CREATED", "STATE", "MATCHED", "DONE", "FAILED", "REPLAY")
		for _, r := range found.Replays {
			fmt.Fprintf(env.stdout, "%-20s  %-9s  %8d  %8d  %8d  %s\n",
				shortTime(r.CreatedAt), r.State, r.Matched, r.Completed+r.Failed+r.Skipped, r.Failed, r.ID)
		}
		return nil
	}
	return cmd
}

func newReplaysVerb(env environment, flags *opsFlags, method, verb, short string) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: verb + " ID", Short: short, Args: exactly(1)})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, err := flags.open(env)
		if err != nil {
			return err
		}
		path := "/v1/replays/" + url.PathEscape(args[0])
		if method == http.MethodPost {
			path += "/" + verb
		}
		body, err := server.send(cmd.Context(), method, path, nil)
		if err != nil {
			return err
		}
		if flags.output == "json" {
			return printJSON(env.stdout, body)
		}
		r, err := decode[event.Replay](server, body)
		if err != nil {
			return err
		}
		printReplay(env.stdout, r)
		return nil
	}
	return cmd
}

func printReplay(w io.Writer, r event.Replay) {
	line := func(name, value string) { fmt.Fprintf(w, "%-10s %s\n", name, value) }
	line("id", r.ID)
	line("state", string(r.State))
	line("author", printable(r.Author))
	line("filter", printable(strings.TrimSpace(string(r.Filter))))
	line("from", string(r.From))
	line("rate", rateText(r.Rate))
	line("created", shortTime(r.CreatedAt))
	line("finished", text(r.FinishedAt))
	line("matched", strconv.Itoa(r.Matched))
	line("completed", strconv.Itoa(r.Completed))
	line("failed", strconv.Itoa(r.Failed))
	line("running", strconv.Itoa(r.Running))
	line("skipped", strconv.Itoa(r.Skipped))
	line("remaining", strconv.Itoa(r.Remaining))
}

func rateText(rate *float64) string {
	if rate == nil {
		return "as many as can be started"
	}
	return strconv.FormatFloat(*rate, 'f', -1, 64) + "/s"
}
