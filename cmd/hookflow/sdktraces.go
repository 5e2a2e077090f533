package main

import (
	"context"
	"fmt"

	"hookflow/activities"
	"hookflow/telemetry"

	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
)

// traceRuns lets a trace go on through Temporal: its id travels in the headers of runs and activities. While traces are
// off nothing is added, to calls or to histories.
func traceRuns(options *client.Options, tel *telemetry.Telemetry) error {
	tracer := tel.Tracer()
	if tracer == nil {
		return nil
	}
	traces, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer: tracer, DisableBaggage: true, DisableQueryTracing: true,
		// A header that another library wrote is no reason to fail a run.
		AllowInvalidParentSpans: true,
		SpanStarter: func(ctx context.Context, t trace.Tracer, name string, o ...trace.SpanStartOption) trace.Span {
			_, span := t.Start(ctx, name, o...)
			return telemetry.WithoutTexts(span, errorType)
		},
	})
	if err != nil {
		return fmt.Errorf("traces through Temporal: %w", err)
	}
	options.Interceptors = append([]interceptor.ClientInterceptor{traces}, options.Interceptors...)
	return nil
}

func errorType(err error) string {
	_, name := activities.Describe(err)
	return name
}
