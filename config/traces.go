package config

import (
	"cmp"
	"net/url"
	"strings"
)

// Traces are off without an Endpoint.
type Traces struct {
	Endpoint string            // the URL of an OTLP receiver, for HTTP with the path
	GRPC     bool              // else HTTP with protobuf
	Headers  map[string]string // sent with each export; they hold secrets
}

// traces reads OpenTelemetry's standard variables, as far as they say whether and where spans are sent
// (opentelemetry.io/docs/specs/otel/protocol/exporter).
func (v *variables) traces() Traces {
	either := func(suffix string) string {
		return cmp.Or(v.getenv("OTEL_EXPORTER_OTLP_TRACES_"+suffix), v.getenv("OTEL_EXPORTER_OTLP_"+suffix))
	}
	exporter := v.getenv("OTEL_TRACES_EXPORTER")
	if strings.EqualFold(v.getenv("OTEL_SDK_DISABLED"), "true") || exporter == "none" {
		return Traces{}
	}
	if exporter != "" && exporter != "otlp" {
		v.report("OTEL_TRACES_EXPORTER", "names an exporter that is not built in", "otlp or none")
		return Traces{}
	}
	var t Traces
	switch either("PROTOCOL") {
	case "", "http/protobuf":
	case "grpc":
		t.GRPC = true
	default:
		v.report("OTEL_EXPORTER_OTLP_PROTOCOL", "is a protocol that is not built in", "http/protobuf or grpc")
	}
	name := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	t.Endpoint = v.getenv(name)
	if general := v.getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); t.Endpoint == "" && general != "" {
		name, t.Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT", general
		if !t.GRPC {
			t.Endpoint = strings.TrimRight(general, "/") + "/v1/traces"
		}
	}
	switch {
	case t.Endpoint == "" && exporter == "otlp" && t.GRPC:
		t.Endpoint = "http://localhost:4317"
	case t.Endpoint == "" && exporter == "otlp":
		t.Endpoint = "http://localhost:4318/v1/traces"
	}
	if u, err := url.Parse(t.Endpoint); t.Endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		v.report(name, "is not an http or https URL", "http://HOST:4318, or http://HOST:4317 with OTEL_EXPORTER_OTLP_PROTOCOL=grpc")
		return Traces{}
	}
	t.Headers = v.headers(either("HEADERS"))
	return t
}

// headers reads key=value pairs with commas between them, the values percent-encoded.
func (v *variables) headers(list string) map[string]string {
	if list == "" {
		return nil
	}
	headers := map[string]string{}
	for pair := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil {
			v.report("OTEL_EXPORTER_OTLP_HEADERS", "holds an element that is no key=value", "key=value, with commas between several")
			return nil
		}
		headers[name] = value
	}
	return headers
}
