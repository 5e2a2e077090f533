package main

import (
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"hookflow/config"
	"hookflow/event"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	oldRoutes = "routes:\n  - {name: old, provider: stripe, type: x, steps: [{activity: stripe.RecordCheckout, name: old-one}, {activity: twilio.RecordCall, name: old-two}]}\n"
	newRoutes = "routes:\n  - {name: new, provider: stripe, type: x, steps: [{activity: stripe.RecordCheckout, name: new-one}, {activity: twilio.RecordCall, name: new-two}]}\n" +
		"  - {name: chatty, provider: vapi, type: transcript, steps: []}\n"
)

// started is what a server has that began with these routes.
func started(t *testing.T, text string) (live *liveRoutes, file string, log *output) {
	t.Helper()
	file, log = routesFile(t, text), &output{}
	c, err := config.LoadFile(func(string) string { return file }, os.ReadFile)
	require.NoError(t, err)
	live, err = newLiveRoutes(plan{config: c, api: true, worker: true}, map[string]bool{"stripe": true, "vapi": true, "twilio": false},
		[]string{"stripe.RecordCheckout", "twilio.RecordCall"}, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	return live, file, log
}

func (l *liveRoutes) stepsOfX() []string {
	var names []string
	for _, step := range l.Plan(&event.Event{Provider: "stripe", Type: "x"}, nil).Steps {
		names = append(names, step.Name)
	}
	return names
}

func TestReload(t *testing.T) {
	t.Parallel()
	live, file, log := started(t, oldRoutes)
	require.Equal(t, []string{"old-one", "old-two"}, live.stepsOfX())
	require.False(t, live.Routed("vapi", "transcript"))

	for problem, text := range map[string]string{
		`routes.yaml:2: a route has no key "stps"; write: steps`:             "routes:\n  - {provider: stripe, type: x, stps: [], steps: []}\n",
		`routes.yaml:1: there is no provider "strip"; write: stripe`:         "routes: [{provider: strip, type: x, steps: []}]\n",
		`routes.yaml:1: provider twilio is off`:                              "routes: [{provider: twilio, type: x, steps: []}]\n",
		`routes.yaml:1: there is no activity "stripe.RecordChekout"; write:`: "routes: [{provider: stripe, type: x, steps: [{activity: stripe.RecordChekout}]}]\n",
		`routes.yaml:1: providers has no key`:                                "providers: {twilo: {}}\nroutes: []\n",
		`the file is empty`:                                                  "",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		live.reload()
		require.Contains(t, log.String(), `so the old ones stay in force`)
		require.Contains(t, unquoted(log.String()), problem)
		require.Equal(t, []string{"old-one", "old-two"}, live.stepsOfX())
	}

	require.NoError(t, os.WriteFile(file, []byte(newRoutes), 0o600))
	live.reload()
	require.Contains(t, log.String(), "the routes were read again and are in force")
	require.Equal(t, []string{"new-one", "new-two"}, live.stepsOfX())
	require.True(t, live.Routed("vapi", "transcript"))

	require.NoError(t, os.Remove(file))
	live.reload()
	require.Contains(t, log.String(), "no such file")
	require.Equal(t, []string{"new-one", "new-two"}, live.stepsOfX())
}

func TestReload_saysWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	live, file, log := started(t, oldRoutes)
	require.NoError(t, os.WriteFile(file, []byte("providers: {twilio: {voice_twiml: <Response/>}}\n"+newRoutes), 0o600))
	live.reload()
	require.Contains(t, log.String(), "is read at a start only; restart to put it in force\" section=providers")
	require.NotContains(t, log.String(), "section=routes")
	require.Equal(t, []string{"new-one", "new-two"}, live.stepsOfX())
}

func TestReload_builtIn(t *testing.T) {
	t.Parallel()
	log := &output{}
	c, err := config.LoadFile(func(string) string { return "" }, os.ReadFile)
	require.NoError(t, err)
	live := &liveRoutes{started: plan{config: c}, log: slog.New(slog.NewTextHandler(log, nil))}
	live.reload()
	require.Contains(t, log.String(), "HOOKFLOW_CONFIG names one")
}

// Whatever the moment, an event meets one file or the other.
func TestReload_underEvents(t *testing.T) {
	t.Parallel()
	live, file, _ := started(t, oldRoutes)
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for range 2000 {
				assert.Contains(t, [][]string{{"old-one", "old-two"}, {"new-one", "new-two"}}, live.stepsOfX())
			}
		})
	}
	for i := range 20 {
		require.NoError(t, os.WriteFile(file, []byte([]string{newRoutes, oldRoutes}[i%2]), 0o600))
		live.reload()
	}
	asking.Wait()
}

// unquoted is a text log without the backslashes of quoted values.
func unquoted(log string) string { return strings.ReplaceAll(log, `\"`, `"`) }
