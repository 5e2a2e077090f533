package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"hookflow/event"
)

// newReplayCommand returns "hookflow replay ID".
func newReplayCommand(env environment) *cobra.Command {
	var flags opsFlags
	cmd := quiet(&cobra.Command{
		Use: "replay ID", Short: "Run a completed or failed event once more", Args: exactly(1),
		Long: `Run a completed or failed event once more, under the next generation.

ID is the event's uuid or its key, provider:event_id. An event that is still pending or processing is refused.`,
	})
	flags.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, err := flags.open(env)
		if err != nil {
			return err
		}
		if flags.output == "json" {
			body, err := server.call(cmd.Context(), http.MethodPost, eventPath(args[0])+"/replay", nil)
			if err != nil {
				return err
			}
			return printJSON(env.stdout, body)
		}
		again, err := fetch[event.Record](cmd.Context(), server, http.MethodPost, eventPath(args[0])+"/replay", nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "%s runs again: generation %d, status %s\nlook at it with: hookflow events show %s\n",
			args[0], again.Generation, again.Status, args[0])
		return nil
	}
	return cmd
}
