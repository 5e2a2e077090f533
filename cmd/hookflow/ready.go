package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"hookflow/config"
)

// readyTimeout stays below the time-out of the health check in docker-compose.yml.
const readyTimeout = 4 * time.Second

// newReadyCommand returns the hidden "hookflow ready": exit 0 when the server in this container answers /readyz with
// 200. The image has no shell and no curl, so the binary is its own health check.
func newReadyCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: "ready", Short: "Ask /readyz", Hidden: true, Args: exactly(0)})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		base := cmp.Or(config.AddressURL(env.getenv("HOOKFLOW_HTTP_ADDR")), defaultURL)
		r, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, base+"/readyz", nil)
		if err != nil {
			return failure("%v", err)
		}
		client := newHTTPClient(1)
		client.Timeout = readyTimeout
		answer, err := client.Do(r)
		if err != nil {
			return failure("%s", explain(err, r.URL))
		}
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // only the status counts
		if answer.StatusCode != http.StatusOK {
			return failure("%s answers %d", r.URL, answer.StatusCode)
		}
		fmt.Fprintln(env.stdout, "ready")
		return nil
	}
	return cmd
}
