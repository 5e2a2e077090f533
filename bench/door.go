package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"hookflow/api"
	"hookflow/event"
	"hookflow/providers"
	"hookflow/telemetry"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/client"
)

// doorOrder says what stands behind the door.
type doorOrder struct {
	Kind        string // ceiling, insert or direct
	DatabaseURL string
	Temporal    string
	Namespace   string
}

// doorAnswer says where the door is reached; it is the first line that a helper "door" prints.
type doorAnswer struct{ Address string }

// openDoor is the helper process "door": hookflow's own handler with everything that serve puts around it, and another
// Accepter behind it. It ends with its standard input.
func openDoor(ctx context.Context, order doorOrder, stdout io.Writer) (struct{}, error) {
	accepter, err := newAccepter(ctx, order)
	if err != nil {
		return struct{}{}, err
	}
	stripe, err := providers.NewStripe([]string{stripeSecret})
	if err != nil {
		return struct{}{}, err
	}
	tel, err := telemetry.Init(telemetry.Options{Log: io.Discard})
	if err != nil {
		return struct{}{}, err
	}
	door := api.New(api.Options{
		Accepter: accepter, Sources: map[string]providers.Source{"stripe": {Name: "stripe", Provider: stripe}},
		Metrics: tel.Door, Log: tel.Log, Now: time.Now, OnError: tel.CaptureError, Middleware: tel.Gin(),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return struct{}{}, err
	}
	server := api.NewServer(door.Webhooks(), tel.Log)
	go func() { _ = server.Serve(api.LimitListener(l, api.MaxConnections)) }()
	if addr := os.Getenv(profileVariable); addr != "" {
		go func() { _ = http.ListenAndServe(addr, profiler()) }()
	}
	if err := json.NewEncoder(stdout).Encode(doorAnswer{l.Addr().String()}); err != nil {
		return struct{}{}, err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return struct{}{}, err
}

func newAccepter(ctx context.Context, order doorOrder) (api.Accepter, error) {
	switch order.Kind {
	case "ceiling":
		return forgetful{}, nil
	case "insert":
		cfg, err := pgxpool.ParseConfig(order.DatabaseURL)
		if err != nil {
			return nil, err
		}
		cfg.MaxConns = 16 // as hookflow has
		pool, err := pgxpool.NewWithConfig(ctx, cfg)
		return inserter{pool: pool}, err
	case "direct":
		c, err := client.DialContext(ctx, client.Options{HostPort: order.Temporal, Namespace: order.Namespace, Logger: quiet{}})
		return starter{client: c}, err
	}
	return nil, fmt.Errorf("there is no door of the kind %q", order.Kind)
}

// single is an Accepter of one event each, which is all that is sent here.
type single struct{}

func (single) AcceptAll(context.Context, []event.Event) ([]event.Outcome, error) {
	return nil, errors.New("a batch, where single events are measured")
}

// forgetful stores nothing: what it answers is the most that the handler can do.
type forgetful struct{ single }

func (forgetful) Accept(context.Context, *event.Event) (event.Outcome, error) {
	return event.Accepted, nil
}

// inserter writes the two rows of each event by themselves: one statement, one transaction, one round trip.
type inserter struct {
	single
	pool *pgxpool.Pool
}

const insertOne = `
WITH inserted AS (
	INSERT INTO webhook_events (id, provider, scheme, event_id, event_type, account, livemode, workflow_id, occurred_at, received_at, body_masked)
	VALUES ($1, $2, $3, $4, $5, nullif($6, ''), $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING id
)
INSERT INTO webhook_bodies (id, headers, content_type, body) SELECT id, $12, $13, $14 FROM inserted`

func (i inserter) Accept(ctx context.Context, e *event.Event) (event.Outcome, error) {
	tag, err := i.pool.Exec(ctx, insertOne, e.ID, e.Provider, e.Scheme, e.EventID, e.Type, e.Account, e.Livemode, e.WorkflowID(),
		e.OccurredAt, e.ReceivedAt, e.BodyMasked, e.Headers, e.ContentType, e.Body)
	if err != nil {
		return "", err
	}
	if tag.RowsAffected() == 0 {
		return event.Duplicate, nil
	}
	return event.Accepted, nil
}

// starter starts a run for each event, with the event and its body in the input. No worker takes the runs, which is in
// this design's favour.
type starter struct {
	single
	client client.Client
}

func (s starter) Accept(ctx context.Context, e *event.Event) (event.Outcome, error) {
	_, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: e.WorkflowID(), TaskQueue: "direct"}, "Direct", e, e.Body)
	if err != nil {
		return "", fmt.Errorf("%w: %v", event.ErrUnavailable, err)
	}
	return event.Accepted, nil
}

// quiet is a Temporal logger that says nothing.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
