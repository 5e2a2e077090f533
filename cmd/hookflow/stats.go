package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"hookflow/event"
)

// newStatsCommand returns "hookflow stats".
func newStatsCommand(env environment) *cobra.Command {
	var flags opsFlags
	var filter filterFlags
	var by, bucket string
	cmd := quiet(&cobra.Command{
		Use: "stats", Short: "Count events by status, provider, type and time", Args: exactly(0),
		Long: `Count the events that were received in the last 24 hours, or from --since to --until.

Buckets begin at whole multiples of their width since 1970 (UTC); the first and the last may be cut by the range. A bucket
without an event is left out.`,
		Example: "  hookflow stats --by provider,status\n  hookflow stats --by status --bucket 1h --provider stripe",
	})
	flags.add(cmd)
	f := cmd.Flags()
	f.StringVar(&by, "by", "status", "what to count by, parted by commas: provider, type, status; empty for the sum")
	f.StringVar(&bucket, "bucket", "", "width of a bucket, from 1m to 24h (default: one for the whole time)")
	filter.addMatch(cmd)
	filter.addTime(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		server, err := flags.open(env)
		if err != nil {
			return err
		}
		query := filter.query()
		for name, value := range map[string]string{"by": by, "bucket": bucket} {
			if value != "" {
				query.Set(name, value)
			}
		}
		return printStats(cmd, env, server, query, flags.output == "json")
	}
	return cmd
}

func printStats(cmd *cobra.Command, env environment, server *ops, query url.Values, asJSON bool) error {
	body, err := server.call(cmd.Context(), http.MethodGet, "/v1/stats", query)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(env.stdout, body)
	}
	found, err := decode[struct{ Buckets []event.Bucket }](server, body)
	if err != nil {
		return err
	}
	if len(found.Buckets) == 0 {
		fmt.Fprintln(env.stderr, "no events match")
		return nil
	}
	return writeCounts(env.stdout, found.Buckets, strings.Split(query.Get("by"), ","), query.Get("bucket") != "")
}

// writeCounts writes a line per bucket, without the columns that all of them lack.
func writeCounts(w io.Writer, buckets []event.Bucket, by []string, times bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(start, provider, typ, status, count string) {
		var cells []string
		if times {
			cells = append(cells, start)
		}
		for i, cell := range []string{provider, typ, status} {
			if slices.Contains(by, event.Groups[i]) {
				cells = append(cells, cell)
			}
		}
		fmt.Fprintln(table, strings.Join(append(cells, count), "\t"))
	}
	line("START", "PROVIDER", "TYPE", "STATUS", "EVENTS")
	for _, b := range buckets {
		line(shortTime(b.Start), text(b.Provider), text(b.Type), text(b.Status), fmt.Sprint(b.Count))
	}
	return table.Flush()
}
