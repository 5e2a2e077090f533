package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

var (
	benchmarkLine = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(\S+) ns/op\s+(\d+) B/op\s+(\d+) allocs/op`)
	costLine      = regexp.MustCompile(`(inline|ordinary): (\d+) history events, (\d+) bytes, (\d+) workflow tasks, (\d+) round trips`)
)

// counts asks the tests that hold the exact counts for what they count.
func (b *bench) counts(ctx context.Context) error {
	b.stopPrograms()
	t := table{head: []string{"exact counts, held by tests", "", "test"}}
	lines, err := test(ctx, "-run", "^$", "-bench", "AcceptedRequest", "-benchtime", "20000x", "-benchmem", "hookflow/api")
	if err != nil {
		return err
	}
	for _, line := range lines {
		if m := benchmarkLine.FindStringSubmatch(line); m != nil {
			t.add("an accepted request of 2 KiB at the door, without its provider and the ledger",
				fmt.Sprintf("%s allocations, %s bytes, %s ns", m[4], m[3], m[2]), "api: TestAllocationsOfAnAcceptedRequest")
		}
	}
	if lines, err = test(ctx, "-run", "^TestCostOfAnEvent$", "-count", "1", "-v", "hookflow/cmd/hookflow"); err != nil {
		return err
	}
	for _, line := range lines {
		if m := costLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			t.add("an event with one "+m[1]+" step", fmt.Sprintf("%s history events, %s workflow tasks, %s Postgres round trips, %s bytes of history",
				m[2], m[4], m[5], m[3]), "cmd/hookflow: TestCostOfAnEvent")
		}
	}
	if len(t.rows) != 3 {
		return fmt.Errorf("the tests that count said %d of 3 things", len(t.rows))
	}
	b.print("\n## Counts\n\n%s", t)
	return nil
}
