package telemetry

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMeasurements(t *testing.T) {
	t.Parallel()
	telemetry, _ := initialised(t, Options{})
	m := telemetry.Temporal.With(map[string]string{"namespace": "default"})
	m.Count("temporal_request", 2)
	m.With(map[string]string{"operation": "StartWorkflowExecution"}).Count("temporal_request", 3)
	m.With(map[string]string{"operation": "StartWorkflowExecution"}).Count("temporal_request", 1)
	m.With(map[string]string{"namespace": "other place"}).Set("temporal_num_pollers", 4)
	m.Time("temporal_request_latency", 20*time.Millisecond)
	page := scrape(t, telemetry)
	for _, line := range []string{
		`# TYPE temporal_request_total counter`,
		`temporal_request_total{namespace="default"} 2`,
		`temporal_request_total{namespace="default",operation="StartWorkflowExecution"} 4`,
		`temporal_num_pollers{namespace="other place"} 4`,
		`temporal_request_latency_seconds_bucket{namespace="default",le="0.025"} 1`,
	} {
		require.Contains(t, page, line+"\n")
	}
}

// Whatever a library puts into its labels: a value beyond the first 50 of a label is "other", a series beyond the
// first 2,000 is dropped, and no text makes the page fail.
func TestMeasurements_bounded(t *testing.T) {
	t.Parallel()
	telemetry, _ := initialised(t, Options{})
	for i := range 1000 {
		telemetry.Temporal.With(map[string]string{"activity_type": fmt.Sprint("made up ", i)}).Count("temporal_a", 1)
		telemetry.Temporal.Set(fmt.Sprintf("temporal_%d", 3*i), 1)
		telemetry.Temporal.Set(fmt.Sprintf("temporal_%d", 3*i+1), 1)
		telemetry.Temporal.Time(fmt.Sprintf("temporal_%d", 3*i+2), 1)
	}
	telemetry.Temporal.With(map[string]string{"activity_type": "\xff"}).Count("temporal_a", 1)
	page := scrape(t, telemetry)
	require.Equal(t, 51, strings.Count(page, "temporal_a_total{"))
	require.Contains(t, page, `temporal_a_total{activity_type="other"} 951`)
	require.Equal(t, maxSeries, strings.Count(page, "\n# TYPE temporal_")+50, "one name has 51 series")
}
