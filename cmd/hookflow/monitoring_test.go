package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hookflow/event"
	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr string
			Annotations map[string]string
		}
	}
}

type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	require.NoError(t, err)
	return text
}

// expressions returns what the alerts and the dashboard ask for, by where.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	asked := map[string]string{}
	var alerts rules
	require.NoError(t, yaml.Unmarshal(read(t, "deploy/prometheus/alerts.yaml"), &alerts))
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			asked["alert "+r.Alert] = r.Expr
		}
	}
	var board dashboard
	require.NoError(t, json.Unmarshal(read(t, "deploy/grafana/hookflow.json"), &board))
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			asked["panel "+p.Title+": "+target.Expr] = target.Expr
		}
	}
	require.Greater(t, len(asked), 30)
	return asked
}

var metricName = regexp.MustCompile(`\b(?:hookflow|temporal|process)_[a-z0-9_]+(\{[a-z_]+)?`)

// rare metrics appear with the first time that something goes wrong; their names are in the SDK's source.
var rare = map[string]string{
	"temporal_workflow_task_execution_failed_total": `TemporalMetricsPrefix + "workflow_task_execution_failed"`,
	"temporal_request_failure_total":                `TemporalRequest + "_failure"`,
}

// An alert on a metric that nobody exports would never fire.
func TestWhatIsWatchedIsExported(t *testing.T) {
	t.Parallel()
	p := startInProcess(t, ordinaryRoute)
	p.send(t, 0)
	p.postForged(t)
	p.telemetry.Door.Ignored("vapi", "speech-update") // two that take longer to bring about
	p.telemetry.Steps.Attempted("a step", true, true)
	p.telemetry.Steps.Unevaluated("stripe")
	p.telemetry.Destinations.Stands("crm", "circuit_open")
	var page string
	testkit.Eventually(t, func() bool {
		page = p.scrape(t) // the backlog is measured every few seconds
		return strings.Contains(page, "hookflow_events_total{") && strings.Contains(page, "temporal_workflow_endtoend_latency_seconds_count{")
	}, "the event is not counted")
	sdk, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.temporal.io/sdk").Output()
	require.NoError(t, err)
	constants, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(sdk)), "internal/common/metrics/constants.go"))
	require.NoError(t, err)
	for where, expr := range expressions(t) {
		for _, found := range metricName.FindAllString(expr, -1) {
			name, label, _ := strings.Cut(found, "{")
			if source := rare[name]; source != "" {
				require.Contains(t, string(constants), source, where)
				continue
			}
			series := regexp.MustCompile(`(?m)^` + name + `\{(.*,)?` + label + `=.*\} `)
			if label == "" {
				series = regexp.MustCompile(`(?m)^` + name + `(\{.*\})? `)
			}
			require.True(t, series.MatchString(page), "%s asks for %s, which is not exported", where, found)
		}
	}
}

var matchedStates = regexp.MustCompile(`hookflow_destination_state\{state=~?"([^"]+)"`)

// Each state in which a destination is not sent to has an alert, by the word that is exported.
func TestDestinationAlertsKnowTheStates(t *testing.T) {
	t.Parallel()
	asked := expressions(t)
	for alert, states := range map[string][]event.DestinationState{
		"HookflowDestinationDown": {event.CircuitOpen, event.Probing}, "HookflowDestinationPaused": {event.Paused},
	} {
		found := matchedStates.FindStringSubmatch(asked["alert "+alert])
		require.Len(t, found, 2, alert)
		var matched []event.DestinationState
		for word := range strings.SplitSeq(found[1], "|") {
			matched = append(matched, event.DestinationState(word))
		}
		require.Equal(t, states, matched, alert)
	}
}

// postForged posts a request that does not verify.
func (p *inProcess) postForged(t *testing.T) {
	t.Helper()
	answer, err := http.Post(p.url+"/webhooks/stripe", "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
}

var heading = regexp.MustCompile(`(?m)^##+ (.+)$`)

// Whoever is woken finds the chapter.
func TestEveryAlertHasItsRunbook(t *testing.T) {
	t.Parallel()
	var anchors []string
	for _, h := range heading.FindAllStringSubmatch(string(read(t, "docs/operating.md")), -1) {
		anchor := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(h[1]), "")
		anchors = append(anchors, "docs/operating.md#"+strings.ReplaceAll(anchor, " ", "-"))
	}
	var alerts rules
	require.NoError(t, yaml.Unmarshal(read(t, "deploy/prometheus/alerts.yaml"), &alerts))
	for _, r := range alerts.Groups[0].Rules {
		require.Contains(t, anchors, r.Annotations["runbook_url"], r.Alert)
		require.NotEmpty(t, r.Annotations["summary"], r.Alert)
	}
}
