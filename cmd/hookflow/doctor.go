package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"hookflow/config"
	"hookflow/internal/devstack"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"
)

// exitWarned is doctor's code when something should be looked at and nothing is broken.
const exitWarned = 3

// The states of a finding.
const (
	stateOK   = "ok"
	stateWarn = "warn"
	stateFail = "fail"
)

// finding is one line of doctor. Advice says what to do; it is empty when all is well. Neither holds a secret.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"`
}

func fine(check, format string, args ...any) finding {
	return finding{Check: check, Status: stateOK, Detail: fmt.Sprintf(format, args...)}
}

func warning(check, detail, advice string) finding {
	return finding{Check: check, Status: stateWarn, Detail: detail, Advice: advice}
}

func failed(check, detail, advice string) finding {
	return finding{Check: check, Status: stateFail, Detail: detail, Advice: advice}
}

// newDoctorCommand returns "hookflow doctor". It is the one command that speaks to Postgres and Temporal beside the
// server, since it is asked when the server has no answer.
func newDoctorCommand(env environment) *cobra.Command {
	var output string
	cmd := quiet(&cobra.Command{
		Use: "doctor", Short: "Look at the installation: configuration, Postgres, Temporal, clocks, the server", Args: exactly(0),
		Long: `Look at everything that a server started here would use, and say of each thing whether it is well and what to do if not.
With DATABASE_URL it takes the environment as serve does, else as make dev does: .env and the data folder. Nothing is
changed, and no secret is printed.

The exit code is 0 when all is well, 1 when something is broken, 3 when something should be looked at.`,
	})
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if output != "table" && output != "json" {
			return usageError("--output is table or json, not %q", output)
		}
		findings := examine(cmd.Context(), env)
		if err := printFindings(env, output, findings); err != nil {
			return err
		}
		switch worst(findings) {
		case stateFail:
			return &exitError{code: exitFailed}
		case stateWarn:
			return &exitError{code: exitWarned}
		}
		return nil
	}
	return cmd
}

// patient is what doctor examines: the installation that a server started here would be.
type patient struct {
	environment
	mode     config.Mode
	config   config.Config
	temporal client.Options
}

// doctorTime bounds each look.
const doctorTime = 5 * time.Second

// examine looks at everything, the places side by side.
func examine(ctx context.Context, env environment) []finding {
	p := patient{environment: env, mode: config.Serve}
	if env.getenv("DATABASE_URL") == "" {
		if err := env.checkBorrowed(); err != nil { // nothing is asked then
			return []finding{failed("configuration", err.Error(), "see .env in this folder")}
		}
		p.mode = config.Dev
		p.getenv = env.setting
	}
	findings := p.examineConfiguration()
	var looking errgroup.Group
	groups := make([][]finding, 3)
	for i, look := range []func(context.Context) []finding{p.examinePostgres, p.examineTemporal, p.examineServer} {
		looking.Go(func() error { groups[i] = look(ctx); return nil })
	}
	_ = looking.Wait() // the looks return findings, never an error
	for _, g := range groups {
		findings = append(findings, g...)
	}
	return findings
}

// read fills in what the environment says; in dev also what dev itself would.
func (p *patient) read() error {
	c, err := loadConfig(p.mode, p.getenv, "")
	p.config = c
	if p.mode == config.Dev && c.DatabaseURL == "" {
		p.config.DatabaseURL = devstack.PostgresURL(c.PostgresPort, c.PostgresPassword)
	}
	options, optionsErr := temporalOptions(p.mode, p.getenv, slog.New(slog.DiscardHandler))
	if p.mode == config.Dev && options.HostPort == "" {
		options.HostPort = fmt.Sprintf("127.0.0.1:%d", c.TemporalPort)
	}
	p.temporal = options
	if err == nil {
		err = optionsErr
	}
	return err
}

func worst(findings []finding) string {
	found := stateOK
	for _, f := range findings {
		switch {
		case f.Status == stateFail:
			return stateFail
		case f.Status == stateWarn:
			found = stateWarn
		}
	}
	return found
}

func printFindings(env environment, output string, findings []finding) error {
	if output == "json" {
		text, err := json.Marshal(struct {
			Status string    `json:"status"`
			Checks []finding `json:"checks"`
		}{worst(findings), findings})
		if err != nil {
			return err
		}
		return printJSON(env.stdout, text)
	}
	for _, f := range findings {
		line := fmt.Sprintf("%-4s  %-18s  %s", f.Status, f.Check, printable(f.Detail))
		if f.Advice != "" {
			line += " → " + f.Advice
		}
		if _, err := fmt.Fprintln(env.stdout, line); err != nil {
			return err
		}
	}
	return nil
}

// oneLine is what an error says, without its line ends.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
