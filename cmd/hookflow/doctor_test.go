package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"hookflow/config"
	"hookflow/internal/testkit"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// report is what doctor says as JSON.
type report struct {
	Status string
	Checks []finding
}

// consult runs doctor as a command.
func consult(t *testing.T, variables map[string]string) (report, string, int) {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(t.Context(), []string{"doctor", "-o", "json"}, func(name string) string { return variables[name] },
		strings.NewReader(""), &out, &errOut)
	require.Empty(t, errOut.String())
	var said report
	require.NoError(t, json.Unmarshal(out.Bytes(), &said), out.String())
	return said, out.String(), code
}

func (r report) of(check string) finding {
	for _, f := range r.Checks {
		if f.Check == check {
			return f
		}
	}
	return finding{}
}

// states returns the checks that are not well.
func (r report) states() map[string]string {
	found := map[string]string{}
	for _, f := range r.Checks {
		if f.Status != stateOK {
			found[f.Check] = f.Status
		}
	}
	return found
}

// A server that runs, and then each thing that may be wrong with it, one at a time.
func TestDoctor(t *testing.T) {
	t.Parallel()
	p := startInProcess(t, "")
	namespace := p.namespace
	well := map[string]string{
		"STRIPE_WEBHOOK_SECRET": testSecret + "," + testSecret + "_old", "DATABASE_URL": p.config.DatabaseURL,
		"HOOKFLOW_API_TOKEN": "0123456789abcdef", "HOOKFLOW_PUBLIC_URL": "https://hooks.example.com",
		"HOOKFLOW_OPS_ADDR": strings.TrimPrefix(p.url, "http://"),
		"TEMPORAL_ADDRESS":  testkit.TemporalAddress(t), "TEMPORAL_NAMESPACE": namespace,
	}
	// The tests' Postgres has fsync off and their namespaces keep runs for a day; both are told.
	always := map[string]string{"synchronous_commit": stateFail, "namespace": stateWarn}
	testkit.Eventually(t, func() bool {
		said, _, _ := consult(t, well)
		return said.of("workers").Status == stateOK
	}, "the worker does not poll")
	routes := t.TempDir() + "/hookflow.yaml"
	require.NoError(t, os.WriteFile(routes, []byte(
		"routes: [{provider: stripe, type: x, steps: [{name: on, forward: 'https://on.example.com'}]}]"), 0o600))
	for name, c := range map[string]struct {
		set  map[string]string
		bad  map[string]string
		says string
	}{
		"well":               {nil, nil, ""},
		"a namespace of old": {map[string]string{"TEMPORAL_NAMESPACE": testkit.BareNamespace(t)}, map[string]string{"search attribute": stateWarn, "workers": stateFail}, "hookflow migrate up"},
		"no namespace":       {map[string]string{"TEMPORAL_NAMESPACE": "nowhere"}, map[string]string{"namespace": stateFail}, "nowhere does not exist"},
		"no Temporal":        {map[string]string{"TEMPORAL_ADDRESS": "127.0.0.1:1"}, map[string]string{"temporal": stateFail}, "mend TEMPORAL_ADDRESS"},
		"no Postgres":        {map[string]string{"DATABASE_URL": "postgres://u:canary@127.0.0.1:1/d"}, map[string]string{"postgres": stateFail}, "connection refused"},
		"no schema":          {map[string]string{"DATABASE_URL": testkit.EmptySchema(t)}, map[string]string{"migrations": stateFail}, "00001_ledger.sql"},
		"no server":          {map[string]string{"HOOKFLOW_OPS_ADDR": "127.0.0.1:1"}, map[string]string{"server": stateFail}, "nothing listens"},
		"no token":           {map[string]string{"HOOKFLOW_API_TOKEN": ""}, map[string]string{"api token": stateWarn}, "openssl rand"},
		"no TLS":             {map[string]string{"HOOKFLOW_PUBLIC_URL": "http://hooks.example.com"}, map[string]string{"public url": stateWarn}, "put TLS in front"},
		"no configuration":   {map[string]string{"TWILIO_AUTH_TOKEN": "0123456789abcdef", "HOOKFLOW_PUBLIC_URL": ""}, map[string]string{"configuration": stateFail}, "HOOKFLOW_PUBLIC_URL"},
		"a short secret":     {map[string]string{"TWILIO_AUTH_TOKEN": "0123456789"}, map[string]string{"short secret": stateWarn}, "twilio: secret 1 has 10 bytes, and one below 16 can be guessed"},
		"a secret, no file":  {map[string]string{"GITHUB_WEBHOOK_SECRET_FILE": "whsec_canary"}, map[string]string{"configuration": stateFail}, "GITHUB_WEBHOOK_SECRET_FILE names a file that cannot be read: no such file or directory"},
		"no signing secret":  {map[string]string{"HOOKFLOW_CONFIG": routes}, map[string]string{"configuration": stateFail}, "HOOKFLOW_FORWARD_SECRET"},
		"forwarding": {map[string]string{"HOOKFLOW_CONFIG": routes, "HOOKFLOW_FORWARD_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, nil,
			"routes of " + routes},
		"no provider": {map[string]string{"STRIPE_WEBHOOK_SECRET": ""}, map[string]string{"configuration": stateFail}, "no provider has a secret"},
	} {
		t.Run(name, func(t *testing.T) {
			variables := maps.Clone(well)
			maps.Copy(variables, c.set)
			said, text, code := consult(t, variables)
			bad := maps.Clone(always)
			if c.bad["namespace"] != "" || c.bad["temporal"] != "" {
				delete(bad, "namespace")
			}
			if c.bad["postgres"] != "" {
				delete(bad, "synchronous_commit")
			}
			maps.Copy(bad, c.bad)
			require.Equal(t, bad, said.states())
			require.Contains(t, text, c.says)
			require.Equal(t, exitFailed, code)
			for _, secret := range []string{testSecret, "0123456789", "canary"} {
				require.NotContains(t, text, secret)
			}
		})
	}
	require.Zero(t, testkit.Query[int](t, p.config.DatabaseURL, `SELECT count(*) FROM webhook_events`))
}

func TestDoctor_exitCodes(t *testing.T) {
	t.Parallel()
	ok, warn, fail := fine("a", "b"), warning("a", "b", "c"), failed("a", "b", "c")
	require.Equal(t, stateOK, worst([]finding{ok, ok}))
	require.Equal(t, stateWarn, worst([]finding{ok, warn, ok}))
	require.Equal(t, stateFail, worst([]finding{warn, fail, ok}))
	var out bytes.Buffer
	require.NoError(t, printFindings(environment{stdout: &out}, "table", []finding{ok, warn}))
	require.Equal(t, "ok    a                   b\nwarn  a                   b → c\n", out.String())
	code := run(context.Background(), []string{"doctor", "-o", "xml"}, func(string) string { return "" }, nil, &out, &out)
	require.Equal(t, exitUsage, code)
}

func TestDoctor_judgement(t *testing.T) {
	t.Parallel()
	for status, at := range map[string][][2]time.Duration{ // skew, uncertain
		stateOK:   {{0, 0}, {-2 * time.Second, 0}, {10 * time.Second, 8 * time.Second}},
		stateWarn: {{3 * time.Second, 0}, {-3 * time.Second, 100 * time.Millisecond}, {time.Minute, 0}},
		stateFail: {{62 * time.Second, time.Second}, {-time.Hour, 0}},
	} {
		for _, s := range at {
			require.Equal(t, status, skew("clock", s[0], s[1]).Status, "%s", s)
		}
	}
	good := pgSettings{version: 170004, commit: "on", fsync: "on", fullPages: "on", used: 5, most: 100}
	for name, c := range map[string]struct {
		change          func(*pgSettings)
		server, durable string
	}{
		"good":        {func(*pgSettings) {}, stateOK, stateOK},
		"off":         {func(s *pgSettings) { s.commit = "off" }, stateOK, stateFail},
		"remote":      {func(s *pgSettings) { s.commit = "remote_apply" }, stateOK, stateOK},
		"fsync":       {func(s *pgSettings) { s.fsync = "off" }, stateOK, stateFail},
		"torn pages":  {func(s *pgSettings) { s.fullPages = "off" }, stateOK, stateWarn},
		"standby":     {func(s *pgSettings) { s.standby = true }, stateFail, stateOK},
		"read only":   {func(s *pgSettings) { s.readOnly = true }, stateFail, stateOK},
		"old":         {func(s *pgSettings) { s.version = 130021 }, stateWarn, stateOK},
		"nearly full": {func(s *pgSettings) { s.used = 91 }, stateWarn, stateOK},
	} {
		s := good
		c.change(&s)
		require.Equal(t, c.durable, s.durability().Status, name)
		require.Equal(t, c.server, s.server(pgConfig(t)).Status, name)
	}
	serving, developing := &patient{mode: config.Serve}, &patient{mode: config.Dev}
	require.Equal(t, stateOK, serving.retention(wantedRetention).Status)
	require.Equal(t, stateWarn, serving.retention(24*time.Hour).Status)
	require.Equal(t, stateOK, developing.retention(24*time.Hour).Status)
	require.Contains(t, developing.retention(24*time.Hour).Detail, "24 hours; older runs")
	require.Equal(t, []finding{failed("c", "A is wrong", "write: b"), failed("c", "other", "mend it; a server does not start with it")},
		problemsOf("c", errors.Join(&config.Problem{Where: "A", What: "is wrong", Write: "b"}, errors.New("other"))))
}

func pgConfig(t *testing.T) *pgx.ConnConfig {
	t.Helper()
	c, err := pgx.ParseConfig("postgres://u@db.example.com:5432/ledger")
	require.NoError(t, err)
	return c
}
