package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"hookflow/event"
)

func newRetryCommand(env environment, flags *opsFlags) *cobra.Command {
	cmd := quiet(&cobra.Command{
		Use: "retry ID", Short: "Attempt a waiting step now", Args: exactly(1),
		Long: `Attempt the step that waits for its next attempt now, instead of when its retry policy would; the attempts that it
has had stay counted. An event whose start was put off is started now.

ID is the event's uuid or its key, provider:event_id. A completed or failed event is replayed instead.`,
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return actOnEvent(cmd, env, flags, args[0], "retry", func(e event.Record) string {
			return fmt.Sprintf("%s goes on now: status %s, %d failed attempts so far", args[0], e.Status, e.Attempts)
		})
	}
	return cmd
}

func newCancelCommand(env environment, flags *opsFlags) *cobra.Command {
	cmd := quiet(&cobra.Command{
		Use: "cancel ID", Short: "End a pending or processing event as failed", Args: exactly(1),
		Long: `End an event that is pending or processing: it becomes failed, with error type cancelled, and can be replayed. The
step at work is not interrupted in the middle of its effect; what it did stays done.

ID is the event's uuid or its key, provider:event_id.`,
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return actOnEvent(cmd, env, flags, args[0], "cancel", func(e event.Record) string {
			if e.Status.Final() {
				return args[0] + " is cancelled"
			}
			return args[0] + " is being cancelled: its run writes the end"
		})
	}
	return cmd
}

// actOnEvent posts a verb to an event and prints what became of it.
func actOnEvent(cmd *cobra.Command, env environment, flags *opsFlags, id, verb string, say func(event.Record) string) error {
	server, err := flags.open(env)
	if err != nil {
		return err
	}
	body, err := server.send(cmd.Context(), http.MethodPost, eventPath(id)+"/"+verb, nil)
	if err != nil {
		return err
	}
	if flags.output == "json" {
		return printJSON(env.stdout, body)
	}
	e, err := decode[event.Record](server, body)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "%s\nlook at it with: %s events show %s\n", say(e), env.program(), id)
	return nil
}
