package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTraces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set     map[string]string
		want    Traces
		problem string
	}{
		"off":              {nil, Traces{}, ""},
		"for all signals":  {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318/"}, Traces{Endpoint: "http://otel:4318/v1/traces"}, ""},
		"for traces":       {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://otel/in", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://other"}, Traces{Endpoint: "https://otel/in"}, ""},
		"over gRPC":        {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, Traces{Endpoint: "http://otel:4317", GRPC: true}, ""},
		"the default":      {map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, Traces{Endpoint: "http://localhost:4318/v1/traces"}, ""},
		"the default gRPC": {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, Traces{Endpoint: "http://localhost:4317", GRPC: true}, ""},
		"disabled":         {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318", "OTEL_SDK_DISABLED": "True"}, Traces{}, ""},
		"none":             {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318", "OTEL_TRACES_EXPORTER": "none"}, Traces{}, ""},
		"headers": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20canary, x-team=a"},
			Traces{Endpoint: "http://otel:4318/v1/traces", Headers: map[string]string{"authorization": "Bearer canary", "x-team": "a"}}, ""},
		"another exporter": {map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, Traces{}, "write: otlp or none"},
		"another protocol": {map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, Traces{}, "write: http/protobuf or grpc"},
		"no URL":           {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "otel:4318"}, Traces{}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: is not an http or https URL"},
		"odd headers": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318", "OTEL_EXPORTER_OTLP_HEADERS": "canary"},
			Traces{Endpoint: "http://otel:4318/v1/traces"}, "write: key=value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loaded, err := Load(Dev, func(name string) string { return c.set[name] }, nil)
			require.Equal(t, c.want, loaded.Traces)
			if c.problem == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.problem)
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

// What opens the receiver is kept out of logs like every secret.
func TestTraces_headersAreSecrets(t *testing.T) {
	t.Parallel()
	c := Config{Traces: Traces{Headers: map[string]string{"a": "canary"}}}
	require.Contains(t, c.Secrets(), "canary")
}
