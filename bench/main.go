// Bench measures hookflow on real, durable servers and prints ratios side by side: go run ./bench, or make bench.
//
// Everything runs on this machine: a private Postgres with fsync and synchronous_commit on, Temporal's dev server on its
// file, hookflow as its own process, the load in another one. What a number means is in README.md. The same program is
// also its own helper processes (load, door, bare), so that memory and CPU of each can be told apart.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options say what is measured and for how long.
type options struct {
	parts       []string
	variants    []string
	temporal    []string
	connections []int
	rounds      int
	window      time.Duration
	events      int
	burst       int
	rows        int
	netHTTP     bool
	other       string
	profile     string
	markdown    string
}

// parts are the sections of the table, in order.
var parts = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"intake", (*bench).intake},
	{"completed", (*bench).completed},
	{"burst", (*bench).burst},
	{"replies", (*bench).replies},
	{"queries", (*bench).queries},
	{"counts", (*bench).counts},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the whole program, or one of its helper processes.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 2 {
		switch args[0] {
		case "load":
			return child(ctx, args[1], stdout, generate)
		case "door":
			return child(ctx, args[1], stdout, openDoor)
		case "bare":
			return child(ctx, args[1], stdout, runBare)
		}
	}
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	return measure(ctx, o, stdout, stderr)
}

// child runs a helper: its order as JSON in, its answer as JSON on standard output.
func child[Order, Answer any](ctx context.Context, order string, stdout io.Writer, do func(context.Context, Order, io.Writer) (Answer, error)) error {
	var o Order
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return err
	}
	answer, err := do(ctx, o, stdout)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(answer)
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	chosen := flags.String("parts", strings.Join(names, ","), "what to measure")
	variants := flags.String("variants", strings.Join(allVariants, ","), "which of the doors the part intake compares")
	temporal := flags.String("temporal", "dev,postgres", "the Temporal servers of the part completed: dev, postgres")
	connections := flags.String("connections", "1,64,256", "keep-alive connections of the part intake")
	flags.IntVar(&o.rounds, "rounds", 3, "rounds of the part intake; medians are printed")
	flags.DurationVar(&o.window, "window", 3*time.Second, "what is measured of one variant at one number of connections, after a second to warm up")
	flags.IntVar(&o.events, "events", 400, "events of one measurement of the part completed")
	flags.IntVar(&o.burst, "burst", 10_000, "events of the burst")
	flags.IntVar(&o.rows, "rows", 1_000_000, "events in the ledger that the part queries asks")
	flags.BoolVar(&o.netHTTP, "net-http", false, "load with net/http's client instead of the lean one; it takes as much of the cores as the handler")
	flags.StringVar(&o.other, "other", "", "another build of hookflow, measured beside this one as the variants other-all, other-api, other-away")
	flags.StringVar(&o.profile, "profile", "", "folder for CPU profiles of what the part intake measures (the last round's)")
	flags.StringVar(&o.markdown, "markdown", "", "file that the tables are written to as well")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.parts, o.variants, o.temporal = strings.Split(*chosen, ","), strings.Split(*variants, ","), strings.Split(*temporal, ",")
	for _, name := range o.parts {
		if !slices.Contains(names, name) {
			return o, fmt.Errorf("there is no part %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	for c := range strings.SplitSeq(*connections, ",") {
		n, err := strconv.Atoi(c)
		if err != nil || n < 1 {
			return o, fmt.Errorf("--connections %s: write numbers such as 1,64", *connections)
		}
		o.connections = append(o.connections, n)
	}
	return o, nil
}

// measure starts the servers, runs the parts and prints the tables.
func measure(ctx context.Context, o options, stdout, stderr io.Writer) error {
	began := time.Now()
	b, err := newBench(ctx, o, stdout, stderr)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.describe(ctx); err != nil {
		return err
	}
	for _, part := range parts {
		if !slices.Contains(o.parts, part.name) {
			continue
		}
		if err := part.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.goals()
	b.print("\nThe whole run took %s.\n", time.Since(began).Round(time.Second))
	return nil
}
