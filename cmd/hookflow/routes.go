package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"hookflow/config"
	"hookflow/internal/yamlfile"
	"hookflow/routing"
	"hookflow/worker"

	"github.com/spf13/cobra"
)

// newRoutesCommand returns "hookflow routes check|explain|schema". They work on the file at hand; no server is needed.
func newRoutesCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: "routes", Short: "Check the routes, and ask what they do with an event"})
	return family(env, cmd, newRoutesCheckCommand(env), newRoutesExplainCommand(env), newRoutesSchemaCommand(env))
}

// atMostOne takes a file or none.
func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError("usage: %s", cmd.UseLine())
	}
	return nil
}

// outputFlag adds --output and returns a function that says whether it is json.
func outputFlag(cmd *cobra.Command) func() (bool, error) {
	output := cmd.Flags().StringP("output", "o", "table", "table or json")
	return func() (bool, error) {
		if *output != "table" && *output != "json" {
			return false, usageError("--output is table or json, not %q", *output)
		}
		return *output == "json", nil
	}
}

func newRoutesSchemaCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the file, for editors", Args: exactly(0),
		Example: "  hookflow routes schema > hookflow.schema.json\n  # and in the file:\n  # yaml-language-server: $schema=hookflow.schema.json",
	})
	cmd.RunE = func(*cobra.Command, []string) error {
		_, err := env.stdout.Write(config.Schema)
		return err
	}
	return cmd
}

// checked is what routes check --output json prints.
type checked struct {
	File      string            `json:"file"`
	Routes    int               `json:"routes"`
	Providers []string          `json:"providers"`
	Problems  []routing.Problem `json:"problems"`
	Warnings  []string          `json:"warnings,omitempty"`
}

func newRoutesCheckCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{
		Use: "check [FILE]", Short: "Check a file of routes as the start does", Args: atMostOne,
		Long: "Check a file of routes as the start does: HOOKFLOW_CONFIG, else the built-in one, unless FILE is given.\n" +
			"Secrets are not looked at. The exit code is 0 for a good file, 1 for one with problems, 2 for a wrong command line.",
		Example: "  hookflow routes check deploy/hookflow.yaml",
	})
	asJSON := outputFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		inJSON, err := asJSON()
		if err != nil {
			return err
		}
		var file string
		if len(args) > 0 {
			file = args[0]
		}
		name, table, problems, err := env.readRoutes(file)
		if err != nil {
			return err
		}
		var warnings []string
		if len(problems) == 0 {
			if what := shortRetention(config.PayloadRetention(env.setting), table); what != "" {
				warnings = append(warnings, what)
			}
		}
		if inJSON {
			found := checked{Warnings: warnings, File: name, Providers: []string{}, Problems: problems}
			if len(problems) == 0 {
				found.Routes, found.Providers, found.Problems = table.Len(), table.Providers(), []routing.Problem{}
			}
			if err := printLine(env.stdout, found); err != nil {
				return err
			}
		} else {
			for _, p := range problems {
				fmt.Fprintln(env.stdout, p)
			}
			for _, w := range warnings {
				fmt.Fprintln(env.stdout, "warning:", w)
			}
		}
		switch {
		case len(problems) == 1:
			return failure("1 problem in %s", name)
		case len(problems) > 1:
			return failure("%d problems in %s", len(problems), name)
		case !inJSON:
			fmt.Fprintf(env.stdout, "%s is good: %s\n", name, describeTable(table))
		}
		return nil
	}
	return cmd
}

func describeTable(table *routing.Table) string {
	switch table.Len() {
	case 0:
		return "no route, so events are recorded and completed at once"
	case 1:
		return "1 route for " + table.Providers()[0]
	}
	return fmt.Sprintf("%d routes for %s", table.Len(), strings.Join(table.Providers(), ", "))
}

// readRoutes reads and checks the file of the argument, else that of HOOKFLOW_CONFIG, else the built-in one, as a server
// would that has every secret. Either the table is there or the problems are; the error is that the file cannot be read.
func (env environment) readRoutes(file string) (name string, table *routing.Table, problems []routing.Problem, err error) {
	getenv := func(variable string) string {
		if variable == "HOOKFLOW_CONFIG" && file != "" {
			return file
		}
		return env.setting(variable)
	}
	readFile := func(path string) (text []byte, _ error) {
		text, err = os.ReadFile(path)
		return text, err
	}
	c, wrong := config.LoadFile(getenv, readFile)
	if err != nil {
		return c.FileName, nil, nil, failure("the routes cannot be read: %v", err)
	}
	c.Stripe.APIKey = env.setting("STRIPE_API_KEY")
	table, alsoWrong := env.checkRoutes(c)
	return c.FileName, table, routeProblems(errors.Join(wrong, alsoWrong)), nil
}

func (env environment) checkRoutes(c config.Config) (*routing.Table, error) {
	_, on, wrong := sources(c)
	table, err := routes(plan{config: c}, on, worker.BuiltIn(nil, nil, env.now).Names())
	return table, errors.Join(wrong, err)
}

// routeProblems makes one list of what several readers of the file found wrong.
func routeProblems(err error) []routing.Problem {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var all []routing.Problem
		for _, one := range several.Unwrap() {
			all = append(all, routeProblems(one)...)
		}
		return all
	}
	var found routing.Problems
	var setting *config.Problem
	var section *yamlfile.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &found):
		return found
	case errors.As(err, &section):
		return []routing.Problem{{Name: section.File, Line: section.Line, What: section.What, Write: section.Write}}
	case errors.As(err, &setting): // "name:line", or the name of a variable
		p := routing.Problem{Name: setting.Where, What: setting.What, Write: setting.Write}
		if i := strings.LastIndexByte(p.Name, ':'); i >= 0 {
			if line, err := strconv.Atoi(p.Name[i+1:]); err == nil {
				p.Name, p.Line = p.Name[:i], line
			}
		}
		return []routing.Problem{p}
	}
	return []routing.Problem{{What: err.Error()}}
}
