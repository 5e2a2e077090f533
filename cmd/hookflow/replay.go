package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"hookflow/event"
)

// replayFlags say what is replayed, and how.
type replayFlags struct {
	opsFlags
	filter      filterFlags
	from        string
	rate        float64
	yes, dryRun bool
}

// newReplayCommand returns "hookflow replay", of events by name or of all that a filter means.
func newReplayCommand(env environment) *cobra.Command {
	var flags replayFlags
	cmd := quiet(&cobra.Command{
		Use: "replay [ID…]", Short: "Run completed or failed events once more", Args: cobra.ArbitraryArgs,
		Long: `Run completed or failed events once more: those named, or all that the filters mean.

ID is an event's uuid or its key, provider:event_id. With filters instead, the events are counted, and replayed once you
agree; the set is fixed at that moment, so an event that fails again is not replayed twice. The replay is the server's: it
goes on when this command ends (see hookflow replays).

Steps that are completed are not repeated; --from start repeats all of them, under new idempotency keys.`,
		Example: `  hookflow replay stripe:evt_1
  hookflow replay --status failed --type 'checkout.*' --since 2h --rate 50`,
	})
	flags.opsFlags.add(cmd)
	flags.filter.add(cmd)
	flags.filter.addTime(cmd)
	f := cmd.Flags()
	f.StringVar(&flags.from, "from", "failure", "failure (completed steps are not repeated) or start (all are)")
	f.Float64Var(&flags.rate, "rate", 0, "events a second at most (default: as many as the server can start)")
	f.BoolVarP(&flags.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&flags.dryRun, "dry-run", false, "count only")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		filter := flags.filter.query()
		switch {
		case len(args) > 0 && len(filter) > 0:
			return usageError("name events or give filters, not both")
		case len(args) == 0 && len(filter) == 0:
			return usageError("name events, or say which ones with --status, --type, --since, …; --type '*' means all of them")
		case flags.rate < 0:
			return usageError("--rate is a number of events a second")
		}
		server, err := flags.open(env)
		if err != nil {
			return err
		}
		if len(args) > 0 {
			return replayEach(cmd.Context(), env, server, &flags, args)
		}
		return replayMany(cmd.Context(), env, server, &flags)
	}
	return cmd
}

// replayEach replays the events named, and fails when one of them was refused.
func replayEach(ctx context.Context, env environment, server *ops, flags *replayFlags, ids []string) error {
	if flags.dryRun {
		return usageError("--dry-run counts what filters mean; the events named are %d", len(ids))
	}
	refused := 0
	for _, id := range ids {
		body, err := server.send(ctx, http.MethodPost, eventPath(id)+"/replay", map[string]string{"from": flags.from})
		if err == nil {
			err = printReplayed(env, server, flags, id, body)
		}
		switch {
		case err != nil && len(ids) == 1:
			return err
		case err != nil:
			refused++
			fmt.Fprintf(env.stderr, "%s: %v\n", id, err)
		}
	}
	if refused > 0 {
		return failure("%d of %d were not replayed", refused, len(ids))
	}
	return nil
}

func printReplayed(env environment, server *ops, flags *replayFlags, id string, body []byte) error {
	if flags.output == "json" {
		return printJSON(env.stdout, body)
	}
	again, err := decode[event.Record](server, body)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "%s runs again: generation %d, status %s\nlook at it with: %s events show %s\n",
		id, again.Generation, again.Status, env.program(), id)
	return nil
}

// replayMany counts what the filters mean, asks, and follows the replay to its end.
func replayMany(ctx context.Context, env environment, server *ops, flags *replayFlags) error {
	asked := map[string]any{"filter": flags.filter.asJSON(), "from": flags.from}
	if flags.rate > 0 {
		asked["rate"] = flags.rate
	}
	asked["dry_run"] = true
	preview, err := post[event.ReplayPreview](ctx, server, "/v1/replays", asked)
	if err != nil {
		return err
	}
	if flags.dryRun && flags.output == "json" {
		return printLine(env.stdout, preview)
	}
	printPreview(env, preview)
	if flags.dryRun || preview.Matched == 0 {
		return nil
	}
	if !flags.yes {
		question := "Replay " + counted(preview.Matched, "event")
		if flags.filter.status == "" {
			question += ", completed ones too"
		}
		if err := agree(env, question+"? [y/N] ", "nothing was replayed"); err != nil {
			return err
		}
	}
	delete(asked, "dry_run")
	begun, err := post[event.Replay](ctx, server, "/v1/replays", asked)
	if err != nil {
		return err
	}
	return follow(ctx, env, server, begun, flags.output == "json")
}

func printPreview(env environment, preview event.ReplayPreview) {
	if preview.Matched == 0 {
		fmt.Fprintln(env.stderr, "no completed or failed events match")
		return
	}
	fmt.Fprintf(env.stderr, "%s to replay, the newest:\n", counted(preview.Matched, "event"))
	printTable(env.stderr, env.palette(env.stderr), preview.Sample)
}

// agree asks, and fails with otherwise for anything but a yes.
func agree(env environment, question, otherwise string) error {
	fmt.Fprint(env.stderr, question)
	answer, err := bufio.NewReader(env.stdin).ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || answer == "") {
		fmt.Fprintln(env.stderr)
		return failure("nobody answered; --yes does not ask")
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return failure("%s", otherwise)
}

// asJSON is the filter as POST /v1/replays takes it.
func (f *filterFlags) asJSON() map[string]string {
	values := map[string]string{}
	for name, value := range f.query() {
		values[name] = value[0]
	}
	return values
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
