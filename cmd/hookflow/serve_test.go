package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"hookflow/config"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

// What is wrong with the environment is said once, each thing on a line, and no misspelt command passes for help.
func TestCalledWrongly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no settings":        {[]string{"serve"}, exitFailed, "DATABASE_URL: is not set"},
		"a misspelt command": {[]string{"evnets", "list"}, exitUsage, "there is no hookflow evnets, but serve, dev, "},
		"a misspelt flag":    {[]string{"--verbos"}, exitUsage, "unknown flag: --verbos"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errOut bytes.Buffer
			code := run(t.Context(), c.args, func(string) string { return "" }, strings.NewReader(""), &out, &errOut)
			require.Equal(t, c.code, code)
			require.Equal(t, 1, strings.Count(errOut.String(), c.want), errOut.String())
			require.Empty(t, out.String())
		})
	}
}

func TestWelcomeNamesTheOthersThatAreOn(t *testing.T) {
	t.Parallel()
	secrets := map[string][]string{"STRIPE_WEBHOOK_SECRET": {testSecret}}
	c := config.Config{Webhooks: config.Webhooks{Secrets: secrets}}
	require.Equal(t, "on once the variable of their secret is set", others(c))
	secrets["SLACK_WEBHOOK_SECRET"], secrets["GITHUB_WEBHOOK_SECRET"] = []string{testSecret}, []string{testSecret}
	require.Equal(t, "github, slack; more once the variable of their secret is set", others(c))
}

func TestServeSaysThatTheSchemaIsBehind(t *testing.T) {
	t.Parallel()
	said := func(url string) string {
		var log bytes.Buffer
		warnOfSchema(t.Context(), url, slog.New(slog.NewTextHandler(&log, nil)))
		return log.String()
	}
	require.Contains(t, said(testkit.EmptySchema(t)), "run hookflow migrate up")
	require.Empty(t, said(testkit.Database(t)))
	require.Empty(t, said("postgres://nobody@127.0.0.1:1/nothing"), "an outage is told elsewhere")
}
