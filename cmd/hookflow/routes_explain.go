package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"hookflow/activities"
	"hookflow/event"
	"hookflow/routing"

	"github.com/spf13/cobra"
)

// explained is what routes explain --output json prints.
type explained struct {
	File   string         `json:"file"`
	Routes []routing.Look `json:"routes"`
	Plan   routing.Plan   `json:"plan"`
}

func newRoutesExplainCommand(env environment) *cobra.Command {
	var file, payload, account, livemode string
	cmd := quiet(&cobra.Command{
		Use: "explain PROVIDER TYPE", Short: "Say which steps an event would take, and why", Args: exactly(2),
		Long: "Say which steps an event would take, and why, by the routes of HOOKFLOW_CONFIG, else the built-in ones.\n" +
			"Conditions that read the payload are unknown without one.",
		Example: "  hookflow routes explain stripe charge.refunded --payload refund.json\n" +
			"  hookflow events show stripe:evt_1 -o json | jq .payload | hookflow routes explain stripe charge.refunded --payload -",
	})
	flags := cmd.Flags()
	flags.StringVarP(&file, "file", "f", "", "the file of routes (default: HOOKFLOW_CONFIG, else the built-in one)")
	flags.StringVar(&payload, "payload", "", "a file with the body, JSON or a form; - for stdin")
	flags.StringVar(&account, "account", "", "what event.account is")
	flags.StringVar(&livemode, "livemode", "", "what event.livemode is: true or false (default: not said)")
	asJSON := outputFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		inJSON, err := asJSON()
		if err != nil {
			return err
		}
		e := &event.Event{Provider: args[0], Type: args[1], Account: account}
		if livemode != "" {
			live, err := strconv.ParseBool(livemode)
			if err != nil {
				return usageError("--livemode is true or false, not %q", livemode)
			}
			e.Livemode = &live
		}
		decoded, err := env.readPayload(payload)
		if err != nil {
			return err
		}
		name, table, problems, err := env.readRoutes(file)
		if err != nil {
			return err
		}
		if len(problems) > 0 {
			return failure("%v\nhookflow routes check says the same; nothing can be explained before it is right", routing.Problems(problems))
		}
		if err := knownProvider(e.Provider, table); err != nil {
			return err
		}
		found := explained{File: name, Routes: table.Explain(e, decoded), Plan: table.Plan(e, decoded)}
		if inJSON {
			return printLine(env.stdout, found)
		}
		found.print(env.stdout, e)
		return nil
	}
	return cmd
}

// knownProvider refuses a provider that no route names: most likely it is misspelt.
func knownProvider(provider string, table *routing.Table) error {
	for _, known := range table.Providers() {
		if known == provider {
			return nil
		}
	}
	if near := nearest(provider, table.Providers()); near != "" {
		return failure("no route is for %s; is it %s?", printable(provider), near)
	}
	return failure("no route is for %s, but for %s; its events are recorded and completed at once", printable(provider), strings.Join(table.Providers(), ", "))
}

// readPayload reads a body and decodes it as Begin does. It returns nil where none is asked for.
func (env environment) readPayload(file string) (json.RawMessage, error) {
	const most = 16 << 20
	var in io.Reader
	switch file {
	case "":
		return nil, nil
	case "-":
		in = env.stdin
	default:
		f, err := os.Open(file)
		if err != nil {
			return nil, failure("the payload cannot be read: %v", err)
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, most))
	if err != nil {
		return nil, failure("the payload cannot be read: %v", err)
	}
	e := event.Event{Body: bytes.TrimSpace(body)}
	if !json.Valid(e.Body) {
		e.ContentType = "application/x-www-form-urlencoded"
	}
	decoded := activities.DecodePayload(&e)
	if decoded == nil {
		return nil, failure("the payload is neither JSON nor a form")
	}
	return decoded, nil
}

// print writes the routes that were looked at and the steps, as tables.
func (found explained) print(w io.Writer, e *event.Event) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "ROUTE\tLINE\tVERDICT\tWHY\n")
	for _, look := range found.Routes {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", printable(look.Route), look.Line, look.Verdict, printable(look.Why))
	}
	table.Flush()
	fmt.Fprintln(w)
	if len(found.Plan.Steps) == 0 {
		fmt.Fprintf(w, "%s %s takes no step: it is recorded and completed at once.\n", printable(e.Provider), printable(e.Type))
	} else {
		fmt.Fprintf(table, "\tSTEP\tACTIVITY\tONE ATTEMPT\tALL\tRETRIES\n")
		for i, stage := range found.Plan.Stages() {
			for j, step := range stage {
				number := strconv.Itoa(i + 1)
				if step.Group > 0 {
					number += string(rune('a' + j%26))
				}
				printStep(table, number, step)
			}
		}
		table.Flush()
	}
	for _, look := range found.Routes {
		if look.Verdict == routing.Unknown {
			fmt.Fprintln(w, "\nThere may be more: give --payload for the conditions that read it.")
			return
		}
	}
}

func printStep(w io.Writer, number string, step routing.Step) {
	o := step.Options
	name := step.Name
	if step.Inline {
		name += " (inline)"
	}
	activity := step.Activity
	if step.TaskQueue != "" {
		activity += " on " + step.TaskQueue
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", number, name, activity, limit(o.StartToCloseTimeout), limit(o.ScheduleToCloseTimeout), retries(o.RetryPolicy))
}

// limit writes a time-out, as the file would.
func limit(d routing.Duration) string {
	if d == 0 {
		return "no limit"
	}
	return short(d.Std())
}

// short writes 72h0m0s as 72h.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// retries writes a policy in a few words, with Temporal's defaults where it says nothing.
func retries(p routing.RetryPolicy) string {
	if p.MaximumAttempts == 1 {
		return "none"
	}
	first, factor := p.InitialInterval.Std(), p.BackoffCoefficient
	if first == 0 {
		first = time.Second
	}
	if factor == 0 {
		factor = 2
	}
	longest := p.MaximumInterval.Std()
	if longest == 0 {
		longest = 100 * first
	}
	text := fmt.Sprintf("after %s, ×%g up to %s", short(first), factor, short(longest))
	if p.MaximumAttempts > 0 {
		text += fmt.Sprintf(", %d attempts", p.MaximumAttempts)
	}
	if len(p.NonRetryableErrorTypes) > 0 {
		text += ", not after " + strings.Join(p.NonRetryableErrorTypes, ", ")
	}
	return text
}
