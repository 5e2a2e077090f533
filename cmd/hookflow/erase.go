package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"hookflow/event"
)

// newEraseCommand returns "hookflow events erase ID…".
func newEraseCommand(env environment, flags *opsFlags) *cobra.Command {
	var yes bool
	cmd := quiet(&cobra.Command{
		Use: "erase ID...", Short: "Erase the content of completed or failed events for good",
		Long: `Erase the content of completed or failed events for good: body, payload, results, error messages, what the built-in
handlers keep of people, and the histories in Temporal. The events stay known, so that they are not handled twice, and can
never be replayed.

ID is an event's uuid or its key, provider:event_id. It asks first, unless --yes is given. Exit code 1 when something is
left, with the reason; it may be repeated.`,
	})
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError("usage: %s", cmd.UseLine())
		}
		return nil
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, err := flags.open(env)
		if err != nil {
			return err
		}
		if !yes {
			question := fmt.Sprintf("erase the content of %s for good? [y/N] ", counted(len(args), "event"))
			if err := agree(env, question, "nothing was erased"); err != nil {
				return err
			}
		}
		var left error
		for _, id := range args {
			erased, err := fetch[event.Erasure](cmd.Context(), server, http.MethodDelete, eventPath(id)+"/content", nil)
			if err != nil {
				left = errors.Join(left, failure("%s: %v", id, err))
				continue
			}
			if err := printErasure(env, erased, flags.output == "json"); err != nil {
				return err
			}
		}
		if left != nil {
			return failure("%v", left)
		}
		return nil
	}
	return cmd
}

func printErasure(env environment, erased event.Erasure, asJSON bool) error {
	if asJSON {
		return printLine(env.stdout, erased)
	}
	what := "the content is erased"
	if !erased.Content {
		what = "there was no content any more"
	}
	_, err := fmt.Fprintf(env.stdout, "%s: %s; %s deleted from Temporal\n", printable(erased.Key), what, counted(erased.Histories, "run"))
	return err
}
