package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Traces says where spans are sent; without an Endpoint there are none.
type Traces struct {
	// Endpoint is the URL of an OTLP receiver, for HTTP with the path.
	Endpoint string
	GRPC     bool // else HTTP with protobuf
	Headers  map[string]string
}

// scope names who makes the spans (opentelemetry.io/docs/concepts/instrumentation-scope).
const scope = "hookflow"

// newTracing returns a provider that sends spans in batches, nil without an endpoint. The sampler, the resource and the
// exporter's time-outs and certificates are those of the standard variables, which OpenTelemetry's SDK reads itself
// (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables).
func newTracing(o Options, log *slog.Logger) (*sdktrace.TracerProvider, error) {
	if o.Traces.Endpoint == "" {
		return nil, nil
	}
	ctx := context.Background() // neither connects here
	var exporter *otlptrace.Exporter
	var err error
	if o.Traces.GRPC {
		exporter, err = otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(o.Traces.Endpoint), otlptracegrpc.WithHeaders(o.Traces.Headers))
	} else {
		exporter, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(o.Traces.Endpoint), otlptracehttp.WithHeaders(o.Traces.Headers))
	}
	if err != nil {
		return nil, err
	}
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(
		attribute.String("service.name", "hookflow"), attribute.String("service.version", o.Release),
		attribute.String("deployment.environment.name", o.Environment)), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, err
	}
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(&heard{exporter, log}), sdktrace.WithResource(described)), nil
}

// heard writes to our log what could not be sent. OpenTelemetry would tell one handler of the whole process.
type heard struct {
	sdktrace.SpanExporter
	log *slog.Logger
}

// ExportSpans sends a batch. One that is not taken is lost.
func (h *heard) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := h.SpanExporter.ExportSpans(ctx, spans); err != nil {
		h.log.Warn("spans could not be sent", "spans", len(spans), "error", err)
	}
	return nil
}

// Tracer returns what makes spans, nil while traces are off.
func (t *Telemetry) Tracer() trace.Tracer {
	if t.tracing == nil {
		return nil
	}
	return t.tracing.Tracer(scope)
}

// traceRequest is the middleware that begins a trace. What a sender says about traces is not heard: it could choose our
// sampling. Of the address only the route is told.
func (t *Telemetry) traceRequest(c *gin.Context) {
	ctx, span := t.Tracer().Start(c.Request.Context(), c.Request.Method+" "+c.FullPath(), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", c.Request.Method), attribute.String("http.route", c.FullPath())))
	defer span.End()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
	span.SetAttributes(attribute.Int("http.response.status_code", c.Writer.Status()))
	for header, name := range map[string]string{"Hookflow-Event-Id": "hookflow.event_id", "Hookflow-Outcome": "hookflow.outcome"} {
		if value := c.Writer.Header().Get(header); value != "" {
			span.SetAttributes(attribute.String(name, value))
		}
	}
	if c.Writer.Status() >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}

// Transport returns base with a span around each call and the trace's id in its header traceparent
// (w3.org/TR/trace-context), or base itself while traces are off. A nil base is http.DefaultTransport.
//
// The span holds method, host and status. The usual instrumentation would add the whole URL, and an operator's may hold a
// token.
func (t *Telemetry) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	if t.tracing == nil {
		return base
	}
	return &tracedTransport{base, t.Tracer()}
}

type tracedTransport struct {
	base   http.RoundTripper
	tracer trace.Tracer
}

// RoundTrip makes one call.
func (t *tracedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := t.tracer.Start(r.Context(), r.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname())))
	defer span.End()
	r = r.Clone(ctx)
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	answer, err := t.base.RoundTrip(r)
	switch {
	case err != nil:
		span.SetStatus(codes.Error, "") // its text may hold the URL
	default:
		span.SetAttributes(attribute.Int("http.response.status_code", answer.StatusCode))
		if answer.StatusCode >= http.StatusBadRequest {
			span.SetStatus(codes.Error, "")
		}
	}
	return answer, err
}

// CloseIdleConnections lets http.Client close those of the transport behind.
func (t *tracedTransport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// WithoutTexts keeps what errors say out of a span: handlers write it, who may quote anything. typeOf names the type of an
// error.
func WithoutTexts(s trace.Span, typeOf func(error) string) trace.Span { return &wordless{s, typeOf} }

type wordless struct {
	trace.Span
	typeOf func(error) string
}

// RecordError notes the type of err.
func (s *wordless) RecordError(err error, _ ...trace.EventOption) {
	if err != nil {
		s.SetAttributes(attribute.String("error.type", s.typeOf(err)))
	}
}

// SetStatus leaves the description out.
func (s *wordless) SetStatus(code codes.Code, _ string) { s.Span.SetStatus(code, "") }

// traced adds the id of the trace to a line of the log, where its context has one.
type traced struct{ slog.Handler }

// Handle writes a line.
func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if at := trace.SpanContextFromContext(ctx); at.IsValid() {
		r.AddAttrs(slog.String("trace_id", at.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs returns a handler that adds attributes.
func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }

// WithGroup returns a handler that opens a group.
func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }
