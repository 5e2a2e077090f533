package progress

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// GoCommand is a go command that compiles and was given -v, under which go prints each package as it compiles it, and none
// that its build cache has.
type GoCommand struct {
	What   string // what is built, as the beginning of a sentence: "Building the Temporal CLI"
	Total  int    // the packages that it compiles where the cache is empty; 0 where nobody counted
	Report Func
	Now    func() time.Time

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
	g.follow(lines)
	if err := cmd.Wait(); err != nil {
		return errors.Join(err, errors.New(strings.Join(g.kept, "\n")))
	}
	return nil
}

// follow reads go's output to its end. A package is a line without white space; "go: downloading …" is a module.
func (g *GoCommand) follow(output io.Reader) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		switch line := lines.Text(); {
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
		if g.Report != nil {
			g.Report(g.state(g.Now()))
		}
	}
	_, _ = io.Copy(io.Discard, output) // a line beyond the scanner's limit must not block go
}

// state says how far the command is. The estimate supposes that the rest goes as fast as what is done, which holds where the
// build cache was empty; linking comes on top.
func (g *GoCommand) state(now time.Time) Report {
	spent := now.Sub(g.began).Round(time.Second)
	switch {
	case g.compiled == 0:
		return Report{Passing: true, Text: fmt.Sprintf("%s: %d modules downloaded (%s).", g.What, g.downloaded, spent)}
	case g.compiled >= g.Total:
		return Report{Passing: true, Text: fmt.Sprintf("%s: %d packages compiled (%s).", g.What, g.compiled, spent)}
	}
	left := time.Duration(float64(now.Sub(g.compiling)) / float64(g.compiled) * float64(g.Total-g.compiled)).Round(10 * time.Second)
	return Report{Passing: true, Done: g.compiled, Total: g.Total, Text: fmt.Sprintf("%s: %d of %d packages (%d %%), %s so far, about %s left.",
		g.What, g.compiled, g.Total, g.compiled*100/g.Total, spent, left)}
}
