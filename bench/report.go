package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// table is printed so that it reads in a terminal and in Markdown.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t table) String() string {
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, text := range row {
			width[i] = max(width[i], utf8.RuneCountInString(text))
		}
	}
	var out strings.Builder
	line := func(row []string, fill string) {
		out.WriteString("|")
		for i, text := range row {
			out.WriteString(" " + text + strings.Repeat(fill, width[i]-utf8.RuneCountInString(text)) + " |")
		}
		out.WriteString("\n")
	}
	line(t.head, " ")
	line(make([]string, len(t.head)), "-")
	for _, row := range t.rows {
		line(row, " ")
	}
	return out.String()
}

// goal is a figure with what it should be.
type goal struct {
	what, want, got string
	reached         bool
}

// atLeast notes a goal; a figure of 0 was not measured.
func (b *bench) atLeast(what string, got, want float64) {
	if got > 0 {
		b.goal(what, fmt.Sprintf("≥ %g ×", want), times(got), got >= want)
	}
}

func (b *bench) atMost(what string, got, want float64) {
	if got > 0 {
		b.goal(what, fmt.Sprintf("≤ %g ×", want), times(got), got <= want)
	}
}

func (b *bench) goal(what, want, got string, reached bool) {
	b.reached = append(b.reached, goal{what, want, got, reached})
}

// goals prints what was reached and what was missed.
func (b *bench) goals() {
	if len(b.reached) == 0 {
		return
	}
	t := table{head: []string{"goal", "wanted", "measured", ""}}
	for _, g := range b.reached {
		verdict := "reached"
		if !g.reached {
			verdict = "MISSED"
		}
		t.add(g.what, g.want, g.got, verdict)
	}
	b.print("\n## Goals\n\n%s", t)
}

// median of a figure over measurements; of an even number the lower middle one, so that it is one that was measured.
func median[S any, T cmp.Ordered](of []S, figure func(S) T) T {
	figures := make([]T, 0, len(of))
	for _, s := range of {
		figures = append(figures, figure(s))
	}
	slices.Sort(figures)
	if len(figures) == 0 {
		var none T
		return none
	}
	return figures[(len(figures)-1)/2]
}

func times(r float64) string {
	if r == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f ×", r)
}

func mebibytes(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

// short writes a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// describe prints the machine, the versions, and what makes the servers durable.
func (b *bench) describe(ctx context.Context) error {
	var version, fsync, commit, sync string
	err := b.ledger.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('fsync'),
		current_setting('synchronous_commit'), current_setting('wal_sync_method')`).Scan(&version, &fsync, &commit, &sync)
	if err != nil {
		return err
	}
	b.print("hookflow bench, %s\n\n", time.Now().UTC().Format("2006-01-02 15:04 MST"))
	b.print("%s %s/%s, %d cores%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor())
	b.print("Postgres %s, fsync %s (%s), synchronous_commit %s\n", version, fsync, sync, commit)
	b.print("Temporal's dev server (%s) on its file, journal_mode=wal, synchronous=normal; SDK %s\n",
		temporalVersion(ctx, b.temporal.Address()), moduleVersion("go.temporal.io/sdk"))
	return nil
}

// processor names the processor, on Linux.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return " (" + strings.TrimSpace(value) + ")"
		}
	}
	return ""
}

func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "unknown"
}

// test runs a test or benchmark of the module that counts something, and returns what it said.
func test(ctx context.Context, args ...string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "go", append([]string{"test"}, args...)...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.Split(string(out), "\n"), nil
}
