package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The doors that are compared, in the order of a round.
const (
	ceiling = "ceiling" // this handler storing nothing
	all     = "all"     // hookflow serve
	onlyAPI = "api"     // hookflow serve --only api
	away    = "away"    // the same while no Temporal answers: the ledger alone
	insert  = "insert"  // this handler, one INSERT per request
	direct  = "direct"  // this handler, one ExecuteWorkflow per request
)

var allVariants = []string{ceiling, all, onlyAPI, away, insert, direct}

// names are what the tables call the doors.
var names = map[string]string{
	ceiling: "this handler storing nothing (the ceiling)",
	all:     "hookflow serve (everything in one process)",
	onlyAPI: "hookflow serve --only api",
	away:    "hookflow serve --only api, Temporal away",
	insert:  "this handler, one plain INSERT per request",
	direct:  "this handler, one ExecuteWorkflow per request",
}

// warmUp passes before anything counts: connections, prepared statements, the runtime's heap.
const warmUp = time.Second

// nowhere is an address at which nobody listens.
const nowhere = "127.0.0.1:1"

// sample is one measurement of one door.
type sample struct {
	loadResult
	peak    int64
	busy    float64 // cores that the process used while it was measured and warmed up
	backlog int     // events accepted and not yet handed to Temporal at the end
}

// cell is a door at a number of connections.
type cell struct {
	variant     string
	connections int
}

// intake measures how fast events are acknowledged, the doors in turn, so that a slow spell of the machine meets all.
func (b *bench) intake(ctx context.Context) error {
	b.print("\n## Acknowledged requests\n")
	samples := map[cell][]sample{}
	for round := range b.rounds {
		for _, n := range b.connections {
			for _, variant := range b.variants {
				s, err := b.measureDoor(ctx, cell{variant, n}, fmt.Sprintf("%c%c", 'a'+round, 'a'+len(samples)%26))
				if err != nil {
					return fmt.Errorf("%s at %d connections: %w", variant, n, err)
				}
				b.say(fmt.Sprintf("round %d, %3d connections, %-9s %6.0f/s  p50 %-8s p99 %-8s %.2f cores, %d MiB, %d waiting %v",
					round+1, n, variant, s.PerSecond, short(s.P50), short(s.P99), s.busy, s.peak>>20, s.backlog, errorsOf(s.Errors)))
				samples[cell{variant, n}] = append(samples[cell{variant, n}], s)
			}
		}
	}
	for _, n := range b.connections {
		b.printDoors(samples, n)
	}
	b.judgeDoors(samples)
	return b.empty(ctx)
}

// measureDoor starts one door on an empty ledger, loads it, and ends it.
func (b *bench) measureDoor(ctx context.Context, c cell, prefix string) (sample, error) {
	if err := b.empty(ctx); err != nil {
		return sample{}, err
	}
	env, profiler, err := b.profileEnv()
	if err != nil {
		return sample{}, err
	}
	p, err := b.startVariant(ctx, c.variant, env)
	if err != nil {
		return sample{}, err
	}
	defer b.stopPrograms()
	taken := b.takeProfile(ctx, profiler, fmt.Sprintf("%s-%d", c.variant, c.connections), warmUp, b.window)
	before, began := p.usage(), time.Now()
	r, err := b.load(ctx, loadOrder{Address: p.address, Connections: c.connections, Prefix: prefix, Warm: warmUp, Window: b.window, NetHTTP: b.netHTTP})
	if err != nil {
		return sample{}, err
	}
	after := p.usage()
	s := sample{loadResult: r, peak: after.peak, busy: (after.cpu - before.cpu).Seconds() / time.Since(began).Seconds()}
	if err := <-taken; err != nil {
		return s, err
	}
	err = b.ledger.QueryRow(ctx, "SELECT count(*) FROM webhook_events WHERE status = 'pending' AND dispatched_at IS NULL").Scan(&s.backlog)
	return s, err
}

// startVariant starts a door, with a namespace of its own where it speaks to Temporal.
func (b *bench) startVariant(ctx context.Context, variant string, env []string) (*process, error) {
	order := doorOrder{Kind: variant, DatabaseURL: b.postgres.URL(), Temporal: b.temporal.Address()}
	if variant != ceiling && variant != insert {
		var err error
		if order.Namespace, err = namespace(ctx, order.Temporal); err != nil {
			return nil, err
		}
	}
	temporal := func(address string) []string {
		return append(env, "TEMPORAL_ADDRESS="+address, "TEMPORAL_NAMESPACE="+order.Namespace)
	}
	if kind, isOther := strings.CutPrefix(variant, "other-"); isOther {
		built := b.hookflow
		b.hookflow = b.other
		defer func() { b.hookflow = built }()
		variant = kind
	}
	switch variant {
	case all:
		return b.startHookflow(ctx, "", temporal(order.Temporal)...)
	case onlyAPI:
		return b.startHookflow(ctx, "api", temporal(order.Temporal)...)
	case away:
		return b.startHookflow(ctx, "api", temporal(nowhere)...)
	}
	return b.startDoor(ctx, order, env...)
}

// printDoors prints the medians at one number of connections. A ratio is the median of the rounds' own ratios.
func (b *bench) printDoors(samples map[cell][]sample, connections int) {
	t := table{head: []string{fmt.Sprintf("%d connections", connections), "acknowledged/s", "p50", "p99",
		"of the ceiling", "of the plain insert", "of the direct start", "cores", "RSS", "not acknowledged"}}
	for _, variant := range b.variants {
		c := cell{variant, connections}
		found := samples[c]
		failed := map[string]int{}
		for _, s := range found {
			for what, n := range s.Errors {
				failed[what] += n
			}
		}
		t.add(cmp.Or(names[variant], variant), fmt.Sprintf("%.0f", median(found, perSecond)), short(median(found, p50)), short(median(found, p99)),
			times(ratio(samples, c, ceiling, perSecond)), times(ratio(samples, c, insert, perSecond)), times(ratio(samples, c, direct, perSecond)),
			fmt.Sprintf("%.2f", median(found, func(s sample) float64 { return s.busy })),
			mebibytes(median(found, func(s sample) int64 { return s.peak })), errorsOf(failed))
	}
	b.print("\n%s", t)
}

func perSecond(s sample) float64 { return s.PerSecond }
func p50(s sample) time.Duration { return s.P50 }
func p99(s sample) time.Duration { return s.P99 }
func p50Nanos(s sample) float64  { return float64(s.P50) }
func errorsOf(e map[string]int) string {
	if len(e) == 0 {
		return "0"
	}
	var list []string
	for _, what := range slices.Sorted(maps.Keys(e)) {
		list = append(list, fmt.Sprintf("%d × %s", e[what], strings.TrimSpace(what)))
	}
	return strings.Join(list, ", ")
}

// ratio is the median, over the rounds, of a door's figure divided by another door's in the same round; 0 where one of
// them was not measured.
func ratio(samples map[cell][]sample, c cell, to string, of func(sample) float64) float64 {
	mine, others := samples[c], samples[cell{to, c.connections}]
	var each []float64
	for i := range min(len(mine), len(others)) {
		if of(others[i]) > 0 {
			each = append(each, of(mine[i])/of(others[i]))
		}
	}
	return median(each, func(r float64) float64 { return r })
}

// judgeDoors holds the ratios against the goals.
func (b *bench) judgeDoors(samples map[cell][]sample) {
	at := func(variant string, n int, to string, of func(sample) float64) float64 {
		return ratio(samples, cell{variant, n}, to, of)
	}
	b.atLeast("--only api of the ceiling, 64 connections", at(onlyAPI, 64, ceiling, perSecond), 0.55)
	b.atLeast("everything of the ceiling, 64 connections", at(all, 64, ceiling, perSecond), 0.4)
	b.atLeast("--only api of the plain insert, 64 connections", at(onlyAPI, 64, insert, perSecond), 2)
	b.atLeast("everything of the plain insert, 64 connections", at(all, 64, insert, perSecond), 2)
	b.atLeast("--only api of the direct start, 64 connections", at(onlyAPI, 64, direct, perSecond), 20)
	b.atLeast("everything of the direct start, 64 connections", at(all, 64, direct, perSecond), 20)
	b.atMost("p50 of --only api of the plain insert's, 1 connection", at(onlyAPI, 1, insert, p50Nanos), 1.3)
	b.atMost("p50 of everything of the plain insert's, 1 connection", at(all, 1, insert, p50Nanos), 1.3)
}
