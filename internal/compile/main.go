// Compile compiles packages of this module and reports how far it is, where `go build` and `go test` print nothing for
// minutes:
//
//	go run ./internal/compile -o bin/hookflow ./cmd/hookflow
//	go run ./internal/compile -race -test ./...
//
// With -test it compiles the tests of the packages too, so that `go test` finds all of it in the build cache and no test runs
// beside the compiler. It needs the standard library only, so it is there before the first module is downloaded.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"hookflow/internal/progress"
)

func main() {
	o := options{}
	flag.StringVar(&o.output, "o", "", "the file of the program, for one package")
	flag.BoolVar(&o.race, "race", false, "with the race detector")
	flag.BoolVar(&o.test, "test", false, "the tests of the packages, too")
	flag.Parse()
	report := progress.New(os.Stderr, "", progress.IsTerminal(os.Stderr), time.Now)
	if err := compile(o, flag.Args(), report); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type options struct {
	output     string
	race, test bool
}

// compile downloads the modules of the packages, counts what there is to compile, and compiles it.
func compile(o options, packages []string, report progress.Func) error {
	shared := []string{"-buildvcs=false"}
	if o.race {
		shared = append(shared, "-race")
	}
	list := append([]string{"list", "-deps"}, shared...)
	if o.test {
		list = append(list, "-test")
	}
	var names strings.Builder
	fetch := &progress.GoCommand{What: "Fetching the modules", Report: report, Now: time.Now}
	// Stale is what the build cache does not hold.
	cmd := exec.Command("go", append(append(list, "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"), packages...)...)
	cmd.Stdout = &names
	if err := fetch.Run(cmd); err != nil {
		return fmt.Errorf("list the packages: %w", err)
	}
	build := &progress.GoCommand{What: "Compiling", Total: strings.Count(names.String(), "\n"), Report: report, Now: time.Now}
	args := append([]string{"build", "-v"}, shared...)
	if o.output != "" {
		args = append(args, "-o", o.output)
	}
	if o.test {
		// -export compiles without linking: `go test` links each binary when its turn comes.
		args = append(list, "-v", "-export", "-f", "")
		build.What = "Compiling the tests"
	}
	if err := build.Run(exec.Command("go", append(args, packages...)...)); err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	return nil
}
