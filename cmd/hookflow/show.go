package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"hookflow/event"
)

func newShowCommand(env environment, flags *opsFlags) *cobra.Command {
	cmd := quiet(&cobra.Command{
		Use: "show ID", Short: "Show one event with its steps and content", Args: exactly(1),
		Long: "Show one event with its plan, its steps, what happened to it and its content. ID is its uuid or its key, provider:event_id.",
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, err := flags.open(env)
		if err != nil {
			return err
		}
		if flags.output == "json" {
			body, err := server.call(cmd.Context(), http.MethodGet, eventPath(args[0]), nil)
			if err != nil {
				return err
			}
			return printJSON(env.stdout, body)
		}
		found, err := fetch[event.Detail](cmd.Context(), server, http.MethodGet, eventPath(args[0]), nil)
		if err != nil {
			return err
		}
		printDetail(env.stdout, env.palette(env.stdout), found)
		return nil
	}
	return cmd
}

func printDetail(w io.Writer, p palette, e event.Detail) {
	line := func(name, value string) {
		if value != "-" && value != "" {
			fmt.Fprintf(w, "%-14s %s\n", name, value)
		}
	}
	line("id", e.ID)
	line("key", event.Key(e.Provider, e.EventID))
	line("type", printable(e.EventType))
	line("status", p.status(e.Status, 0))
	line("account", text(e.Account))
	line("livemode", text(e.Livemode))
	line("occurred", text(e.OccurredAt))
	line("received", shortTime(e.ReceivedAt))
	line("started", text(e.StartedAt))
	line("finished", text(e.FinishedAt))
	line("attempts", strconv.Itoa(e.Attempts))
	line("replays", strconv.Itoa(e.Generation))
	line("duplicates", strconv.Itoa(e.Duplicates))
	line("error type", text(e.LastErrorType))
	line("error", text(e.LastError))
	line("workflow", printable(e.WorkflowID))
	line("run", text(e.RunID))
	line("temporal", text(e.TemporalURL))
	printPlan(w, e.Plan)
	printSteps(w, p, e.Steps)
	printTimeline(w, e.Timeline)
	printContent(w, e)
}

func printSteps(w io.Writer, p palette, steps []event.StepRecord) {
	if len(steps) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-32s  %-10s  %8s  %-24s  %s\n", "STEP", "STATUS", "ATTEMPTS", "FINISHED", "ERROR")
	for _, s := range steps {
		finished := "-"
		if s.FinishedAt != nil {
			finished = fineTime(*s.FinishedAt)
		}
		fmt.Fprintf(w, "%-32s  %s  %8d  %-24s  %s\n",
			shorten(printable(s.Step), 32), p.status(s.Status, statusWidth), s.Attempts, finished, shorten(text(s.Error), 60))
	}
}

// printContent shows the payload, or else says where the content is.
func printContent(w io.Writer, e event.Detail) {
	var payload bytes.Buffer
	switch {
	case len(e.Payload) > 0 && string(e.Payload) != "null" && json.Indent(&payload, e.Payload, "", "  ") == nil:
		masked := ""
		if e.BodyMasked {
			masked = ", credentials masked"
		}
		fmt.Fprintf(w, "\npayload (%s, %d bytes%s)\n%s\n", text(e.ContentType), len(e.Body), masked, payload.String())
	case len(e.Body) > 0:
		fmt.Fprintf(w, "\npayload: not decoded yet, the run has not begun; the body has %d bytes (see --output json)\n", len(e.Body))
	default:
		fmt.Fprintln(w, "\npayload: erased")
	}
}
