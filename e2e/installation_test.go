package e2e_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// publicURL is what senders call. Nothing listens there: as behind a proxy, only the signatures know of it.
const publicURL = "https://hooks.example.test/in"

// installation is one hookflow with a schema, a namespace and secrets of its own; any number of processes may serve it,
// one after the other or side by side.
type installation struct {
	t        *testing.T
	env      map[string]string
	database string // reaches Postgres without a proxy
	temporal client.Client
	token    string
}

func install(t *testing.T) *installation {
	t.Helper()
	in := installWithoutServers(t)
	in.database = testkit.Database(t)
	namespace := testkit.Namespace(t)
	in.temporal = testkit.Client(t, namespace)
	in.env["DATABASE_URL"], in.env["TEMPORAL_ADDRESS"], in.env["TEMPORAL_NAMESPACE"] = in.database, testkit.TemporalAddress(t), namespace
	return in
}

// installWithoutServers is for what goes wrong before a server is spoken to.
func installWithoutServers(t *testing.T) *installation {
	t.Helper()
	token := "token-" + rand.Text()
	return &installation{
		t: t, token: token,
		env: map[string]string{
			"DATABASE_URL":          "postgres://nobody@127.0.0.1:1/nothing",
			"TEMPORAL_ADDRESS":      "127.0.0.1:1",
			"STRIPE_WEBHOOK_SECRET": "whsec_" + rand.Text(),
			"TWILIO_AUTH_TOKEN":     rand.Text(),
			"VAPI_WEBHOOK_SECRET":   rand.Text(),
			"HOOKFLOW_HTTP_ADDR":    "127.0.0.1:0",
			"HOOKFLOW_OPS_ADDR":     "localhost:0", // the same words for both would mean one listener
			"HOOKFLOW_PUBLIC_URL":   publicURL,
			"HOOKFLOW_API_TOKEN":    "tester:" + token,
			"HOOKFLOW_DRAIN_DELAY":  "0s", // nobody is told; TestChaosRollingStops has one
		},
	}
}

// with returns the same installation with a variable set differently, for the next process.
func (in *installation) with(name, value string) *installation {
	other := *in
	other.env = maps.Clone(in.env)
	other.env[name] = value
	return &other
}

// routed is with HOOKFLOW_CONFIG.
func (in *installation) routed(yaml string) *installation {
	in.t.Helper()
	file := filepath.Join(in.t.TempDir(), "hookflow.yaml")
	require.NoError(in.t, os.WriteFile(file, []byte(yaml), 0o600))
	return in.with("HOOKFLOW_CONFIG", file)
}

// server is a process of hookflow serve.
type server struct {
	*process
	*installation
	webhooks string // base URL; empty in a worker
	ops      string // base URL of /v1 and /metrics
}

// serve starts hookflow serve and waits until it says where it listens.
func (in *installation) serve(args ...string) *server {
	in.t.Helper()
	s := in.launch(args...)
	require.Eventually(in.t, func() bool { return s.announced() || s.ended() }, patience, 20*time.Millisecond)
	require.True(in.t, s.announced(), "hookflow serve ended: %s", s.stderr)
	return s
}

// launch starts hookflow serve.
func (in *installation) launch(args ...string) *server {
	in.t.Helper()
	return &server{installation: in, process: run(in.t, in.env, append([]string{"serve"}, args...)...)}
}

// announced reads the addresses out of the log.
func (s *server) announced() bool {
	lines := bufio.NewScanner(bytes.NewReader(s.stderr.bytes()))
	for lines.Scan() {
		var line struct{ Msg, Webhooks, Ops string }
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Msg != "hookflow serves" {
			continue
		}
		s.ops = "http://" + line.Ops
		if line.Webhooks != "" {
			s.webhooks = "http://" + line.Webhooks
		}
		return true
	}
	return false
}

// drain stops the server as an operator does, and requires that it went well.
func (s *server) drain() {
	s.t.Helper()
	require.Zero(s.t, s.stop(s.t, syscall.SIGTERM), "%s", s.stderr)
}

// runs counts the runs that Temporal knows of a workflow ID.
func (in *installation) runs(workflowID string) int {
	in.t.Helper()
	return in.count(`WorkflowId = "` + workflowID + `"`)
}

// count counts the runs that a query of Temporal's visibility finds.
func (in *installation) count(query string) int {
	in.t.Helper()
	found, err := in.temporal.CountWorkflow(in.t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	require.NoError(in.t, err)
	return int(found.Count)
}

// eventRuns are the runs of events: no housekeeping.
const eventRuns = `WorkflowType IN ("StripeWebhook", "TwilioWebhook", "VapiWebhook", "GenericWebhook")`
