package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"hookflow/config"

	"github.com/spf13/cobra"
)

// run is the program: a function of its arguments, its environment and its streams. It returns the exit code: 0 done,
// 1 failed, 2 called wrongly.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	out, errs := &safeOutput{to: stdout}, &safeOutput{to: stderr}
	stdout, stderr = out, errs
	env := environment{getenv: config.FromFiles(getenv, os.ReadFile), stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now}
	root := quiet(&cobra.Command{Use: "hookflow", Short: "Receives webhooks and handles each exactly once"})
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	family(env, root,
		newServeCommand(env), newDevCommand(env), newMigrateCommand(env),
		newSendCommand(env), newEventsCommand(env), newStatsCommand(env), newReplayCommand(env), newReplaysCommand(env), newReadyCommand(env),
		newDestinationsCommand(env),
		newDoctorCommand(env), newRoutesCommand(env), newProvidersCommand(env), newVerifyCommand(env),
	)
	complete(env, root)
	err := root.ExecuteContext(ctx)
	if err == nil || errors.Is(err, syscall.EPIPE) {
		err = out.failed()
	}
	if err == nil {
		return 0
	}
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		if message := err.Error(); message != "" {
			fmt.Fprintln(stderr, message)
		}
		return coded.ExitCode()
	}
	fmt.Fprintln(stderr, "hookflow:", err)
	return 1
}
