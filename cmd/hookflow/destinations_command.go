package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"hookflow/event"
)

// newDestinationsCommand returns "hookflow destinations list|pause|resume".
func newDestinationsCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: "destinations", Short: "Look at what steps forward to, pause and resume it"})
	var flags opsFlags
	flags.add(cmd)
	var body struct {
		Reason string `json:"reason"`
	}
	pause := newDestinationsVerb(env, &flags, "pause", "Send nothing more to a destination; its events wait and spend no attempts", &body)
	pause.Flags().StringVar(&body.Reason, "reason", "", "why, for those who look later")
	return family(env, cmd, newDestinationListCommand(env, &flags), pause,
		newDestinationsVerb(env, &flags, "resume", "Send to a destination again, and close its circuit", nil))
}

func newDestinationListCommand(env environment, flags *opsFlags) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: "list", Short: "List the destinations and how they stand", Args: exactly(0)})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		server, err := flags.open(env)
		if err != nil {
			return err
		}
		body, err := server.call(cmd.Context(), http.MethodGet, "/v1/destinations", nil)
		if err != nil {
			return err
		}
		if flags.output == "json" {
			return printJSON(env.stdout, body)
		}
		found, err := decode[struct{ Destinations []event.Destination }](server, body)
		if err != nil {
			return err
		}
		if len(found.Destinations) == 0 {
			fmt.Fprintln(env.stderr, "no destinations are configured")
			return nil
		}
		fmt.Fprintf(env.stdout, "%-20s  %-12s  %8s  %8s  %s\n", "DESTINATION", "STATE", "WAITING", "FAILURES", "ABOUT")
		for _, d := range found.Destinations {
			fmt.Fprintf(env.stdout, "%-20s  %-12s  %8s  %8d  %s\n",
				shorten(printable(d.Name), 20), d.State, text(d.Waiting), d.Failures, shorten(printable(aboutDestination(d)), 80))
		}
		return nil
	}
	return cmd
}

// aboutDestination says why it stands as it does, else where it is.
func aboutDestination(d event.Destination) string {
	switch {
	case d.PausedAt != nil:
		about := "paused " + shortTime(*d.PausedAt)
		if d.PausedBy != nil {
			about += " by " + *d.PausedBy
		}
		if d.PauseReason != nil {
			about += ": " + *d.PauseReason
		}
		return about
	case d.State == event.CircuitOpen && d.RetryAt != nil:
		return "one attempt at " + shortTime(*d.RetryAt) + "; " + text(d.LastFailure)
	case d.State == event.Probing:
		return "one attempt decides; " + text(d.LastFailure)
	case d.State == event.Removed:
		return "no longer configured; what waits for it fails"
	}
	return text(d.URL)
}

func newDestinationsVerb(env environment, flags *opsFlags, verb, short string, body any) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: verb + " NAME", Short: short, Args: exactly(1)})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, err := flags.open(env)
		if err != nil {
			return err
		}
		answer, err := server.send(cmd.Context(), http.MethodPost, "/v1/destinations/"+url.PathEscape(args[0])+"/"+verb, body)
		if err != nil {
			return err
		}
		if flags.output == "json" {
			return printJSON(env.stdout, answer)
		}
		d, err := decode[event.Destination](server, answer)
		if err != nil {
			return err
		}
		printDestination(env.stdout, d)
		return nil
	}
	return cmd
}

func printDestination(w io.Writer, d event.Destination) {
	line := func(name, value string) {
		if value != "-" && value != "" {
			fmt.Fprintf(w, "%-12s %s\n", name, value)
		}
	}
	line("name", printable(d.Name))
	line("state", string(d.State))
	line("url", text(d.URL))
	line("task queue", d.TaskQueue)
	line("waiting", text(d.Waiting))
	line("paused", text(d.PausedAt))
	line("paused by", text(d.PausedBy))
	line("reason", text(d.PauseReason))
	line("failures", strconv.Itoa(d.Failures))
	line("last failure", text(d.LastFailure))
}
