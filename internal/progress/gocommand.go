package progress

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// GoCommand is a go command that compiles and was given -v, under which go prints each package as it compiles it, and none
// that its build cache has.
type GoCommand struct {
	What   string // what is built, as the beginning of a sentence: "Building the Temporal CLI"
	Total  int    // the packages that it compiles where the cache is empty; 0 where nobody counted
	Report Func
	Now    func() time.Time

	mu                   sync.Mutex
	began, compiling     time.Time // compiling is when the first package was done
	downloaded, compiled int
	kept                 []string // what go printed besides, which names the errors
}

// maxKept bounds the lines that are kept for an error.
const maxKept = 200

// Run runs cmd, whose standard error it reads, and reports how far it is. The error of a command that failed ends in what go
// printed.
func (g *GoCommand) Run(cmd *exec.Cmd) error {
	g.began = g.Now()
	lines, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("run go: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run go: %w", err)
	}
	stop := g.tick()
	g.follow(lines)
	stop()
	if err := cmd.Wait(); err != nil {
		return errors.Join(err, errors.New(strings.Join(g.kept, "\n")))
	}
	return nil
}

// tick reports every second until it is stopped: go prints nothing while it compiles a large package, or links.
func (g *GoCommand) tick() (stop func()) {
	done := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				g.mu.Lock()
				g.report()
				g.mu.Unlock()
			}
		}
	})
	return func() { close(done); ticking.Wait() }
}

func (g *GoCommand) report() {
	if g.Report != nil {
		g.Report(g.state(g.Now()))
	}
}

// follow reads go's output to its end. A package is a line without white space; "go: downloading …" is a module.
func (g *GoCommand) follow(output io.Reader) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		g.mu.Lock()
		g.count(lines.Text())
		g.report()
		g.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, output) // a line beyond the scanner's limit must not block go
}

func (g *GoCommand) count(line string) {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		g.downloaded++
	case line == "" || strings.ContainsAny(line, " \t") || strings.HasSuffix(line, ":"):
		if len(g.kept) < maxKept {
			g.kept = append(g.kept, line)
		}
	default:
		if g.compiled++; g.compiling.IsZero() {
			g.compiling = g.Now()
		}
	}
}

// state says how far the command is. The estimate supposes that the rest goes as fast as what is done, which holds where the
// build cache was empty; linking comes on top.
func (g *GoCommand) state(now time.Time) Report {
	spent := now.Sub(g.began).Round(time.Second)
	switch {
	case g.compiled == 0 && g.downloaded == 0:
		return Report{Passing: true, Text: fmt.Sprintf("%s (%s).", g.What, spent)}
	case g.compiled == 0:
		return Report{Passing: true, Text: fmt.Sprintf("%s: %d modules downloaded (%s).", g.What, g.downloaded, spent)}
	case g.Total > 0 && g.compiled >= g.Total:
		return Report{Passing: true, Text: fmt.Sprintf("%s: all %d packages compiled, linking (%s).", g.What, g.compiled, spent)}
	case g.Total == 0:
		return Report{Passing: true, Text: fmt.Sprintf("%s: %d packages compiled (%s).", g.What, g.compiled, spent)}
	}
	left := time.Duration(float64(now.Sub(g.compiling)) / float64(g.compiled) * float64(g.Total-g.compiled)).Round(10 * time.Second)
	return Report{Passing: true, Done: g.compiled, Total: g.Total, Text: fmt.Sprintf("%s: %d of %d packages (%d %%), %s so far, about %s left.",
		g.What, g.compiled, g.Total, g.compiled*100/g.Total, spent, left)}
}
